package querier

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

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

// workloadSpans are rows of the corpus's mix, in the order of arrival.
func workloadSpans(tb testing.TB, seed uint64, count int) []schema.Span {
	tb.Helper()
	decoder := otlp.NewDecoder()
	var spans []schema.Span
	position := uint64(0)
	for request := range corpus.Workload(seed, count, corpus.MixBoth) {
		position++
		var err error
		spans, err = decoder.Decode(request, position, spans)
		require.NoError(tb, err)
	}
	return spans
}

// storeBlocks makes a block of each part, as queries see it.
func storeBlocks(tb testing.TB, cacheBytes int64, parts ...[]schema.Span) []engine.Source {
	tb.Helper()
	bucket, pages := mem.New(), block.NewCache(cacheBytes)
	cache := block.NewReaders(bucket, 1<<30, pages)
	sources := make([]engine.Source, len(parts))
	for i, part := range parts {
		o, err := block.Encode(schema.DefaultProject, part)
		require.NoError(tb, err)
		position := uint64(i + 1)
		name := schema.BlockName{
			Project: schema.DefaultProject, Partitions: 1, Epoch: 1, First: position, Last: position,
			MinStart: o.MinStart, MaxEnd: o.MaxEnd, Spans: uint64(o.Spans), TailBytes: uint64(o.TailBytes), //nolint:gosec // sizes
		}
		require.NoError(tb, bucket.Put(tb.Context(), name.Key(), bytes.NewReader(o.Data), objstore.PutOptions{}))
		sources[i] = &blockSource{cache: cache, name: name}
	}
	return sources
}

// inMemory is one source of all the rows.
func inMemory(spans []schema.Span) [][]engine.Source {
	index := make(map[schema.TraceID][]int32)
	for i := range spans {
		index[spans[i].TraceID] = append(index[spans[i].TraceID], int32(i)) //nolint:gosec // few
	}
	return [][]engine.Source{{engine.NewMemory([][]schema.Span{spans}, func(id schema.TraceID) []int32 { return index[id] })}}
}

// cutAtRandom spreads rows in runs, as batches do, some rows more than once.
func cutAtRandom(rng *rand.Rand, spans []schema.Span) [][]schema.Span {
	parts := make([][]schema.Span, 1+rng.IntN(4))
	for i := range spans {
		p := i * len(parts) / len(spans)
		parts[p] = append(parts[p], spans[i])
		if rng.IntN(500) == 0 {
			again := rng.IntN(len(parts))
			parts[again] = append(parts[again], spans[i])
		}
	}
	return parts
}

// TestBlocksAnswerAsMemoryDoes: what blocks say without reading rows, in
// summaries and lists, is what the rows say.
func TestBlocksAnswerAsMemoryDoes(t *testing.T) {
	queries := []string{
		`{ }`, `{ resource.service.name = "gateway" }`, `{ span.http.response.status_code >= 500 }`,
		`{ resource.service.name = "gateway" && duration > 100ms }`, `{ span.gen_ai.request.model = "gpt-4o" }`,
		`{ span.gen_ai.request.model = "no such model" }`, `{ span.url.full =~ ".*session=7.*" }`, `{ status = error && kind = server }`,
		`{ name =~ "GET .*" && span:parentID != "" }`, `{ event.exception.type != nil }`, `{ instrumentation:name != "x" && status != ok }`,
		`{ span.gen_ai.usage.input_tokens > span.gen_ai.usage.output_tokens }`, `{ trace:duration > 1s }`, `{ .k8s.pod.name != nil }`,
	}
	fields := []string{
		"resource.service.name", "span.gen_ai.request.model", "span.http.response.status_code", ".k8s.pod.name", "name",
		"span.url.full", "event.exception.type", "instrumentation:name", "statusMessage", "span.no.such.key", "rootName",
	}
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable
		spans := workloadSpans(t, seed, 12_000)
		parts := cutAtRandom(rng, spans)
		blocks := [][]engine.Source{storeBlocks(t, []int64{0, 100 << 10, 64 << 20}[seed], parts...)}
		memory := inMemory(slices.Concat(parts...))
		first, last := uint64(corpus.WorkloadStart), uint64(0)
		for i := range spans {
			last = max(last, spans[i].EndNanos)
		}
		ranges := []timeRange{{}, {first, last + 1}, {first + (last-first)/3, first + (last-first)/2}}
		for i, text := range queries {
			within := ranges[i%len(ranges)]
			name := fmt.Sprintf("seed %d: %s in %v", seed, text, within)
			for _, limit := range []int{2, 20, 5000} {
				opts := engine.SearchOptions{StartNanos: within.start, EndNanos: within.end, Limit: limit, Concurrency: 2}
				want, err := engine.Search(t.Context(), planOf(t, text), memory, opts)
				require.NoError(t, err)
				have, err := engine.Search(t.Context(), planOf(t, text), blocks, opts)
				require.NoError(t, err)
				require.Equal(t, want.Traces, have.Traces, name)
			}
		}
		for i, within := range ranges {
			opts := engine.TagOptions{StartNanos: within.start, EndNanos: within.end}
			for _, text := range []string{`{ }`, queries[1+i]} {
				requireLists(t, planOf(t, text), memory, blocks, fields, opts)
			}
		}
	}
}

func requireLists(t *testing.T, plan *engine.Plan, memory, blocks [][]engine.Source, fields []string, opts engine.TagOptions) {
	t.Helper()
	scopes, err := scopesOf("")
	require.NoError(t, err)
	wantNames, err := engine.CollectNames(t.Context(), plan, memory, scopes, opts)
	require.NoError(t, err)
	haveNames, err := engine.CollectNames(t.Context(), plan, blocks, scopes, opts)
	require.NoError(t, err)
	require.Equal(t, wantNames.ByScope, haveNames.ByScope)
	for _, text := range fields {
		field, err := traceql.ParseField(text)
		require.NoError(t, err)
		want, err := engine.CollectValues(t.Context(), plan, memory, []traceql.FieldExpr{field}, opts)
		require.NoError(t, err)
		have, err := engine.CollectValues(t.Context(), plan, blocks, []traceql.FieldExpr{field}, opts)
		require.NoError(t, err)
		require.Equal(t, want.Values, have.Values, text)
	}
}

func planOf(t *testing.T, text string) *engine.Plan {
	t.Helper()
	query, err := traceql.Parse(text)
	require.NoError(t, err)
	plan, err := engine.Compile(query)
	require.NoError(t, err)
	return plan
}
