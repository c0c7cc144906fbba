package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
)

// benchmarkQueries are the common shapes of predicates.
var benchmarkQueries = []struct{ name, query string }{
	{"all", `{ }`},
	{"name", `{ name = "GET redis" }`},
	{"name-prefix", `{ name =~ "GET .*" }`},
	{"name-contains", `{ name =~ ".*api.*" }`},
	{"name-set", `{ name =~ "GET redis|task|fan-out|retrieve" }`},
	{"name-regex", `{ name =~ "(GET|POST) /api/[a-z]+" }`},
	{"name-chain", `{ name = "GET redis" || name = "task" || name = "fan-out" || name = "retrieve" }`},
	{"status", `{ status = error }`},
	{"duration", `{ duration > 100ms }`},
	{"trace-id", `{ trace:id = "a0d80d23aa9a9efb271eb9d7ff935c33" }`},
	{"resource", `{ resource.service.name = "gateway" }`},
	{"resource-regex", `{ resource.service.name =~ "check.*" }`},
	{"span-string", `{ span.http.request.method = "POST" }`},
	{"span-int", `{ span.http.response.status_code >= 500 }`},
	{"span-prefix", `{ span.http.route =~ "/api/.*" }`},
	{"span-regex", `{ span.http.route =~ "/api/[cp].*" }`},
	{"span-set", `{ span.http.route =~ "/api/cart|/api/search|/health" }`},
	{"span-excluded", `{ span.http.route != "/api/cart" && span.http.route != "/api/search" && span.http.route != "/health" }`},
	{"duration-interval", `{ duration >= 10ms && duration < 12ms }`},
	{"span-absent", `{ span.absent = nil }`},
	{"unscoped", `{ .k8s.pod.name = "cart-0" }`},
	{"event", `{ event.exception.type = "TimeoutError" }`},
	{"arithmetic", `{ span.gen_ai.usage.input_tokens + span.gen_ai.usage.output_tokens > 1000 }`},
	{"mixed", `{ resource.service.name = "cart" && (status = error || duration > 1s) && span.cart.items > 4 }`},
}

func BenchmarkMatch(b *testing.B) {
	spans := dataset(b)
	for _, bm := range benchmarkQueries {
		b.Run(bm.name, func(b *testing.B) {
			plan := compile(b, bm.query)
			b.ReportAllocs()
			matched, i := 0, 0
			for b.Loop() {
				if plan.Match(&spans[i]) {
					matched++
				}
				if i++; i == len(spans) {
					i = 0
				}
			}
			b.ReportMetric(float64(matched)/float64(b.N), "matched/op")
		})
	}
}

// BenchmarkSearch searches rows in memory, as live segments are.
func BenchmarkSearch(b *testing.B) {
	spans := dataset(b)
	partitions := cuttings()[1].cut(spans)
	for i, source := range partitions[0] {
		m, ok := source.(memory)
		require.True(b, ok)
		partitions[0][i] = m.Memory
	}
	for _, bm := range benchmarkQueries {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				plan := compile(b, bm.query) // what it remembers is of one query
				_, err := engine.Search(b.Context(), plan, partitions, engine.SearchOptions{})
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.N)*float64(len(spans))/b.Elapsed().Seconds(), "spans/s")
		})
	}
}

// BenchmarkStages runs stages on a trace of 5,000 spans.
func BenchmarkStages(b *testing.B) {
	nodes := make([]node, 5000)
	for i := range nodes {
		nodes[i] = node{name: "a", change: with("n", integer(int64(i%40)))}
	}
	spans := traceOf(1, nodes...)
	for i := range spans {
		spans[i].SpanID = schema.SpanID{1, byte(i >> 8), byte(i)}
		if i > 0 {
			spans[i].ParentSpanID = schema.SpanID{1, byte((i / 3) >> 8), byte(i / 3)}
		}
	}
	for _, bm := range []struct{ name, query string }{
		{"filter", `{ span.n > 20 }`},
		{"child", `{ span.n = 1 } > { span.n > 20 }`},
		{"descendant", `{ span.n = 1 } >> { span.n > 20 }`},
		{"ancestor", `{ span.n > 20 } << { }`},
		{"sibling", `{ span.n > 20 } ~ { span.n > 20 }`},
		{"not-descendant", `{ span.n = 1 } !>> { }`},
		{"union-descendant", `{ span.n = 1 } &>> { span.n > 20 }`},
		{"nested-set", `{ nestedSetLeft > 50 }`},
		{"sum", `{ } | sum(span.n) > 0`},
		{"by", `{ } | by(span.n) | count() > 1`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			plan := compile(b, bm.query)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, engine.RunOn(b.Context(), plan, spans))
			}
		})
	}
}

var _ engine.Source = memory{}
