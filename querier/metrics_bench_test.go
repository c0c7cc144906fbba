package querier_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

const benchmarkMetricsSpans = 300_000

// metricsWorld serves the corpus's mix from blocks. The rows of some traces are
// in several.
func metricsWorld(b *testing.B, blocks int) *world {
	b.Helper()
	w := newWorldWith(b, nil, querier.Config{
		Timeout: time.Minute, Concurrency: 8, CacheBytes: 128 << 20, PageCacheBytes: 64 << 20,
	})
	decoder, parts := otlp.NewDecoder(), make([][]schema.Span, blocks)
	position, count := uint64(0), 0
	for request := range corpus.Workload(1, benchmarkMetricsSpans, corpus.MixBoth) {
		position++
		part := min(count*blocks/benchmarkMetricsSpans, blocks-1)
		before := len(parts[part])
		var err error
		parts[part], err = decoder.Decode(request, position, parts[part])
		require.NoError(b, err)
		count += len(parts[part]) - before
	}
	for _, rows := range parts {
		slices.SortStableFunc(rows, func(x, y schema.Span) int { return schema.Compare(&x, &y) })
		w.storeRows(rows)
	}
	return w
}

// BenchmarkMetrics asks what dashboards ask, of blocks that are in the cache.
func BenchmarkMetrics(b *testing.B) {
	for _, blocks := range []int{1, 4} {
		w := metricsWorld(b, blocks)
		for _, bm := range []struct{ name, query string }{
			{"rate", "{ } | rate()"},
			{"rate-by", "{ } | rate() by (resource.service.name)"},
			{"rate-errors-by", "{ status = error } | rate() by (resource.service.name)"},
			{"quantile-by", "{ kind = server } | quantile_over_time(duration, .5, .95) by (resource.service.name)"},
			{"histogram", "{ } | histogram_over_time(duration)"},
			{"sum", `{ span.gen_ai.operation.name = "chat" } | sum_over_time(span.gen_ai.usage.input_tokens) by (span.gen_ai.request.model)`},
			{"compare", "{ kind = server } | compare({ status = error })"},
		} {
			b.Run(fmt.Sprintf("%s/blocks=%d", bm.name, blocks), func(b *testing.B) {
				values := url.Values{"q": {bm.query}, "start": {"1768471200"}, "end": {"1768478400"}}
				b.ReportAllocs()
				for b.Loop() {
					a := w.get("/api/metrics/query_range?" + values.Encode())
					require.Equal(b, 200, a.status, a.body)
				}
			})
		}
	}
}
