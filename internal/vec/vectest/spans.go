package vectest

import (
	"math"
	"math/rand/v2"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Numbers of fields of OTLP messages.
const (
	resourceSpansResource = 1
	scopeSpansScope       = 1
	resourceAttributes    = 1
	scopeAttributes       = 3
	spanAttributes        = 9
	spanEvents            = 11
	spanLinks             = 13
	eventTime             = 1
	eventName             = 2
	eventAttributes       = 3
	linkAttributes        = 4
)

// keys are few, so that filters find something, repeated keys and keys of
// several types included. The last ones are rare.
func keys() []string {
	return []string{"a", "b", "http.route", "status", "tokens", "prompt", "service.name", "", "rare.1", "rare.2"}
}

// texts are the strings of rows and of filters.
func texts() []string {
	return []string{"", "a", "b", "ab", "GET /api", "GET /api/cart", "error", "5", "true", "\xff\xfe", "é\n", strings.Repeat("long ", 40)}
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// key prefers the first ones.
func key(rng *rand.Rand) string {
	all := keys()
	return all[min(rng.IntN(len(all)), rng.IntN(len(all)))]
}

// Spans returns n rows of some traces in the order of schema.Compare's caller,
// that is in none. They have attributes of every type, derived attributes,
// events and links, repeated keys, and now and then the id of another row.
func Spans(rng *rand.Rand, n int) []schema.Span {
	resources := make([]*schema.Resource, 1+rng.IntN(6))
	for i := range resources {
		resources[i] = resource(rng)
	}
	scopes := make([]*schema.Scope, 1+rng.IntN(6))
	for i := range scopes {
		scopes[i] = scope(rng)
	}
	traces := 1 + rng.IntN(n/3+1)
	spans := make([]schema.Span, n)
	for i := range spans {
		start := uint64(1_700_000_000_000_000_000 + rng.Int64N(1_000_000_000))
		s := &spans[i]
		*s = schema.Span{
			TraceID: schema.TraceID{0: byte(rng.IntN(traces)), 15: 1}, SpanID: schema.SpanID{0: byte(rng.IntN(256)), 7: 1},
			StartNanos: start, EndNanos: start + uint64(rng.Int64N(5000)) - uint64(rng.IntN(2)*100),
			Name: pick(rng, texts()), Kind: rng.Int32N(7), StatusCode: rng.Int32N(4),
			Resource: pick(rng, resources), Scope: pick(rng, scopes),
			Attributes: attributes(rng, spanAttributes, rng.IntN(8)),
			Position:   uint64(i + 1),
		}
		if rng.IntN(4) == 0 {
			s.StatusMessage = pick(rng, texts())
			s.Derived = attributes(rng, spanAttributes, rng.IntN(4))
		}
		if rng.IntN(8) == 0 {
			s.ParentSpanID = schema.SpanID{0: byte(rng.IntN(256)), 7: 1}
			s.EndNanos = 0
		}
		for range max(0, rng.IntN(6)-3) {
			s.Events = appendMessage(s.Events, spanEvents, event(rng))
		}
		for range max(0, rng.IntN(6)-4) {
			s.Links = appendMessage(s.Links, spanLinks, attributes(rng, linkAttributes, rng.IntN(3)))
		}
	}
	return spans
}

func event(rng *rand.Rand) []byte {
	b := protowire.AppendTag(nil, eventTime, protowire.Fixed64Type)
	b = protowire.AppendFixed64(b, rng.Uint64())
	if rng.IntN(4) > 0 {
		b = protowire.AppendTag(b, eventName, protowire.BytesType)
		b = protowire.AppendString(b, pick(rng, texts()))
	}
	return append(b, attributes(rng, eventAttributes, rng.IntN(4))...)
}

func resource(rng *rand.Rand) *schema.Resource {
	var r schema.Resource
	list := attributes(rng, resourceAttributes, rng.IntN(5))
	if rng.IntN(3) > 0 {
		r.ServiceName = pick(rng, texts())
		name := schema.Value{Kind: schema.KindString, Str: r.ServiceName}
		list = append(otlp.AppendKeyValue(nil, resourceAttributes, "service.name", name), list...)
	}
	r.Wire = appendMessage(nil, resourceSpansResource, list)
	return &r
}

func scope(rng *rand.Rand) *schema.Scope {
	return &schema.Scope{
		Wire: appendMessage(nil, scopeSpansScope, attributes(rng, scopeAttributes, rng.IntN(6))),
		Name: pick(rng, texts()), Version: pick(rng, texts()),
	}
}

func attributes(rng *rand.Rand, num protowire.Number, n int) (fields []byte) {
	for range n {
		fields = otlp.AppendKeyValue(fields, num, key(rng), Value(rng, 2))
	}
	return fields
}

func appendMessage(b []byte, num protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, num, protowire.BytesType), message)
}

// Value returns a value of any kind, with lists and maps of up to the given
// depth.
func Value(rng *rand.Rand, depth int) schema.Value {
	switch kind := rng.IntN(12); {
	case kind < 5:
		return text(pick(rng, texts()))
	case kind < 7:
		return number(integer(rng))
	case kind == 7:
		return schema.Value{Kind: schema.KindDouble, Double: pick(rng, []float64{0, 0.5, 5, -5, 1e300, math.Inf(-1), math.NaN()})}
	case kind == 8:
		return schema.Value{Kind: schema.KindBool, Bool: rng.IntN(2) == 0}
	case kind == 9:
		return schema.Value{}
	case kind == 10 || depth == 0:
		return schema.Value{Kind: schema.KindBytes, Str: pick(rng, texts())}
	}
	if rng.IntN(4) == 0 {
		return schema.Value{Kind: schema.KindMap, Map: []schema.Attribute{{Key: key(rng), Value: Value(rng, depth-1)}}}
	}
	list := schema.Value{Kind: schema.KindArray}
	for range rng.IntN(4) {
		list.Array = append(list.Array, Value(rng, depth-1))
	}
	return list
}

func integer(rng *rand.Rand) int64 {
	return pick(rng, []int64{0, 1, 2, 5, 200, 404, 500, -5, math.MinInt64, math.MaxInt64, rng.Int64N(1000)})
}
