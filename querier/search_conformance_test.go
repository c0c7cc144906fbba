package querier_test

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/schema"
)

// The fields of Tempo's reply to a search.
type (
	anyValue struct {
		StringValue *string  `json:"stringValue"`
		BoolValue   *bool    `json:"boolValue"`
		IntValue    *int64   `json:"intValue,string"`
		DoubleValue *float64 `json:"doubleValue"`
		ArrayValue  *struct {
			Values []anyValue `json:"values"`
		} `json:"arrayValue"`
	}
	keyValue struct {
		Key   string   `json:"key"`
		Value anyValue `json:"value"`
	}
	spanSetReply struct {
		Spans []struct {
			SpanID        string     `json:"spanID"`
			Name          string     `json:"name"`
			StartNanos    uint64     `json:"startTimeUnixNano,string"`
			DurationNanos uint64     `json:"durationNanos,string"`
			Attributes    []keyValue `json:"attributes"`
		} `json:"spans"`
		Matched    int        `json:"matched"`
		Attributes []keyValue `json:"attributes"`
	}
	searchReply struct {
		Traces []struct {
			TraceID         string         `json:"traceID"`
			RootServiceName string         `json:"rootServiceName"`
			RootTraceName   string         `json:"rootTraceName"`
			StartNanos      string         `json:"startTimeUnixNano"`
			DurationMs      int64          `json:"durationMs"`
			SpanSet         *spanSetReply  `json:"spanSet"`
			SpanSets        []spanSetReply `json:"spanSets"`
			ServiceStats    map[string]struct {
				SpanCount  uint32 `json:"spanCount"`
				ErrorCount uint32 `json:"errorCount"`
			} `json:"serviceStats"`
		} `json:"traces"`
		Metrics *struct {
			InspectedTraces uint32 `json:"inspectedTraces"`
			InspectedBytes  uint64 `json:"inspectedBytes,string"`
			TotalBlocks     uint32 `json:"totalBlocks"`
			CompletedJobs   uint32 `json:"completedJobs"`
			TotalJobs       uint32 `json:"totalJobs"`
			TotalBlockBytes uint64 `json:"totalBlockBytes,string"`
			InspectedSpans  uint64 `json:"inspectedSpans,string"`
		} `json:"metrics"`
	}
)

func (v anyValue) value() (out schema.Value) {
	switch {
	case v.StringValue != nil:
		return schema.Value{Kind: schema.KindString, Str: *v.StringValue}
	case v.BoolValue != nil:
		return schema.Value{Kind: schema.KindBool, Bool: *v.BoolValue}
	case v.IntValue != nil:
		return schema.Value{Kind: schema.KindInt, Int: *v.IntValue}
	case v.DoubleValue != nil:
		return schema.Value{Kind: schema.KindDouble, Double: *v.DoubleValue}
	case v.ArrayValue != nil:
		out.Kind = schema.KindArray
		for _, element := range v.ArrayValue.Values {
			out.Array = append(out.Array, element.value())
		}
	}
	return out
}

func attributesOf(list []keyValue) (attributes []schema.Attribute) {
	for _, a := range list {
		attributes = append(attributes, schema.Attribute{Key: a.Key, Value: a.Value.value()})
	}
	return attributes
}

// normalTraces is the normal form of the suite's README.
func normalTraces(t *testing.T, body string, attrs bool) []corpus.Trace {
	t.Helper()
	var r searchReply
	decodeStrictly(t, body, &r)
	require.NotNil(t, r.Metrics)
	var traces []corpus.Trace
	for _, tr := range r.Traces {
		n := corpus.Trace{
			ID: fmt.Sprintf("%032s", tr.TraceID), RootService: tr.RootServiceName, RootName: tr.RootTraceName,
			Start: tr.StartNanos, DurationMs: tr.DurationMs,
		}
		require.Equal(t, tr.SpanSets[0], *tr.SpanSet)
		require.NotEmpty(t, tr.ServiceStats)
		for _, set := range tr.SpanSets {
			s := corpus.SpanSet{Matched: set.Matched}
			if attrs {
				s.Attrs = corpus.AttributeTexts(attributesOf(set.Attributes))
			}
			for _, span := range set.Spans {
				s.Spans = append(s.Spans, corpus.SpanText(span.SpanID, span.Name, attributesOf(span.Attributes), attrs))
			}
			n.SpanSets = append(n.SpanSets, s)
		}
		traces = append(traces, n)
	}
	corpus.SortTraces(traces)
	return traces
}

// Every search of the suite is answered as the reference does, over HTTP, from
// blocks between which the traces are split.
func TestSearchConformance(t *testing.T) {
	w := newWorld(t, nil)
	w.storeDataset()
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	differences, err := corpus.Differences()
	require.NoError(t, err)
	compared, different := 0, 0
	for _, q := range queries {
		want, known := expected[q.ID]
		if q.Path != "/api/search" || !known {
			continue
		}
		t.Run(q.ID, func(t *testing.T) {
			params := url.Values{}
			for k, v := range q.Params {
				params.Set(k, v)
			}
			if spss, err := strconv.Atoi(q.Params["spss"]); err == nil && spss > 100 {
				params.Set("spss", "100")
			}
			a := w.get((&url.URL{Path: q.Path, RawQuery: params.Encode()}).String())
			if want.Status >= 400 {
				require.Equal(t, 400, a.status, a.body)
				return
			}
			require.Equal(t, 200, a.status, a.body)
			got := normalTraces(t, a.body, q.Attrs)
			switch {
			case q.Quirk != "" || differences[q.ID] != "":
				different++
				return
			case q.Loose != "":
				require.Len(t, got, len(want.Traces))
			default:
				requireTraces(t, want.Traces, got)
			}
			compared++
		})
	}
	require.Equal(t, 20, different)
	require.Equal(t, 237, compared)
}

// requireTraces compares answers; of spansets of more spans than a reply may
// hold only the number is compared.
func requireTraces(t *testing.T, want, got []corpus.Trace) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		for k := range want[i].SpanSets {
			if want[i].SpanSets[k].Matched > 100 {
				want[i].SpanSets[k].Spans, got[i].SpanSets[k].Spans = nil, nil
			}
		}
		require.Equal(t, want[i], got[i])
	}
}
