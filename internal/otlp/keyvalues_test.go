package otlp_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

type walked struct {
	key, value, field string
	canonical         bool
}

func walk(fields []byte) (list []walked, foreign bool) {
	kv := otlp.SpanKeyValues(fields)
	for kv.Next() {
		list = append(list, walked{string(kv.Key), string(kv.Value), string(kv.Field), kv.Canonical})
	}
	return list, kv.Foreign
}

func TestKeyValuesTellsHowAttributesAreWritten(t *testing.T) {
	tests := []struct {
		name    string
		field   string
		want    walked
		foreign bool
	}{
		{"canonical", "\x4a\x08\x0a\x01k\x12\x03\x0a\x01v", walked{key: "k", value: "\x0a\x01v", canonical: true}, false},
		{"no value in value", "\x4a\x05\x0a\x01k\x12\x00", walked{key: "k", canonical: true}, false},
		{"empty key", "\x4a\x04\x0a\x00\x12\x00", walked{canonical: true}, false},
		{"no value", "\x4a\x03\x0a\x01k", walked{key: "k"}, false},
		{"no key", "\x4a\x02\x12\x00", walked{}, false},
		{"nothing", "\x4a\x00", walked{}, false},
		{"value first", "\x4a\x08\x12\x03\x0a\x01v\x0a\x01k", walked{key: "k", value: "\x0a\x01v", canonical: true}, false},
		{"no value first", "\x4a\x05\x12\x00\x0a\x01k", walked{key: "k", canonical: true}, false},
		{"two values", "\x4a\x04\x12\x00\x12\x00", walked{}, false},
		{"last key", "\x4a\x08\x0a\x01j\x12\x00\x0a\x01k", walked{key: "k"}, false},
		{"values joined", "\x4a\x0b\x0a\x01k\x12\x02\x18\x01\x12\x02\x18\x02", walked{key: "k", value: "\x18\x01\x18\x02"}, false},
		{"longer length", "\x4a\x85\x00\x0a\x01k\x12\x00", walked{key: "k"}, false},
		{"longer key length", "\x4a\x06\x0a\x81\x00k\x12\x00", walked{key: "k"}, false},
		{"longer value length", "\x4a\x06\x0a\x01k\x12\x80\x00", walked{key: "k"}, false},
		{"longer tag", "\xca\x00\x05\x0a\x01k\x12\x00", walked{key: "k"}, false},
		{"trailing field", "\x4a\x07\x0a\x01k\x12\x00\x18\x01", walked{key: "k"}, false},
		{"other field before", "\x50\x01\x4a\x05\x0a\x01k\x12\x00", walked{key: "k", canonical: true, field: "\x4a\x05\x0a\x01k\x12\x00"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want.field == "" {
				tt.want.field = tt.field
			}
			list, foreign := walk([]byte(tt.field))
			require.Equal(t, []walked{tt.want}, list)
			require.Equal(t, tt.foreign, foreign)
		})
	}
	for _, broken := range []string{"\x4a", "\x4a\x05", "\x4a\x05\x0a\x01k\x12", "\x00", "\x4f"} {
		list, foreign := walk([]byte(broken))
		require.Empty(t, list, "%q", broken)
		require.True(t, foreign, "%q", broken)
	}
}

func TestParseScalarReadsOnlyWhatIsWrittenAsEncodersDo(t *testing.T) {
	values := []schema.Value{
		{Kind: schema.KindString, Str: ""},
		{Kind: schema.KindString, Str: string(bytes.Repeat([]byte("x"), 300))},
		{Kind: schema.KindBool},
		{Kind: schema.KindBool, Bool: true},
		{Kind: schema.KindInt},
		{Kind: schema.KindInt, Int: math.MinInt64},
		{Kind: schema.KindInt, Int: math.MaxInt64},
		{Kind: schema.KindDouble, Double: math.Inf(-1)},
	}
	for _, v := range values {
		wire := otlp.AppendValue(nil, v)
		s := otlp.ParseScalar(wire)
		require.Equal(t, v.Kind, s.Kind)
		require.Equal(t, v.Str, string(s.Text))
		require.Equal(t, v, otlp.ParseValue(wire))
	}
	for _, other := range []string{
		"", "\x18", "\x0a", "\x2a\x00", "\x32\x00", "\x3a\x01x", // nothing, cut off, lists, maps, bytes
		"\x0a\x81\x00x", "\x0a\x01xy", "\x0a\x02x", "\x10\x02", "\x10\x81\x00", "\x18\x80\x00", "\x18\x01\x18\x02",
		"\x21\x00\x00\x00\x00\x00\x00\x00", "\x21\x00\x00\x00\x00\x00\x00\x00\x00\x00",
		"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
	} {
		require.Equal(t, schema.KindEmpty, otlp.ParseScalar([]byte(other)).Kind, "%q", other)
	}
}

func TestMembersAreWalkedAsEventsAndLinksReadThem(t *testing.T) {
	s := schema.Span{
		Events: []byte("\x5a\x03\x12\x01e\x50\x01\x5a\x00\x5a\x0c\x12\x01a\x12\x01b\x1a\x04\x0a\x02kk"),
		Links:  []byte("\x6a\x05\x22\x03\x0a\x01o\x6a\x00\x6a\x09"),
	}
	var names, keys []string
	for m := otlp.EventMessages(s.Events); m.Next(); {
		names = append(names, string(otlp.EventName(m.Message)))
		for kv := otlp.EventKeyValues(m.Message); kv.Next(); {
			keys = append(keys, string(kv.Key))
		}
	}
	require.Equal(t, []string{"e", "", "b"}, names)
	require.Equal(t, []string{"kk"}, keys)
	var events []string
	for e := range otlp.Events(&s) {
		events = append(events, e.Name)
	}
	require.Equal(t, events, names)

	links, keys := 0, nil
	for m := otlp.LinkMessages(s.Links); m.Next(); links++ {
		for kv := otlp.LinkKeyValues(m.Message); kv.Next(); {
			keys = append(keys, string(kv.Key))
		}
	}
	require.Equal(t, 2, links)
	require.Equal(t, []string{"o"}, keys)
}

// FuzzKeyValues compares the walk with the reader of attributes, and what it
// calls canonical with what an encoder writes.
func FuzzKeyValues(f *testing.F) {
	f.Add([]byte("\x4a\x08\x0a\x01k\x12\x03\x0a\x01v\x4a\x85\x00\x0a\x01k\x12\x00"))
	f.Add(otlp.AppendKeyValue(nil, 9, "key", schema.Value{Kind: schema.KindInt, Int: -7}))
	f.Fuzz(func(t *testing.T, fields []byte) {
		list, foreign := walk(fields)
		var attributes []schema.Attribute
		for key, value := range otlp.Attributes(fields) {
			attributes = append(attributes, schema.Attribute{Key: key, Value: value})
		}
		require.Len(t, list, len(attributes))
		var all []byte
		for i, w := range list {
			all = append(all, w.field...)
			require.Equal(t, attributes[i].Key, w.key)
			body := protowire.AppendString([]byte{0x0a}, w.key)
			body = protowire.AppendString(append(body, 0x12), w.value)
			require.Equal(t, w.canonical, w.field == string(protowire.AppendBytes([]byte{0x4a}, body)))
			if s := otlp.ParseScalar([]byte(w.value)); s.Kind != schema.KindEmpty {
				require.Equal(t, s.Kind, attributes[i].Value.Kind)
				require.Equal(t, w.value, string(otlp.AppendValue(nil, attributes[i].Value)))
			}
		}
		if !foreign {
			require.True(t, slices.Equal(fields, all))
		}
	})
}
