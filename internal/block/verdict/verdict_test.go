package verdict_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/block/verdict"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

func text(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }

func number(n int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: n} }

// wants holds for the text "a", the number 7, true, and whatever else has
// kind bytes.
func wants(key string) *vec.Predicate {
	return &vec.Predicate{
		Field: vec.Field{Key: key},
		Text:  func(s string) bool { return s == "a" },
		Int:   func(n int64) bool { return n == 7 },
		Bool:  func(b bool) bool { return b },
		Other: func(v schema.Value) bool { return v.Kind == schema.KindBytes },
	}
}

func TestList(t *testing.T) {
	tests := []struct {
		list string
		want verdict.Verdict
	}{
		{`[]`, verdict.Absent},
		{`["a"]`, verdict.Holds},
		{`["b","\u0061"]`, verdict.Holds},
		{`["\"a","b\\"]`, verdict.Fails},
		{`["b",7,false]`, verdict.Holds},
		{`[-7,false]`, verdict.Fails},
		{`[false,true]`, verdict.Holds},
		{`["a",]`, verdict.Malformed},
		{`["a"`, verdict.Malformed},
		{`["a`, verdict.Malformed},
		{`["a\`, verdict.Malformed},
		{`["a"]]`, verdict.Malformed},
		{`["a""b"]`, verdict.Malformed},
		{`["\x"]`, verdict.Malformed},
		{`[1.5]`, verdict.Malformed},
		{`[null]`, verdict.Malformed},
		{`[`, verdict.Malformed},
		{``, verdict.Malformed},
		{`7`, verdict.Malformed},
	}
	decide := verdict.List(wants(""))
	for _, tt := range tests {
		t.Run(tt.list, func(t *testing.T) { require.Equal(t, tt.want, decide([]byte(tt.list))) })
	}
}

func TestText(t *testing.T) {
	require.Equal(t, verdict.Holds, verdict.Text(wants(""))([]byte("a")))
	require.Equal(t, verdict.Fails, verdict.Text(wants(""))(nil))
	require.Equal(t, verdict.Fails, verdict.Text(&vec.Predicate{Absent: true})([]byte("a")))
}

func TestAnyValue(t *testing.T) {
	decide := verdict.AnyValue(wants(""))
	require.Equal(t, verdict.Holds, decide(otlp.AppendValue(nil, schema.Value{Kind: schema.KindBytes})))
	require.Equal(t, verdict.Holds, decide(otlp.AppendValue(nil, number(7))))
	require.Equal(t, verdict.Fails, decide(nil), "an empty value is a value")
}

// message wraps fields as a length-delimited field.
func message(num protowire.Number, fields []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), fields)
}

// attributes are fields of the given number.
func attributes(num protowire.Number, list ...schema.Attribute) (b []byte) {
	for _, a := range list {
		b = otlp.AppendKeyValue(b, num, a.Key, a.Value)
	}
	return b
}

func TestMessages(t *testing.T) {
	k := func(v schema.Value) schema.Attribute { return schema.Attribute{Key: "k", Value: v} }
	other := schema.Attribute{Key: "other", Value: text("a")}
	named := func(name string) []byte {
		return append([]byte{0x5a, byte(2 + len(name)), 0x12, byte(len(name))}, name...)
	}
	resource := func(list ...schema.Attribute) []byte { return message(1, attributes(1, list...)) }
	scope := func(list ...schema.Attribute) []byte { return message(1, attributes(3, list...)) }
	event := func(list ...schema.Attribute) []byte { return message(11, attributes(3, list...)) }
	link := func(list ...schema.Attribute) []byte { return message(13, attributes(4, list...)) }
	tests := []struct {
		name   string
		decide func(*vec.Predicate) verdict.Decider
		key    string
		stored []byte
		want   verdict.Verdict
	}{
		{"attribute", verdict.Attributes, "k", attributes(9, other, k(text("a"))), verdict.Holds},
		{"the first attribute counts", verdict.Attributes, "k", attributes(9, k(text("b")), k(text("a"))), verdict.Fails},
		{"no attribute", verdict.Attributes, "k", attributes(9, other), verdict.Absent},
		{"resource", verdict.Resource, "k", resource(k(number(7))), verdict.Holds},
		{"the first of a resource counts", verdict.Resource, "k", resource(k(number(8)), k(number(7))), verdict.Fails},
		{"no attribute of a resource", verdict.Resource, "k", resource(other), verdict.Absent},
		{"any event's name", verdict.EventNames, "", append(named("b"), named("a")...), verdict.Holds},
		{"no event's name", verdict.EventNames, "", named("b"), verdict.Fails},
		{"no event", verdict.EventNames, "", nil, verdict.Absent},
		{"scope", verdict.Scope, "k", scope(other, k(text("a"))), verdict.Holds},
		{"no attribute of a scope", verdict.Scope, "k", nil, verdict.Absent},
		{"any event", verdict.Events, "k", append(event(k(text("b"))), event(other, k(text("a")))...), verdict.Holds},
		{"the first of an event counts", verdict.Events, "k", event(k(text("b")), k(text("a"))), verdict.Fails},
		{"no event has it", verdict.Events, "k", append(event(other), event()...), verdict.Absent},
		{"any link", verdict.Links, "k", append(link(other), link(k(text("a")))...), verdict.Holds},
		{"no link holds", verdict.Links, "k", append(link(other), link(k(text("b")))...), verdict.Fails},
		{"no link has it", verdict.Links, "k", link(other), verdict.Absent},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, tt.decide(wants(tt.key))(tt.stored)) })
	}
}

func FuzzList(f *testing.F) {
	f.Add(`["a",7,true]`)
	f.Add(`["\u00e4\"\\",-1,false]`)
	f.Fuzz(func(t *testing.T, list string) {
		var seen []any
		p := &vec.Predicate{
			Text: func(s string) bool { seen = append(seen, s); return false },
			Int:  func(n int64) bool { seen = append(seen, n); return false },
			Bool: func(b bool) bool { seen = append(seen, b); return false },
		}
		if verdict.List(p)([]byte(list)) == verdict.Malformed {
			return
		}
		var want []any
		d := json.NewDecoder(strings.NewReader(list))
		d.UseNumber()
		if d.Decode(&want) != nil {
			return // texts may hold what JSON does not allow as it is
		}
		require.Len(t, seen, len(want))
		for i, v := range want {
			switch v := v.(type) {
			case json.Number:
				n, err := v.Int64()
				require.NoError(t, err)
				require.Equal(t, n, seen[i])
			case string:
				require.Equal(t, v, string([]rune(seen[i].(string))), "each byte that is not UTF-8 is replaced")
			default:
				require.Equal(t, v, seen[i])
			}
		}
	})
}

// FuzzMessages looks for bytes that a decider cannot take.
func FuzzMessages(f *testing.F) {
	f.Add(attributes(9, schema.Attribute{Key: "k", Value: text("a")}))
	f.Add(message(1, attributes(1, schema.Attribute{Key: "k", Value: number(7)})))
	f.Add(message(11, attributes(3, schema.Attribute{Key: "k", Value: number(7)})))
	f.Add(message(13, attributes(4, schema.Attribute{Key: "k", Value: number(7)})))
	f.Fuzz(func(t *testing.T, stored []byte) {
		p := wants("k")
		for _, decide := range []verdict.Decider{
			verdict.AnyValue(p), verdict.Attributes(p), verdict.Resource(p), verdict.Scope(p), verdict.Events(p), verdict.Links(p),
		} {
			require.NotEqual(t, verdict.Malformed, decide(stored))
		}
	})
}
