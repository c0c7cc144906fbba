package querier_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// BenchmarkFairness asks for one project while another one's clients ask for as
// much as they can, and reports by how much the median time grows.
func BenchmarkFairness(b *testing.B) {
	w := newWorldWith(b, nil, querier.Config{
		Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 8, CacheBytes: 128 << 20, PageCacheBytes: 256 << 20,
	})
	w.storeWorkload("heavy", 1, benchmarkSize(400_000), benchmarkSize(50_000))
	w.storeWorkload("light", 2, benchmarkSize(100_000), benchmarkSize(50_000))
	const clients = 4
	light := [][2]string{
		{"/api/search", `{ resource.service.name = "gateway" && status = error }`},
		{"/api/metrics/query_range", `{ status = error } | rate() by (resource.service.name)`},
		{"/api/search", `{ } >> { status = error } | count() > 10`},
	}
	for _, load := range [][2]string{
		{"/api/search", `{ } >> { status = error } | count() > 1000`},
		{"/api/metrics/query_range", `{ } | rate() by (name)`},
		{"/api/metrics/query_range", `{ kind = server } | compare({ status = error })`},
	} {
		for _, own := range light {
			b.Run(own[1]+" | beside "+load[1], func(b *testing.B) {
				processors := runtime.GOMAXPROCS(0)
				defer runtime.GOMAXPROCS(processors)
				runtime.GOMAXPROCS(processors + 1) // as the program does
				alone := w.median(b, "light", own)
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				var others sync.WaitGroup
				for range clients {
					others.Go(func() {
						for ctx.Err() == nil {
							req := httptest.NewRequestWithContext(ctx, http.MethodGet, workloadPath(load), nil)
							req.Header.Set("X-Scope-OrgID", "heavy")
							w.server.Config.Handler.ServeHTTP(unread{httptest.NewRecorder()}, req)
						}
					})
				}
				beside := w.median(b, "light", own)
				cancel()
				others.Wait()
				b.ReportMetric(float64(alone.Microseconds())/1000, "ms-alone")
				b.ReportMetric(float64(beside.Microseconds())/1000, "ms-beside")
				b.ReportMetric(float64(beside)/float64(alone), "ratio")
			})
		}
	}
}

// unread is an answer that nobody reads.
type unread struct{ *httptest.ResponseRecorder }

func (unread) Write(b []byte) (int, error) { return len(b), nil }

// median is how long the middle one of some requests takes.
func (w *world) median(b *testing.B, project string, query [2]string) time.Duration {
	b.Helper()
	var took []time.Duration
	for range 25 {
		begun := time.Now()
		a := w.get(workloadPath(query), "X-Scope-OrgID", project, "Accept-Encoding", "identity")
		took = append(took, time.Since(begun))
		require.Equal(b, 200, a.status, a.body)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

func workloadPath(query [2]string) string {
	return query[0] + "?" + url.Values{
		"start": {strconv.Itoa(corpus.WorkloadStart / 1e9)}, "end": {strconv.Itoa(corpus.WorkloadStart/1e9 + 7200)}, "q": {query[1]},
	}.Encode()
}

// storeWorkload writes blocks of a workload.
func (w *world) storeWorkload(project schema.ProjectID, seed uint64, spans, perBlock int) {
	w.t.Helper()
	decoder := otlp.NewDecoder()
	var rows []schema.Span
	position := uint64(0)
	for request := range corpus.Workload(seed, spans, corpus.MixBoth) {
		var err error
		position++
		rows, err = decoder.Decode(request, position, rows)
		require.NoError(w.t, err)
		if len(rows) >= perBlock {
			w.storeIn(project, rows)
			rows = nil
		}
	}
	if len(rows) > 0 {
		w.storeIn(project, rows)
	}
}
