package querier_test

import (
	"fmt"
	"net/url"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

const (
	dashboardBlocks = 49 // of half an hour each
	dashboardSpans  = 10_000
	halfHour        = 1800
)

// dashboardWorld has blocks of 10,000 spans, one for every half hour of a day
// and one more.
func dashboardWorld(b *testing.B, cacheBytes flagext.Bytes) *world {
	b.Helper()
	w := newWorldWith(b, nil, querier.Config{
		Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 8,
		CacheBytes: 128 << 20, PageCacheBytes: 64 << 20, ResultCacheBytes: cacheBytes,
	})
	decoder := otlp.NewDecoder()
	var spans []schema.Span
	block := uint64(0)
	for request := range corpus.Workload(1, dashboardBlocks*benchmarkSize(dashboardSpans), corpus.MixBoth) {
		var err error
		spans, err = decoder.Decode(request, block+1, spans)
		require.NoError(b, err)
		if len(spans) < benchmarkSize(dashboardSpans) {
			continue
		}
		late := corpus.WorkloadStart + block*halfHour*1e9 - spans[0].StartNanos
		for i := range spans {
			spans[i].StartNanos += late
			spans[i].EndNanos += late
		}
		w.storeRows(spans)
		spans = nil
		block++
	}
	return w
}

// cpuTime is what this process has used, which other processes do not change.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkDashboard asks for a day in steps of six minutes, again and again, of
// a range that moves on by a step each time.
func BenchmarkDashboard(b *testing.B) {
	for _, cache := range []flagext.Bytes{0, 64 << 20} {
		w := dashboardWorld(b, cache)
		for _, q := range [][2]string{
			{"rate", "{ } | rate()"},
			{"rate-by", "{ } | rate() by (resource.service.name)"},
			{"errors-by", "{ status = error } | rate() by (resource.service.name)"},
			{"quantile-by", "{ kind = server } | quantile_over_time(duration, .5, .95) by (resource.service.name)"},
		} {
			b.Run(fmt.Sprintf("%s/cache=%t", q[0], cache > 0), func(b *testing.B) {
				const step = 360
				b.ReportAllocs()
				before, asked := cpuTime(b), 0
				for ; b.Loop(); asked++ {
					i := asked
					start := corpus.WorkloadStart/1e9 + i%5*step
					params := url.Values{
						"start": {strconv.Itoa(start)}, "end": {strconv.Itoa(start + 24*3600)}, "step": {"360"}, "q": {q[1]},
					}
					a := w.get("/api/metrics/query_range?" + params.Encode())
					require.Equal(b, 200, a.status, a.body)
				}
				b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(asked), "cpu-ms/op")
			})
		}
	}
}
