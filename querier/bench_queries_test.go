package querier_test

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// What the benchmarks store, unless these variables say otherwise.
const (
	benchmarkSpans = 250_000 // SPANLAKE_BENCH_SPANS
	benchmarkBlock = 250_000 // SPANLAKE_BENCH_BLOCK, spans of a block
	benchmarkTwice = 0       // SPANLAKE_BENCH_TWICE, requests in a thousand that come again, in the next block
)

// benchmarkSize is a number of spans, or with -short, with which benchmarks are only
// seen to work, a part of it.
func benchmarkSize(spans int) int {
	if testing.Short() {
		return spans / 25
	}
	return spans
}

// benchmarkNumber is a number that a variable may change.
func benchmarkNumber(b *testing.B, name string, number int) int {
	b.Helper()
	if text := os.Getenv(name); text != "" {
		var err error
		number, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	return number
}

// benchmarkWorld serves the corpus's mix from blocks. A few traces are in two of
// them. It returns the services that most often call each other.
func benchmarkWorld(b *testing.B) (w *world, caller, called string) {
	b.Helper()
	count := benchmarkNumber(b, "SPANLAKE_BENCH_SPANS", benchmarkSize(benchmarkSpans))
	size := benchmarkNumber(b, "SPANLAKE_BENCH_BLOCK", benchmarkSize(benchmarkBlock))
	twice := benchmarkNumber(b, "SPANLAKE_BENCH_TWICE", benchmarkTwice)
	w = newWorldWith(b, nil, querier.Config{
		Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 8, CacheBytes: 128 << 20, PageCacheBytes: 256 << 20,
	})
	decoder := otlp.NewDecoder()
	calls := make(map[[2]string]int)
	var spans, again []schema.Span
	position := uint64(0)
	for request := range corpus.Workload(1, count, corpus.MixBoth) {
		position++
		before := len(spans)
		var err error
		spans, err = decoder.Decode(request, position, spans)
		require.NoError(b, err)
		if position%1000 < uint64(twice) { //nolint:gosec // small
			again = append(again, spans[before:]...)
		}
		if len(spans) >= size {
			countCalls(calls, spans)
			w.storeRows(spans)
			spans, again = again, nil
		}
	}
	if len(spans) > 0 {
		countCalls(calls, spans)
		w.storeRows(spans)
	}
	for pair, n := range calls {
		if n > calls[[2]string{caller, called}] {
			caller, called = pair[0], pair[1]
		}
	}
	return w, caller, called
}

// countCalls adds the pairs of services of which one is the parent of the other.
func countCalls(calls map[[2]string]int, spans []schema.Span) {
	services := make(map[schema.SpanID]string, len(spans))
	for i := range spans {
		services[spans[i].SpanID] = spans[i].Resource.ServiceName
	}
	for i := range spans {
		pair := [2]string{services[spans[i].ParentSpanID], spans[i].Resource.ServiceName}
		if pair[0] != "" && pair[0] != pair[1] {
			calls[pair]++
		}
	}
}

// BenchmarkQueries asks over HTTP, with everything in memory that is kept there.
func BenchmarkQueries(b *testing.B) {
	w, caller, called := benchmarkWorld(b)
	from, to := fmt.Sprintf("{ resource.service.name = %q }", caller), fmt.Sprintf("{ resource.service.name = %q }", called)
	for _, group := range []struct {
		path    string // up to the parameters
		queries [][2]string
	}{
		{"/api/search?", [][2]string{
			{"eq-common", from},
			{"eq-int", `{ span.http.response.status_code = 503 }`},
			{"eq-none", `{ span.gen_ai.request.model = "no such model" }`},
			{"regex", `{ span.url.full =~ ".*&session=77.*" }`},
			{"duration", `{ duration > 3s }`},
			{"llm-slow", `{ span.gen_ai.request.model = "gpt-4o" && duration > 3s }`},
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
		}},
		{"/api/search?limit=100000&", [][2]string{{"every", `{ kind = server && status = error }`}}},
		{"/api/metrics/query_range?", [][2]string{
			{"rate", "{ } | rate()"},
			{"rate-by", "{ } | rate() by (resource.service.name)"},
			{"rate-errors-by", "{ status = error } | rate() by (resource.service.name)"},
			{"quantile-by", "{ kind = server } | quantile_over_time(duration, .5, .95) by (resource.service.name)"},
			{"histogram", "{ } | histogram_over_time(duration)"},
			{"sum-over-time", `{ span.gen_ai.operation.name = "chat" } | sum_over_time(span.gen_ai.usage.input_tokens) by (span.gen_ai.request.model)`},
			{"compare", "{ kind = server } | compare({ status = error })"},
		}},
		{"/api/v2/search/tags?", [][2]string{{"names", ""}, {"names-filter", "{ status = error }"}}},
		{"/api/v2/search/tag/resource.service.name/values?", [][2]string{{"values", ""}}},
		{"/api/v2/search/tag/span.gen_ai.request.model/values?", [][2]string{{"values-filter", "{ status = error }"}}},
	} {
		for _, q := range group.queries {
			b.Run(q[0], func(b *testing.B) {
				params := url.Values{
					"start": {strconv.Itoa(corpus.WorkloadStart / 1e9)}, "end": {strconv.Itoa(corpus.WorkloadStart/1e9 + 7200)}, "q": {q[1]},
				}
				b.ReportAllocs()
				for b.Loop() {
					a := w.get(group.path + params.Encode())
					require.Equal(b, 200, a.status, a.body)
				}
			})
		}
	}
}
