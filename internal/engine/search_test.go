package engine_test

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// span makes a row of service "svc". The trace is one byte of the id.
func span(trace, id byte, name string, start, end uint64, change ...func(*schema.Span)) schema.Span {
	s := schema.Span{
		TraceID: schema.TraceID{15: trace}, SpanID: schema.SpanID{7: id},
		Name: name, StartNanos: start, EndNanos: end,
		Resource: &schema.Resource{ServiceName: "svc"}, Scope: &schema.Scope{}, Position: 1,
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

// childOfRoot makes span 1 the parent.
func childOfRoot(s *schema.Span) { s.ParentSpanID = schema.SpanID{7: 1} }

func one(spans ...schema.Span) [][]engine.Source { return [][]engine.Source{{newMemory(spans)}} }

func search(
	t testing.TB, query string, partitions [][]engine.Source, opts engine.SearchOptions,
) *engine.SearchResult {
	t.Helper()
	result, err := engine.Search(t.Context(), compile(t, query), partitions, opts)
	require.NoError(t, err)
	return result
}

// traceIDs are the last bytes of the ids in the order of the answer.
func traceIDs(r *engine.SearchResult) []byte {
	var ids []byte
	for _, tr := range r.Traces {
		ids = append(ids, tr.TraceID[15])
	}
	return ids
}

func TestSearchOrderAndLimit(t *testing.T) {
	var spans []schema.Span
	for i := range byte(100) {
		// Two traces each start together; the matching span is never the first.
		start := uint64(i/2) * 1000
		spans = append(spans, span(i, 1, "root", start, start+10), span(i, 2, "leaf", start+5, start+9, childOfRoot))
	}
	for _, concurrency := range []int{1, 2, 7} {
		r := search(t, `{ name = "leaf" }`, one(spans...), engine.SearchOptions{Limit: 5, Concurrency: concurrency})
		require.Equal(t, []byte{98, 99, 96, 97, 94}, traceIDs(r))
		require.Less(t, r.InspectedTraces, uint64(15), "stops when the limit is proven filled")
		require.EqualValues(t, len(spans), r.InspectedSpans)
	}
	r := search(t, `{ name = "leaf" }`, one(spans...), engine.SearchOptions{})
	require.Len(t, r.Traces, 20)
	r = search(t, `{ }`, one(spans...), engine.SearchOptions{Limit: 1000})
	require.Len(t, r.Traces, 100)
}

// A candidate's place is known only when its trace is whole: trace 1 looks
// newest by the span that matches, and is oldest.
func TestSearchUsesTrueStart(t *testing.T) {
	partitions := [][]engine.Source{{
		newMemory([]schema.Span{span(1, 2, "leaf", 9000, 9001, childOfRoot), span(2, 2, "leaf", 5000, 5001)}),
		newMemory([]schema.Span{span(1, 1, "root", 10, 9500), span(3, 2, "leaf", 7000, 7001)}),
	}}
	r := search(t, `{ name = "leaf" }`, partitions, engine.SearchOptions{Limit: 2})
	require.Equal(t, []byte{3, 2}, traceIDs(r))
	r = search(t, `{ name = "leaf" }`, partitions, engine.SearchOptions{Limit: 3})
	require.Equal(t, []byte{3, 2, 1}, traceIDs(r))
	require.EqualValues(t, 10, r.Traces[2].StartNanos)
}

// A trace that lies in one source with rows that say the same is not read
// before its turn, nor if it is out of range.
func TestSearchReadsOnlyTheAnswer(t *testing.T) {
	var spans []schema.Span
	for i := range byte(100) {
		// All have their newest row at the same time.
		spans = append(spans, span(i, 1, "root", 1000+uint64(i), 3000), span(i, 2, "leaf", 2000, 2001, childOfRoot))
	}
	r := search(t, `{ name = "leaf" }`, one(spans...), engine.SearchOptions{Limit: 3})
	require.Equal(t, []byte{99, 98, 97}, traceIDs(r))
	require.EqualValues(t, 3, r.InspectedTraces)
	r = search(t, `{ name = "leaf" }`, one(spans...), engine.SearchOptions{Limit: 3, EndNanos: 1002})
	require.Equal(t, []byte{1, 0}, traceIDs(r))
	require.EqualValues(t, 2, r.InspectedTraces)
}

// Attributes that were computed are found like those that were sent, and win.
func TestSearchDerivedAttributes(t *testing.T) {
	withDerived := span(1, 1, "x", 1, 2, func(s *schema.Span) {
		for _, a := range []schema.Attribute{text("sent", "sent"), text("none", "")} {
			s.Attributes = otlp.AppendKeyValue(s.Attributes, 9, a.Key, a.Value)
		}
		for _, a := range []schema.Attribute{text("sent", "derived"), text("cost", "much")} {
			s.Derived = otlp.AppendKeyValue(s.Derived, 9, a.Key, a.Value)
		}
	})
	for query, want := range map[string]int{
		`{ span.cost = "much" }`: 1, `{ .cost = "much" }`: 1, `{ span.cost != nil }`: 1, `{ span.sent = "sent" }`: 0,
		`{ span.sent = "derived" }`: 1, `{ span.cost + 1 = 2 || span.cost = "much" }`: 1, `{ span.cost = nil }`: 0,
	} {
		r := search(t, query, one(withDerived), engine.SearchOptions{})
		require.Len(t, r.Traces, want, query)
		requireFilter(t, compile(t, query), []schema.Span{withDerived}, query)
	}
	names, err := engine.CollectNames(t.Context(), compile(t, `{ }`), one(withDerived), []traceql.Scope{traceql.ScopeSpan}, engine.TagOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"cost", "none", "sent"}, names.ByScope[traceql.ScopeSpan])
	require.Equal(t, []string{`"much"`}, values(t, `{ }`, `span.cost`, one(withDerived), engine.TagOptions{}))
}

// The row that is folded away starts earlier than the one that stays, which
// must not make trace 1 look older than it is.
func TestSearchBoundSurvivesFolding(t *testing.T) {
	rows := one(span(1, 1, "x", 10, 0), span(1, 1, "x", 50, 60), span(2, 1, "x", 30, 40))
	r := search(t, `{ name = "x" }`, rows, engine.SearchOptions{Limit: 1})
	require.Equal(t, []byte{1}, traceIDs(r))
	require.EqualValues(t, 50, r.Traces[0].StartNanos)
}

func TestSearchTimeRange(t *testing.T) {
	spans := []schema.Span{
		span(1, 1, "match", 100, 200), span(1, 2, "other", 900, 1000, childOfRoot),
		span(2, 1, "match", 2000, 3000),
		span(3, 1, "match", 500, 500),
	}
	tests := []struct {
		name       string
		start, end uint64
		want       []byte
	}{
		{"no range", 0, 0, []byte{2, 3, 1}},
		{"everything", 0, 5000, []byte{2, 3, 1}},
		{"spans outside of the range count", 950, 960, []byte{1}},
		{"extent of the whole trace", 300, 400, []byte{1}},
		{"end is exclusive", 1500, 2000, nil},
		{"end of a trace belongs to it", 1000, 2000, []byte{1}},
		{"start of a trace belongs to it", 1001, 2001, []byte{2}},
		{"no duration", 500, 501, []byte{3, 1}},
		{"open end", 1500, 0, []byte{2}},
		{"after", 4000, 5000, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := search(t, `{ name = "match" }`, one(spans...), engine.SearchOptions{StartNanos: tt.start, EndNanos: tt.end})
			require.Equal(t, tt.want, traceIDs(r))
		})
	}
}

// Rows of one span are folded before the trace is judged.
func TestSearchFolds(t *testing.T) {
	open := span(1, 1, "started", 100, 0)
	done := span(1, 1, "finished", 100, 300)
	leaf := span(1, 2, "leaf", 150, 200, childOfRoot)
	partitions := [][]engine.Source{{newMemory([]schema.Span{open, leaf}), newMemory([]schema.Span{done}), newMemory([]schema.Span{leaf})}}

	require.Empty(t, search(t, `{ name = "started" }`, partitions, engine.SearchOptions{}).Traces)
	r := search(t, `{ name = "finished" }`, partitions, engine.SearchOptions{})
	require.EqualValues(t, 1, r.Traces[0].SpanSets[0].Matched)
	r = search(t, `{ }`, partitions, engine.SearchOptions{})
	require.EqualValues(t, 2, r.Traces[0].SpanSets[0].Matched)
	require.Equal(t, []engine.ServiceStats{{Service: "svc", SpanCount: 2}}, r.Traces[0].ServiceStats)
}

func TestSearchPartitions(t *testing.T) {
	a := newMemory([]schema.Span{span(1, 1, "x", 100, 200)})
	b := newMemory([]schema.Span{span(2, 1, "x", 300, 400)})
	r := search(t, `{ name = "x" }`, [][]engine.Source{{a}, {}, {b}}, engine.SearchOptions{})
	require.Equal(t, []byte{2, 1}, traceIDs(r))
	require.Empty(t, search(t, `{ }`, nil, engine.SearchOptions{}).Traces)
}

func TestLookupOnly(t *testing.T) {
	partitions := [][]engine.Source{{
		newMemory([]schema.Span{span(1, 2, "leaf", 100, 200, childOfRoot)}),
		engine.LookupOnly(newMemory([]schema.Span{span(1, 1, "root", 50, 250), span(2, 1, "leaf", 1, 2)})),
	}}
	r := search(t, `{ name = "leaf" }`, partitions, engine.SearchOptions{})
	require.Equal(t, []byte{1}, traceIDs(r))
	require.Equal(t, "root", r.Traces[0].RootTraceName)
	require.EqualValues(t, 1, r.InspectedSpans)
}

// A trace is found by a span that lies outside of the range, in a source of its
// own, if it reaches into the range; other traces of that source are not.
func TestBeside(t *testing.T) {
	before := []schema.Span{span(1, 1, "before", 50, 60), span(2, 1, "before", 50, 60), span(3, 1, "before", 50, 60), span(4, 1, "before", 50, 60)}
	in := []schema.Span{span(1, 2, "in", 100, 200)}
	after := []schema.Span{span(3, 3, "after", 300, 310), span(4, 3, "after", 300, 310), span(5, 3, "after", 300, 310)}
	live := []schema.Span{span(4, 4, "live", 110, 120)}
	for _, remembered := range []*engine.Repeats{nil, engine.NewRepeats()} {
		partitions := [][]engine.Source{{
			engine.Beside(newMemory(before), false), newMemory(in), newMemory(live), engine.Beside(newMemory(after), true),
		}}
		for query, want := range map[string][]byte{
			`{ name = "before" }`: {1, 3, 4}, `{ name = "in" }`: {1}, `{ name = "after" }`: {3, 4},
			`{ name = "before" } && { name = "live" }`: {4}, `{ name = "before" && span:parentID = "" }`: {1, 3, 4},
		} {
			for range 2 {
				r := search(t, query, partitions, engine.SearchOptions{StartNanos: 90, EndNanos: 250, Repeats: remembered})
				require.Equal(t, want, traceIDs(r), query)
			}
		}
	}
}

func TestResultContent(t *testing.T) {
	spans := []schema.Span{
		span(1, 3, "late", 5_000_000, 4_000_000, childOfRoot, func(s *schema.Span) { s.StatusCode = 2 }),
		span(1, 1, "root", 1_000_000, 3_999_999),
		span(1, 4, "other root", 2_000_000, 2_000_001),
		span(1, 2, "mid", 2_000_000, 3_000_000, childOfRoot, func(s *schema.Span) {
			s.Resource = &schema.Resource{}
		}),
	}
	r := search(t, `{ }`, one(spans...), engine.SearchOptions{SpansPerSpanSet: 3})
	require.Len(t, r.Traces, 1)
	require.Equal(t, engine.TraceResult{
		TraceID: schema.TraceID{15: 1}, RootServiceName: "svc", RootTraceName: "root",
		StartNanos: 1_000_000, DurationMs: 3,
		SpanSets: []engine.SpanSet{{Matched: 4, Spans: []engine.SpanResult{
			{SpanID: schema.SpanID{7: 1}, StartNanos: 1_000_000, DurationNanos: 2_999_999},
			{SpanID: schema.SpanID{7: 2}, StartNanos: 2_000_000, DurationNanos: 1_000_000},
			{SpanID: schema.SpanID{7: 4}, StartNanos: 2_000_000, DurationNanos: 1},
		}}},
		ServiceStats: []engine.ServiceStats{{SpanCount: 1}, {Service: "svc", SpanCount: 3, ErrorCount: 1}},
	}, r.Traces[0])

	orphan := search(t, `{ }`, one(spans[0]), engine.SearchOptions{}).Traces[0]
	require.Equal(t, "<root span not yet received>", orphan.RootServiceName)
	require.Empty(t, orphan.RootTraceName)
	require.Zero(t, orphan.DurationMs)
	require.Zero(t, orphan.SpanSets[0].Spans[0].DurationNanos)
}

func TestResultAttributes(t *testing.T) {
	str := func(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }
	num := func(i int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: i} }
	tests := []struct {
		query, spanID, name string
		want                []schema.Attribute
	}{
		{`{ duration = 3s && trace:id != "1" && rootName = "root" && traceDuration > 1s }`, "00f067aa0ba902b7", "", nil},
		{`{ name = "root" }`, "00f067aa0ba902b7", "root", nil},
		{
			`{ span.i = 5 && .both != nil && resource.both != nil && span.i > 1 || span.absent = 1 }`, "00f067aa0ba902b7", "",
			[]schema.Attribute{{Key: "i", Value: num(5)}, {Key: "both", Value: str("span")}, {Key: "both", Value: str("resource")}},
		},
		{
			`{ span.ints = 2 && span:kind = server && status = unset && span:parentID = "" }`, "00f067aa0ba902b7", "",
			[]schema.Attribute{
				{Key: "ints", Value: schema.Value{Kind: schema.KindArray, Array: []schema.Value{num(1), num(2), num(3)}}},
				{Key: "kind", Value: str("server")},
				{Key: "status", Value: str("unset")},
				{Key: "span:parentID", Value: str("")},
			},
		},
		{
			`{ event:name = "retry" && event.n = 1 && event:timeSinceStart >= 2us && link:spanID != "" && link.why != nil && event.no = nil }`,
			"0000000000000002", "",
			[]schema.Attribute{
				{Key: "event:name", Value: str("exception")},
				{Key: "n", Value: num(2)},
				{Key: "event:timeSinceStart", Value: str("2µs")},
				{Key: "link:spanID", Value: str("000000000000ef01")},
				{Key: "why", Value: str("batch")},
			},
		},
		{
			`{ resource.service.name = "" && instrumentation:name = "" && span.i = "5" && span.empty = nil }`, "0000000000000003", "",
			[]schema.Attribute{
				{Key: "service.name", Value: str("")}, {Key: "instrumentation:name", Value: str("")}, {Key: "i", Value: str("5")},
			},
		},
	}
	for _, tt := range tests {
		r := search(t, tt.query, one(sampleTrace(t)...), engine.SearchOptions{})
		require.Len(t, r.Traces, 1, tt.query)
		require.Len(t, r.Traces[0].SpanSets[0].Spans, 1, tt.query)
		got := r.Traces[0].SpanSets[0].Spans[0]
		require.Equal(t, tt.spanID, got.SpanID.String(), tt.query)
		require.Equal(t, tt.name, got.Name, tt.query)
		require.Equal(t, tt.want, got.Attributes, tt.query)
	}
}

// broken fails where it is told to.
type broken struct {
	memory
	scan, trace error
}

func (b broken) Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error] {
	return thenFail(b.memory.Scan(ctx, filter, columns), b.scan)
}

func (b broken) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return thenFail(b.memory.Find(ctx, filter), b.scan)
}

// thenFail yields what all does, and if there is one the error behind it.
func thenFail[T any](all iter.Seq2[T, error], failure error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for chunk, err := range all {
			if !yield(chunk, err) {
				return
			}
		}
		if failure != nil {
			var none T
			yield(none, failure)
		}
	}
}

func (b broken) Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) ([]schema.Span, error) {
	if b.trace != nil {
		return nil, b.trace
	}
	return b.memory.Traces(ctx, ids, columns)
}

func TestSearchErrors(t *testing.T) {
	plan := compile(t, `{ }`)
	rows := newMemory([]schema.Span{span(1, 1, "x", 1, 2)})
	errRead := errors.New("read")
	for _, s := range []engine.Source{broken{rows, errRead, nil}, broken{rows, nil, errRead}} {
		_, err := engine.Search(t.Context(), plan, [][]engine.Source{{rows, s}}, engine.SearchOptions{Concurrency: 3})
		require.ErrorIs(t, err, errRead)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := engine.Search(ctx, plan, [][]engine.Source{{rows}}, engine.SearchOptions{})
	require.ErrorIs(t, err, context.Canceled)

	// A trace that is gone between the phases is not an error.
	_, err = engine.Search(t.Context(), plan, [][]engine.Source{{vanishing{rows}}}, engine.SearchOptions{})
	require.NoError(t, err)
}

type vanishing struct{ memory }

func (vanishing) Traces(context.Context, []schema.TraceID, vec.Columns) ([]schema.Span, error) {
	return nil, nil
}

func TestCompileRefuses(t *testing.T) {
	for _, q := range []*traceql.Query{
		{},
		{Metrics: &traceql.MetricsLiteral{Value: traceql.NewInt(1)}},
		{Pipeline: traceql.Pipeline{&traceql.SpansetFilter{Expr: &traceql.Attribute{Scope: traceql.ScopeParent}}}},
	} {
		_, err := engine.Compile(q)
		require.ErrorIs(t, err, traceql.ErrUnsupported)
	}
}

// However the rows are spread over sources, in whatever order, delivered how
// often: the answers are the same to the last field.
func TestCuttingDoesNotMatter(t *testing.T) {
	spans := dataset(t)
	queries, err := corpus.Queries()
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 2))
	whole := [][]engine.Source{{newMemory(spans)}}
	for range 4 {
		cut := randomCut(spans, rng)
		for _, q := range queries {
			query, err := traceql.Parse(q.Params["q"])
			if err != nil || rng.IntN(3) > 0 {
				continue
			}
			plan, err := engine.Compile(query)
			if errors.Is(err, traceql.ErrUnsupported) {
				continue
			}
			require.NoError(t, err)
			opts := engine.SearchOptions{
				StartNanos:  (corpus.DatasetStart + uint64(rng.IntN(3600))) * 1e9,
				EndNanos:    (corpus.DatasetEnd - uint64(rng.IntN(3000))) * 1e9,
				Limit:       1 + rng.IntN(40),
				Concurrency: 1 + rng.IntN(4),
			}
			want, err := engine.Search(t.Context(), plan, whole, opts)
			require.NoError(t, err)
			got, err := engine.Search(t.Context(), plan, cut, opts)
			require.NoError(t, err)
			require.Equal(t, want.Traces, got.Traces, q.Params["q"])
		}
	}
}

func TestMatchConcurrently(t *testing.T) {
	spans := dataset(t)[:500]
	plan := compile(t, `{ .service.name =~ "c.*" && (event:name = "exception" || link:spanID != nil) }`)
	var want []bool
	for i := range spans {
		want = append(want, plan.Match(&spans[i]))
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range spans {
				if plan.Match(&spans[i]) != want[i] {
					t.Errorf("span %d: not %v", i, want[i])
				}
			}
		})
	}
	wg.Wait()
}
