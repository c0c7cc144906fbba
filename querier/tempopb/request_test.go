package tempopb_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
)

func TestRequests(t *testing.T) {
	api := tempopbtest.Load(t)
	tests := []struct {
		name   string
		fields map[protoreflect.Name]any
		want   any
	}{
		{"SearchRequest", map[protoreflect.Name]any{
			"MinDurationMs": uint32(1), "MaxDurationMs": uint32(2), "Limit": uint32(3), "start": uint32(4), "end": uint32(5), "Query": "{}", "SpansPerSpanSet": uint32(9),
		}, &tempopb.SearchRequest{MinDurationMs: 1, MaxDurationMs: 2, Limit: 3, Start: 4, End: 5, Query: "{}", SpansPerSpanSet: 9}},
		{"SearchTagsRequest", map[protoreflect.Name]any{
			"scope": "span", "query": "{}", "start": uint32(3), "end": uint32(4), "maxTagsPerScope": uint32(5), "staleValuesThreshold": uint32(6),
		}, &tempopb.TagsRequest{Scope: "span", Query: "{}", Start: 3, End: 4, Limit: 5}},
		{"SearchTagValuesRequest", map[protoreflect.Name]any{
			"tagName": "span.a", "query": "{}", "start": uint32(4), "end": uint32(5), "maxTagValues": uint32(6), "staleValueThreshold": uint32(7),
		}, &tempopb.TagValuesRequest{TagName: "span.a", Query: "{}", Start: 4, End: 5, Limit: 6}},
		{"QueryRangeRequest", map[protoreflect.Name]any{
			"query": "{} | rate()", "start": uint64(2), "end": uint64(3), "step": uint64(4), "exemplars": uint32(16), "maxSeries": uint32(17),
		}, &tempopb.QueryRangeRequest{Query: "{} | rate()", StartNanos: 2, EndNanos: 3, StepNanos: 4, Exemplars: 16, MaxSeries: 17}},
		{"QueryInstantRequest", map[protoreflect.Name]any{
			"query": "{} | rate()", "start": uint64(2), "end": uint64(3),
		}, &tempopb.QueryInstantRequest{Query: "{} | rate()", StartNanos: 2, EndNanos: 3}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			m := api.New(t, tc.name)
			for name, v := range tc.fields {
				tempopbtest.Set(t, m, name, v)
			}
			wire, err := proto.Marshal(m)
			require.NoError(t, err)
			got, err := tempopb.Decode(tc.name, wire)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			_, err = tempopb.Decode(tc.name, wire[:len(wire)-1])
			require.Error(t, err, "cut off")
		})
	}
	m := api.JSON(t, "SearchRequest", `{"Tags":{"a":"b","c":""}}`)
	wire, err := proto.Marshal(m)
	require.NoError(t, err)
	got, err := tempopb.Decode("SearchRequest", wire)
	require.NoError(t, err)
	require.Equal(t, &tempopb.SearchRequest{Tags: map[string]string{"a": "b", "c": ""}}, got)
}

// FuzzRequests reads bytes as every request: nothing panics, and what the
// descriptors' decoder takes is taken.
func FuzzRequests(f *testing.F) {
	api := tempopbtest.Load(f)
	f.Add([]byte{})
	f.Add([]byte("\x0a\x06\x0a\x01a\x12\x01b\x20\x14\x42\x02{}\x80\x01\x05"))
	f.Add([]byte("\x0a\x02{}\x10\x01\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x09"))
	names := []string{"SearchRequest", "SearchTagsRequest", "SearchTagValuesRequest", "QueryRangeRequest", "QueryInstantRequest"}
	f.Fuzz(func(t *testing.T, wire []byte) {
		for _, name := range names {
			_, err := tempopb.Decode(name, wire)
			if proto.Unmarshal(wire, api.New(t, name)) == nil {
				require.NoError(t, err, name)
			}
		}
	})
}
