package querier_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/objstore"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

const benchSpans = 300_000

// benchHandler serves the corpus's mix from blocks. Requests of two parts of
// the log go to different ones, so that some traces are in two.
func benchHandler(b *testing.B, blocks int) http.Handler {
	b.Helper()
	decoder, parts := otlp.NewDecoder(), make([][]schema.Span, blocks)
	position, count := uint64(0), 0
	for request := range corpus.Workload(1, benchSpans, corpus.MixBoth) {
		position++
		part := min(count*blocks/benchSpans, blocks-1)
		before := len(parts[part])
		var err error
		parts[part], err = decoder.Decode(request, position, parts[part])
		require.NoError(b, err)
		count += len(parts[part]) - before
	}
	log, bucket := logmem.New(logmem.Options{}), bucketmem.New()
	b.Cleanup(log.Close)
	_, err := log.Stream(0).Publish(b.Context(), wal.CutMarker(), "")
	require.NoError(b, err)
	for _, rows := range parts {
		slices.SortStableFunc(rows, func(x, y schema.Span) int { return schema.Compare(&x, &y) })
		object, err := block.Encode(schema.DefaultProject, rows)
		require.NoError(b, err)
		position, err := log.Stream(0).Publish(b.Context(), wal.CutMarker(), "")
		require.NoError(b, err)
		name := schema.BlockName{
			Project: schema.DefaultProject, Partitions: 1, Epoch: log.Stream(0).Epoch(), First: position, Last: position,
			LogNanos: uint64(time.Now().UnixNano()), MinStart: object.MinStart, MaxEnd: object.MaxEnd,
			Spans: uint64(object.Spans), TailBytes: uint64(object.TailBytes),
		}
		require.NoError(b, bucket.Put(b.Context(), name.Key(), bytes.NewReader(object.Data), objstore.PutOptions{}))
		require.NoError(b, log.Stream(0).Purge(b.Context(), position))
	}
	logger, reg := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	cfg := querier.Config{
		Timeout: time.Minute, Concurrency: 8, CacheBytes: 128 << 20, PageCacheBytes: 64 << 20,
		MaxMetricsSteps: 10_000, MaxMetricsSeries: 1000, MaxMetricsGroups: 100_000, MaxMetricsBytes: 256 << 20,
	}
	return querier.New(cfg, catalog.New(bucket, log, logger, reg), stored{log}, bucket, 1, querier.BuildInfo{}, logger, reg).Handler()
}

// BenchmarkMetrics asks what dashboards ask, of blocks that are in the cache.
func BenchmarkMetrics(b *testing.B) {
	for _, blocks := range []int{1, 4} {
		handler := benchHandler(b, blocks)
		for _, bm := range []struct{ name, query string }{
			{"rate", "{ } | rate()"},
			{"rate-by", "{ } | rate() by (resource.service.name)"},
			{"rate-errors-by", "{ status = error } | rate() by (resource.service.name)"},
			{"quantile-by", "{ kind = server } | quantile_over_time(duration, .5, .95) by (resource.service.name)"},
			{"histogram", "{ } | histogram_over_time(duration)"},
			{"sum", `{ span.gen_ai.operation.name = "chat" } | sum_over_time(span.gen_ai.usage.input_tokens) by (span.gen_ai.request.model)`},
			{"compare", "{ kind = server } | compare({ status = error })"},
		} {
			b.Run(bm.name+"/blocks="+string(rune('0'+blocks)), func(b *testing.B) {
				values := url.Values{"q": {bm.query}, "start": {"1768471200"}, "end": {"1768478400"}}
				target := "/api/metrics/query_range?" + values.Encode()
				b.ReportAllocs()
				for b.Loop() {
					recorder := httptest.NewRecorder()
					handler.ServeHTTP(recorder, httptest.NewRequestWithContext(b.Context(), http.MethodGet, target, nil))
					require.Equal(b, http.StatusOK, recorder.Code, recorder.Body.String())
				}
			})
		}
	}
}
