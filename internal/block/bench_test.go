package block_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/schema"
)

const benchmarkSpans = 50_000

// workload is a seeded mix: traces of about 15 spans over 40 services with
// eight attributes each, a few values of which are frequent.
func workload() []schema.Span {
	rng := rand.New(rand.NewPCG(42, 1))
	var resources []*schema.Resource
	for i := range 120 {
		service := fmt.Sprintf("service-%d", i%40)
		wire := attributes(rng, 12)
		resources = append(resources, &schema.Resource{Wire: append(wire, service...), ServiceName: service})
	}
	scope := &schema.Scope{Wire: []byte("\x0a\x1dgo.opentelemetry.io/contrib"), Name: "go.opentelemetry.io/contrib", Version: "0.60.0"}
	spans := make([]schema.Span, benchmarkSpans)
	for i := range spans {
		g := generator{rng: rng}
		g.resources, g.scopes = resources, []*schema.Scope{scope}
		s := g.span(i)
		s.TraceID = traceID(rng.IntN(benchmarkSpans/15 + 1))
		s.Name = fmt.Sprintf("GET /api/v1/thing/%d", rng.IntN(60))
		s.StatusMessage, s.TraceState, s.Flags = "", "", 257
		s.Attributes = attributes(rng, 8)
		s.Events, s.Links, s.Rest = nil, nil, nil
		if rng.IntN(33) == 0 {
			s.Events = attributes(rng, 4)
		}
		s.Position = uint64(i / 500)
		spans[i] = s
	}
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return spans
}

// attributes looks like n OTLP attributes.
func attributes(rng *rand.Rand, n int) []byte {
	var b []byte
	for i := range n {
		value := fmt.Sprintf("value-%d", rng.IntN(30))
		if i == 0 {
			value = fmt.Sprintf("https://shop.example.com/cart/%d?item=%d", rng.IntN(1000), rng.Uint32())
		}
		b = append(b, fmt.Sprintf("\x4a\x20\x0a\x10http.attribute.key.%d\x12\x0a%s", i, value)...)
	}
	return b
}

// rowBytes is what a row holds, for a rate that means something.
func rowBytes(spans []schema.Span) (n int64) {
	for i := range spans {
		s := &spans[i]
		n += int64(len(s.Name)+len(s.Attributes)+len(s.Events)+len(s.Links)+len(s.Rest)) + 60
	}
	return n
}
