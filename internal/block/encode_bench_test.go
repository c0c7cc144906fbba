package block_test

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
)

// benchSpans are the spans of a benchmark's workload: those of a row group, or, with
// -short, enough to see that the benchmark works.
func benchSpans() int {
	if testing.Short() {
		return 10_000
	}
	return 250_000
}

// decoded returns the rows of requests, and the requests' size.
func decoded(tb testing.TB, requests [][]byte) (pages otlp.Pages, size int) {
	tb.Helper()
	d := otlp.NewDecoder()
	for i, request := range requests {
		size += len(request)
		_, err := pages.Decode(d, request, uint64(i+1))
		require.NoError(tb, err)
	}
	return pages, size
}

// written makes a block of pages.
func written(tb testing.TB, pages otlp.Pages) *block.Object {
	tb.Helper()
	o, err := block.Encode(project, pages...)
	require.NoError(tb, err)
	return o
}

// BenchmarkEncode makes a block of rows.
func BenchmarkEncode(b *testing.B) {
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixBoth} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			spans, size := decoded(b, slices.Collect(corpus.Workload(1, benchSpans(), mix)))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			var o *block.Object
			for b.Loop() {
				o = written(b, spans)
			}
			b.ReportMetric(float64(spans.Rows())*float64(b.N)/b.Elapsed().Seconds(), "spans/s")
			b.ReportMetric(float64(len(o.Data))/float64(spans.Rows()), "B/span")
			b.ReportMetric(float64(len(o.Data))/float64(size), "of-otlp")
		})
	}
}

// BenchmarkWrite makes a block of OTLP messages: decode, sort, encode.
func BenchmarkWrite(b *testing.B) {
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixBoth} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			requests := slices.Collect(corpus.Workload(1, benchSpans(), mix))
			b.ReportAllocs()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			rows, stored, size := 0, 0, 0
			for b.Loop() {
				var spans otlp.Pages
				spans, size = decoded(b, requests)
				b.SetBytes(int64(size))
				stored = len(written(b, spans).Data)
				rows += spans.Rows()
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "spans/s")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(rows), "allocs/span")
			b.ReportMetric(float64(stored)/float64(benchSpans()), "B/span")
			b.ReportMetric(float64(stored)/float64(size), "of-otlp")
		})
	}
}

// BenchmarkBuildMemory watches the heap while a block is made of OTLP messages
// that are on it: how many times their bytes it holds at most besides them.
func BenchmarkBuildMemory(b *testing.B) {
	for _, mix := range []corpus.Mix{corpus.MixMicro, corpus.MixBoth} {
		b.Run("mix="+string(mix), func(b *testing.B) {
			requests := slices.Collect(corpus.Workload(1, benchSpans(), mix))
			defer debug.SetGCPercent(debug.SetGCPercent(5)) // so that what is no longer used does not count
			peak, size := 0.0, 0
			for b.Loop() {
				runtime.GC()
				base := heapBytes()
				stop, most := make(chan struct{}), make(chan uint64)
				go watchHeap(stop, most)
				var spans otlp.Pages
				spans, size = decoded(b, requests)
				written(b, spans)
				close(stop)
				peak = max(peak, float64(<-most)-float64(base))
				runtime.KeepAlive(spans)
			}
			runtime.KeepAlive(requests)
			b.ReportMetric(peak/1e6, "peak-MB")
			b.ReportMetric(peak/float64(size), "of-otlp")
		})
	}
}

// watchHeap sends the largest heap that it has seen.
func watchHeap(stop <-chan struct{}, most chan<- uint64) {
	var largest uint64
	for tick := time.NewTicker(time.Millisecond); ; {
		largest = max(largest, heapBytes())
		select {
		case <-stop:
			tick.Stop()
			most <- largest
			return
		case <-tick.C:
		}
	}
}

// heapBytes is what objects on the heap take.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
