package block_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

const encodeSpans = 250_000

// decoded returns the rows of requests, and the requests' size.
func decoded(tb testing.TB, requests [][]byte) (spans []schema.Span, size int) {
	tb.Helper()
	d := otlp.NewDecoder()
	for i, request := range requests {
		size += len(request)
		var err error
		spans, err = d.Decode(request, uint64(i+1), spans)
		require.NoError(tb, err)
	}
	return spans, size
}

// BenchmarkEncode makes a block of sorted rows.
func BenchmarkEncode(b *testing.B) {
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixBoth} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			spans, size := decoded(b, slices.Collect(corpus.Workload(1, encodeSpans, mix)))
			spans = block.Sorted(spans)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var o *block.Object
			for b.Loop() {
				o = encode(b, spans)
			}
			b.ReportMetric(float64(len(spans))*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
			b.ReportMetric(float64(len(o.Data))/float64(len(spans)), "B/span")
			b.ReportMetric(float64(len(o.Data))/float64(size), "of-otlp")
		})
	}
}

// BenchmarkWrite makes a block of OTLP messages: decode, sort, encode.
func BenchmarkWrite(b *testing.B) {
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixBoth} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			requests := slices.Collect(corpus.Workload(1, encodeSpans, mix))
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				spans, size := decoded(b, requests)
				b.SetBytes(int64(size))
				encode(b, block.Sorted(spans))
				rows += len(spans)
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "spans/s")
		})
	}
}
