package querier

import (
	"bytes"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

const benchSpans = 256 << 10

// workloadSource is one block of the corpus's mix, as queries see it.
func workloadSource(b *testing.B, cacheBytes int64) *blockSource {
	b.Helper()
	decoder := otlp.NewDecoder()
	var spans []schema.Span
	position := uint64(0)
	for request := range corpus.Workload(1, benchSpans, corpus.MixBoth) {
		position++
		var err error
		spans, err = decoder.Decode(request, position, spans)
		require.NoError(b, err)
	}
	o, err := block.Encode(schema.DefaultProject, block.Sorted(spans))
	require.NoError(b, err)
	name := schema.BlockName{
		Project: schema.DefaultProject, Partitions: 1, Epoch: 1, First: 1, Last: position,
		MinStart: o.MinStart, MaxEnd: o.MaxEnd, Spans: uint64(o.Spans), TailBytes: uint64(o.TailBytes),
	}
	bucket := mem.New()
	require.NoError(b, bucket.Put(b.Context(), name.Key(), bytes.NewReader(o.Data), objstore.PutOptions{}))
	pages := block.NewCache(cacheBytes)
	cache := newBlockCache(bucket, 1<<30, pages, newMetrics(prometheus.NewRegistry(), pages))
	return &blockSource{cache: cache, name: name}
}

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
		source := workloadSource(b, cached.bytes)
		for _, bench := range queries {
			b.Run(cached.name+"/"+bench.name, func(b *testing.B) {
				benchmarkSearch(b, source, bench.query)
			})
		}
	}
}

func benchmarkSearch(b *testing.B, source *blockSource, text string) {
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
