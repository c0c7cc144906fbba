package querier_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// benchmarkSpans is the size of the workload that searches are measured on.
const benchmarkSpans = 200_000

// benchmarkWorld stores a workload in two blocks. It returns the services that
// most often call each other.
func benchmarkWorld(b *testing.B) (w *world, caller, called string) {
	b.Helper()
	w = newWorldWith(b, nil, querier.Config{
		Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 4, CacheBytes: 64 << 20, PageCacheBytes: 64 << 20,
	})
	decoder := otlp.NewDecoder()
	var spans []schema.Span
	calls := make(map[[2]string]int)
	store := func() {
		services := make(map[schema.SpanID]string, len(spans))
		for i := range spans {
			services[spans[i].SpanID] = spans[i].Resource.ServiceName
		}
		for i := range spans {
			pair := [2]string{services[spans[i].ParentSpanID], spans[i].Resource.ServiceName}
			if calls[pair]++; pair[0] != "" && pair[0] != pair[1] && calls[pair] > calls[[2]string{caller, called}] {
				caller, called = pair[0], pair[1]
			}
		}
		slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		w.storeRows(spans)
		spans = spans[:0]
	}
	position := uint64(0)
	for request := range corpus.Workload(1, benchmarkSpans, corpus.MixBoth) {
		var err error
		position++
		spans, err = decoder.Decode(request, position, spans)
		require.NoError(b, err)
		if len(spans) >= benchmarkSpans/2 {
			store()
		}
	}
	if len(spans) > 0 {
		store()
	}
	return w, caller, called
}

// BenchmarkPipelines asks over HTTP, with everything in memory that is kept
// there.
func BenchmarkPipelines(b *testing.B) {
	w, caller, called := benchmarkWorld(b)
	from, to := fmt.Sprintf("{ resource.service.name = %q }", caller), fmt.Sprintf("{ resource.service.name = %q }", called)
	for _, bm := range []struct{ name, query string }{
		{"common", from},
		{"child", from + " > " + to},
		{"descendant", from + " >> " + to},
		{"not-child", from + " !> " + to},
		{"ancestor-none", from + " << { kind = consumer && status = error }"},
		{"sibling", from + " ~ " + to},
		{"union-child", from + " &> " + to},
		{"and", from + " && { status = error }"},
		{"count", `{ kind = server } | count() > 12`},
		{"avg", `{ span.gen_ai.operation.name = "chat" } | avg(duration) > 5s`},
		{"sum", `{ } | sum(span.gen_ai.usage.input_tokens) > 20000`},
		{"by", `{ status = error } | by(resource.service.name) | count() > 1`},
		{"select", `{ status = error } | select(span.http.route, span.rpc.method, resource.k8s.pod.name)`},
		{"root", `{ nestedSetParent < 0 && duration > 1s }`},
		{"root-name", `{ rootServiceName = "gateway" && status = error }`},
		{"trace-duration", `{ traceDuration > 10s }`},
		{"order", `{ status = error } with(order_by="duration desc")`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			params := url.Values{
				"q": {bm.query}, "start": {strconv.Itoa(corpus.DatasetStart)}, "end": {strconv.Itoa(corpus.DatasetStart + 86400)},
			}
			path := (&url.URL{Path: "/api/search", RawQuery: params.Encode()}).String()
			b.ReportAllocs()
			for b.Loop() {
				a := w.get(path)
				require.Equal(b, 200, a.status, a.body)
			}
		})
	}
}
