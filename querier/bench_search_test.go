package querier

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

const benchSpans = 256 << 10 // SPANLAKE_BENCH_SPANS, of a search

// BenchmarkSearch searches a block whose tail was read, with and without a cache
// of its pages, and puts the answer together: the twenty newest traces with their
// roots, services and three spans. What is left when the filter is decided and
// the hits are listed is the assembly's share; the rest is the share of the speed
// of a bare scan that the search keeps.
func BenchmarkSearch(b *testing.B) {
	queries := []struct{ name, query string }{
		{"status-code", `{ span.http.response.status_code = 500 }`},
		{"service-and-duration", `{ resource.service.name = "gateway" && duration > 3s }`},
		{"model", `{ span.gen_ai.request.model = "gpt-4o" }`},
		{"absent-value", `{ span.gen_ai.request.model = "no such model" }`},
		{"duration", `{ duration > 3s }`},
		{"url", `{ span.url.full =~ ".*&session=77.*" }`},
	}
	count := benchSpans
	if n, err := strconv.Atoi(os.Getenv("SPANLAKE_BENCH_SPANS")); err == nil {
		count = n
	}
	for _, cached := range []struct {
		name  string
		bytes int64
	}{{"pages=cached", 256 << 20}, {"pages=fetched", 0}} {
		source := storeBlocks(b, cached.bytes, workloadSpans(b, 1, count))[0]
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
	b.ReportMetric(100*min(1, float64(deciding)/float64(whole)), "%scan")
	b.ReportMetric(float64(source.Spans())*float64(b.N)/whole.Seconds()/1e6, "Mspans/s")
}

// BenchmarkStructure searches a block by how spans are related, and tells of how
// many traces rows were read, of how many that have a span for each side, and of
// how many in all.
func BenchmarkStructure(b *testing.B) {
	source := storeBlocks(b, 256<<20, workloadSpans(b, 1, benchSpans))[0]
	for _, op := range []string{">", ">>", "<", "~", "&>>"} {
		for _, sides := range []struct{ name, left, right string }{
			{"common", `{ kind = server }`, `{ status = error }`},
			{"rare", `{ resource.service.name = "gateway" && status = error }`, `{ duration > 3s }`},
			{"none", `{ kind = consumer && duration > 3s }`, `{ status = error }`},
		} {
			b.Run("op="+op+"/sides="+sides.name, func(b *testing.B) {
				query, err := traceql.Parse(sides.left + " " + op + " " + sides.right)
				require.NoError(b, err)
				plan, err := engine.Compile(query)
				require.NoError(b, err)
				var result *engine.SearchResult
				b.ReportAllocs()
				for b.Loop() {
					result, err = engine.Search(b.Context(), plan, [][]engine.Source{{source}}, engine.SearchOptions{Limit: 1 << 20})
					require.NoError(b, err)
				}
				b.ReportMetric(float64(len(result.Traces)), "found")
				b.ReportMetric(float64(result.InspectedTraces), "read")
				b.ReportMetric(float64(inBoth(b, source, sides.left, sides.right)), "can-match")
				b.ReportMetric(float64(len(hitsOf(b, source, "{ }"))), "traces")
			})
		}
	}
}

// inBoth is the number of traces that two filters each find a span in.
func inBoth(b *testing.B, source engine.Source, left, right string) (n int) {
	b.Helper()
	others := hitsOf(b, source, right)
	for id := range hitsOf(b, source, left) {
		if _, ok := others[id]; ok {
			n++
		}
	}
	return n
}

func hitsOf(b *testing.B, source engine.Source, text string) map[schema.TraceID]struct{} {
	b.Helper()
	query, err := traceql.Parse(text)
	require.NoError(b, err)
	plan, err := engine.Compile(query)
	require.NoError(b, err)
	filter, sure := plan.Filter()
	require.True(b, sure)
	ids := make(map[schema.TraceID]struct{})
	for hits, err := range source.Find(b.Context(), filter) {
		require.NoError(b, err)
		for i := range hits {
			ids[hits[i].ID] = struct{}{}
		}
	}
	return ids
}
