package querier

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/traceql"
)

const benchSpans = 256 << 10

// BenchmarkSearch searches a block whose tail was read, with and without a cache
// of its pages, and puts the answer together: the twenty newest traces with their
// roots, services and three spans. What is left when the filter is decided and
// the hits are listed is the assembly's share.
func BenchmarkSearch(b *testing.B) {
	queries := []struct{ name, query string }{
		{"status-code", `{ span.http.response.status_code = 500 }`},
		{"service-and-duration", `{ resource.service.name = "gateway" && duration > 3s }`},
		{"model", `{ span.gen_ai.request.model = "gpt-4o" }`},
		{"absent-value", `{ span.gen_ai.request.model = "no such model" }`},
		{"duration", `{ duration > 3s }`},
		{"url", `{ span.url.full =~ ".*&session=77.*" }`},
	}
	for _, cached := range []struct {
		name  string
		bytes int64
	}{{"pages=cached", 256 << 20}, {"pages=fetched", 0}} {
		source := storeBlocks(b, cached.bytes, workloadSpans(b, 1, benchSpans))[0]
		for _, bench := range queries {
			b.Run(cached.name+"/"+bench.name, func(b *testing.B) {
				benchmarkSearch(b, source, bench.query)
			})
		}
	}
}

func benchmarkSearch(b *testing.B, source engine.Source, text string) {
	b.Helper()
	query, err := traceql.Parse(text)
	require.NoError(b, err)
	var deciding time.Duration
	traces, hits := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		plan, err := engine.Compile(query)
		require.NoError(b, err)
		result, err := engine.Search(b.Context(), plan, [][]engine.Source{{source}}, engine.SearchOptions{})
		require.NoError(b, err)
		traces = len(result.Traces)

		b.StopTimer()
		begun := time.Now()
		hits = 0
		filter, _ := plan.Filter()
		for list, err := range source.Find(b.Context(), filter) {
			require.NoError(b, err)
			hits += len(list)
		}
		deciding += time.Since(begun)
		b.StartTimer()
	}
	whole := b.Elapsed()
	b.ReportMetric(float64(traces), "traces")
	b.ReportMetric(float64(hits), "hits")
	b.ReportMetric(100*max(0, float64(whole-deciding))/float64(whole), "%assembly")
	b.ReportMetric(float64(source.Spans())*float64(b.N)/whole.Seconds()/1e6, "Mspans/s")
}
