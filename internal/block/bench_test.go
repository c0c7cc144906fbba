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

func BenchmarkEncode(b *testing.B) {
	spans := workload()
	b.SetBytes(rowBytes(spans))
	b.ReportAllocs()
	var size int
	for b.Loop() {
		o, err := block.Encode(project, spans)
		require.NoError(b, err)
		size = len(o.Data)
	}
	b.ReportMetric(float64(len(spans))*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
	b.ReportMetric(float64(size)/float64(len(spans)), "B/span")
}

func BenchmarkOpen(b *testing.B) {
	o := encode(b, workload())
	key := keyOf(o)
	b.ReportAllocs()
	for b.Loop() {
		_, err := block.Open(b.Context(), memory(o.Data), key)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(o.TailBytes), "tail-bytes")
}

func BenchmarkScan(b *testing.B) {
	spans := workload()
	o := encode(b, spans)
	r, err := block.Open(b.Context(), memory(o.Data), keyOf(o))
	require.NoError(b, err)
	for _, bench := range []struct {
		name string
		set  block.ColumnSet
	}{
		{"columns=base", block.BaseColumns},
		{"columns=base+attributes", block.AttributesColumn},
		{"columns=all", block.AllColumns},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				for rows, err := range r.Scan(b.Context(), block.ScanRequest{Columns: bench.set}) {
					require.NoError(b, err)
					n += len(rows)
				}
				require.Equal(b, len(spans), n)
			}
			b.ReportMetric(float64(len(spans))*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
		})
	}
}

func BenchmarkTrace(b *testing.B) {
	spans := workload()
	o := encode(b, spans)
	counted := &requests{Ranger: memory(o.Data)}
	r, err := block.Open(b.Context(), counted, keyOf(o))
	require.NoError(b, err)
	counted.reset()
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		trace, err := r.Trace(b.Context(), spans[n*7919%len(spans)].TraceID)
		require.NoError(b, err)
		require.NotEmpty(b, trace)
	}
	b.ReportMetric(float64(counted.gets)/float64(n), "requests/op")
	b.ReportMetric(float64(counted.bytes)/float64(n), "fetched-bytes/op")
}
