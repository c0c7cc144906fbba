package engine_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

func field(t testing.TB, name string) traceql.FieldExpr {
	t.Helper()
	f, err := traceql.ParseField(name)
	require.NoError(t, err)
	return f
}

// values collects the values of fields, separated by spaces, as literals.
func values(t testing.TB, query, names string, partitions [][]engine.Source, opts engine.TagOptions) []string {
	t.Helper()
	var fields []traceql.FieldExpr
	for name := range strings.FieldsSeq(names) {
		fields = append(fields, field(t, name))
	}
	found, err := engine.CollectValues(t.Context(), compile(t, query), partitions, fields, opts)
	require.NoError(t, err)
	var texts []string
	for _, v := range found.Values {
		texts = append(texts, v.String())
	}
	return texts
}

func TestCollectValues(t *testing.T) {
	partitions := one(sampleTrace(t)...)
	for _, tc := range []struct{ query, fields, want string }{
		{`{ }`, `span.s`, `"" "abc"`},
		{`{ name = "root" }`, `span.s`, `"abc"`},
		{`{ }`, `span.absent`, ``},
		{`{ }`, `span.nothing`, ``},
		{`{ }`, `span.i`, `5 "5"`},
		{`{ }`, `span.f`, `2.5`},
		{`{ }`, `span.t`, `true`},
		{`{ }`, `span.twice`, `1`},
		{`{ }`, `span.strs`, `"x" "y"`},
		{`{ }`, `.both`, `"resource" "span"`},
		{`{ }`, `resource.both`, `"resource"`},
		{`{ }`, `.only.resource`, `7 "seven"`},
		{`{ }`, `resource.service.name`, `"" "shop"`},
		{`{ }`, `resource.service.name resource.both`, `"" "resource" "shop"`},
		{`{ name = "nameless" }`, `resource.service.name`, `""`},
		{`{ }`, `instrumentation.lang`, `"go"`},
		{`{ }`, `instrumentation:name`, `"" "lib"`},
		{`{ }`, `name`, `"events" "nameless" "root"`},
		{`{ name != "root" }`, `span:name`, `"events" "nameless"`},
		{`{ }`, `rootName`, `"root"`},
		{`{ name = "events" }`, `trace:rootService`, `"shop"`},
		{`{ traceDuration > 0s && name = "root" }`, `name`, `"root"`},
		{`{ rootName = "other" }`, `name`, ``},
		{`{ }`, ``, ``},
	} {
		t.Run(tc.query+" "+tc.fields, func(t *testing.T) {
			require.Equal(t, tc.want, strings.Join(values(t, tc.query, tc.fields, partitions, engine.TagOptions{}), " "))
		})
	}
	require.NotEmpty(t, values(t, `{ }`, `event:name`, partitions, engine.TagOptions{}))
	_, err := engine.CollectValues(t.Context(), compile(t, `{ }`), partitions,
		[]traceql.FieldExpr{&traceql.Literal{Value: traceql.NewInt(1)}}, engine.TagOptions{})
	require.ErrorIs(t, err, traceql.ErrUnsupported)
}

// withAttributes gives a span attributes, as pairs of key and value.
func withAttributes(attributes ...schema.Attribute) func(*schema.Span) {
	return func(s *schema.Span) {
		for _, a := range attributes {
			s.Attributes = otlp.AppendKeyValue(s.Attributes, 9, a.Key, a.Value)
		}
	}
}

func text(key, value string) schema.Attribute {
	return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindString, Str: value}}
}

func double(key string, value float64) schema.Attribute {
	return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindDouble, Double: value}}
}

func TestCollectValuesLeavesOut(t *testing.T) {
	partitions := one(
		span(1, 1, "a", 1, 2, withAttributes(double("x", math.NaN()))),
		span(1, 2, "a", 1, 2, withAttributes(double("x", math.Inf(1)))),
		span(1, 3, "a", 1, 2, withAttributes(double("x", 7))),
		span(1, 4, "a", 1, 2, withAttributes(text("x", strings.Repeat("y", 16<<10+1)))),
		span(1, 5, "a", 1, 2, withAttributes(schema.Attribute{Key: "x", Value: schema.Value{Kind: schema.KindBytes, Str: "b"}})),
		span(1, 6, "a", 1, 2, withAttributes(schema.Attribute{Key: "x", Value: schema.Value{Kind: schema.KindMap, Map: []schema.Attribute{text("a", "b")}}})),
		span(1, 7, "a", 1, 2, withAttributes(schema.Attribute{Key: "x", Value: schema.Value{Kind: schema.KindArray, Array: []schema.Value{
			{Kind: schema.KindInt, Int: 1}, {}, {Kind: schema.KindArray, Array: []schema.Value{{Kind: schema.KindInt, Int: 2}}},
		}}})),
	)
	require.Equal(t, []string{"1", "7.0"}, values(t, `{ }`, `span.x`, partitions, engine.TagOptions{}))
}

// Memory and replies are bounded, however many values there are.
func TestCollectLimits(t *testing.T) {
	var spans []schema.Span
	for i := range 2000 {
		n := fmt.Sprintf("%04d", i)
		spans = append(spans, span(byte(i%50), byte(i%250), n, uint64(i), uint64(i), withAttributes(text("key"+n, n))))
	}
	for _, partitions := range [][][]engine.Source{one(spans...), {spread(spans, 7, func(_ *schema.Span, i int) []int { return []int{i % 7, 3} })}} {
		for _, opts := range []engine.TagOptions{{Limit: 10}, {Limit: 10, Concurrency: 4}, {Limit: 2000, Concurrency: 4}} {
			require.Len(t, values(t, `{ }`, `name`, partitions, opts), opts.Limit)
			names, err := engine.CollectNames(t.Context(), compile(t, `{ }`), partitions, []traceql.Scope{traceql.ScopeSpan, traceql.ScopeResource}, opts)
			require.NoError(t, err)
			require.Len(t, names.ByScope[traceql.ScopeSpan], opts.Limit)
			require.True(t, slices.IsSorted(names.ByScope[traceql.ScopeSpan]))
			require.Equal(t, []string{"service.name"}, names.ByScope[traceql.ScopeResource])
		}
		few := values(t, `{ }`, `name`, partitions, engine.TagOptions{MaxBytes: 1000, Concurrency: 2})
		require.Len(t, few, 1000/(4+32))
		names, err := engine.CollectNames(t.Context(), compile(t, `{ }`), partitions, []traceql.Scope{traceql.ScopeSpan}, engine.TagOptions{MaxBytes: 1000})
		require.NoError(t, err)
		require.Len(t, names.ByScope[traceql.ScopeSpan], 1000/7)
	}
	// It stops reading when it has enough.
	found, err := engine.CollectValues(t.Context(), compile(t, `{ }`), one(spans...), []traceql.FieldExpr{field(t, "name")}, engine.TagOptions{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, uint64(64), found.InspectedSpans)
	found, err = engine.CollectValues(t.Context(), compile(t, `{ rootName != "x" }`), one(spans...), []traceql.FieldExpr{field(t, "name")}, engine.TagOptions{Limit: 10})
	require.NoError(t, err)
	require.Len(t, found.Values, 10)
}

// Spans count that reach into the range, not all of a trace that does.
func TestCollectTimeRange(t *testing.T) {
	partitions := one(span(1, 1, "early", 10, 20), span(1, 2, "late", 50, 60), span(1, 3, "backwards", 30, 5))
	for _, tc := range []struct {
		start, end uint64
		want       string
	}{
		{0, 0, `"backwards" "early" "late"`},
		{0, 10, ``},
		{0, 11, `"early"`},
		{20, 30, `"early"`},
		{21, 31, `"backwards"`},
		{60, 0, `"late"`},
		{61, 0, ``},
	} {
		opts := engine.TagOptions{StartNanos: tc.start, EndNanos: tc.end}
		require.Equal(t, tc.want, strings.Join(values(t, `{ }`, `name`, partitions, opts), " "), "%d to %d", tc.start, tc.end)
	}
	require.Equal(t, []string{`"early"`}, values(t, `{ }`, `rootName`, partitions, engine.TagOptions{StartNanos: 55}))
	require.Empty(t, values(t, `{ }`, `rootName`, partitions, engine.TagOptions{StartNanos: 61}))
}

// The answer does not depend on how rows are spread over sources, and a value
// that is offered finds something.
func TestCollectDoesNotDependOnCutting(t *testing.T) {
	spans := dataset(t)
	scopes := []traceql.Scope{traceql.ScopeSpan, traceql.ScopeResource, traceql.ScopeEvent, traceql.ScopeLink, traceql.ScopeInstrumentation}
	queries := []string{`{ }`, `{ status = error && resource.service.name = "cart" }`, `{ rootServiceName = "gateway" && kind = server }`}
	fields := []string{"name", "rootName", "resource.k8s.pod.name", ".mixed", "event:name", "link.ln.str", "instrumentation:version", "span.v.floats"}
	collect := func(partitions [][]engine.Source) (all []string) {
		for _, q := range queries {
			names, err := engine.CollectNames(t.Context(), compile(t, q), partitions, scopes, engine.TagOptions{Concurrency: 2})
			require.NoError(t, err)
			all = append(all, fmt.Sprint(names.ByScope))
			for _, f := range fields {
				all = append(all, values(t, q, f, partitions, engine.TagOptions{Concurrency: 2})...)
			}
		}
		return all
	}
	whole := one(spans...)
	want := collect(whole)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		require.Equal(t, want, collect(randomCut(spans, rng)))
	}
	for _, f := range fields {
		for _, v := range values(t, `{ }`, f, whole, engine.TagOptions{}) {
			query := fmt.Sprintf("{ %s = %s }", f, v)
			require.NotEmpty(t, search(t, query, whole, engine.SearchOptions{Limit: 1}).Traces, query)
		}
	}
}

func TestCollectErrors(t *testing.T) {
	bad := [][]engine.Source{{broken{newMemory(dataset(t)), errors.New("disk"), nil}}}
	_, err := engine.CollectValues(t.Context(), compile(t, `{ }`), bad, []traceql.FieldExpr{field(t, "name")}, engine.TagOptions{})
	require.ErrorContains(t, err, "disk")
	_, err = engine.CollectNames(t.Context(), compile(t, `{ rootName = "x" }`), bad, []traceql.Scope{traceql.ScopeSpan}, engine.TagOptions{})
	require.ErrorContains(t, err, "disk")
	_, err = engine.CollectNames(t.Context(), compile(t, `{ }`), nil, []traceql.Scope{traceql.ScopeSpan}, engine.TagOptions{})
	require.NoError(t, err)
}

func TestSearchByTags(t *testing.T) {
	spans := sampleTrace(t)
	for i := range spans { // a trace for each, so that the answer tells which one matched
		spans[i].TraceID[15] = byte(i)
	}
	named := make(map[byte]string)
	for i := range spans {
		named[byte(i)] = spans[i].Name
	}
	for _, tc := range []struct{ tags, want string }{
		{"", "root events nameless"},
		{"s=abc", "root"},
		{"i=5", "root nameless"},
		{"i=05", ""},
		{"f=2.5", "root"},
		{"f=2.50", "root"},
		{"t=true", "root"},
		{"t=1", ""},
		{"strs=y", "root"},
		{"both=span", "root"},
		{"both=resource", "root events"},
		{"lang=go", "root events"},
		{"service.name=shop", "root events"},
		{"s=abc lang=go service.name=shop", "root"},
		{"s=abc name=events", ""},
		{"name=events", "events"},
		{"ok=true", "events"},
		{"absent=x", ""},
	} {
		var filter engine.TagFilter
		for pair := range strings.FieldsSeq(tc.tags) {
			key, value, _ := strings.Cut(pair, "=")
			filter.Tags = append(filter.Tags, engine.Tag{Key: key, Value: value})
		}
		r, err := engine.Search(t.Context(), engine.CompileTags(filter), one(spans...), engine.SearchOptions{})
		require.NoError(t, err)
		var got []string
		for _, id := range traceIDs(r) {
			got = append(got, named[id])
		}
		require.ElementsMatch(t, strings.Fields(tc.want), got, tc.tags)
	}
}

func TestSearchByTraceDuration(t *testing.T) {
	partitions := one(span(1, 1, "a", 0, 1000), span(2, 1, "a", 0, 1500), span(2, 2, "b", 1500, 2000), span(3, 1, "a", 0, 3000))
	for _, tc := range []struct {
		least, most time.Duration
		want        []byte
	}{
		{0, 0, []byte{1, 2, 3}},
		{2000, 0, []byte{2, 3}},
		{2001, 0, []byte{3}},
		{0, 2000, []byte{1, 2}},
		{2000, 2000, []byte{2}},
	} {
		plan := engine.CompileTags(engine.TagFilter{MinDuration: tc.least, MaxDuration: tc.most})
		r, err := engine.Search(t.Context(), plan, partitions, engine.SearchOptions{})
		require.NoError(t, err)
		require.Equal(t, tc.want, traceIDs(r))
	}
}

func BenchmarkCollect(b *testing.B) {
	spans := dataset(b)
	partitions := one(spans...)
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, f())
			}
			b.ReportMetric(float64(b.N)*float64(len(spans))/b.Elapsed().Seconds(), "spans/s")
		})
	}
	all := compile(b, `{ }`)
	for _, s := range []traceql.Scope{traceql.ScopeResource, traceql.ScopeSpan, traceql.ScopeEvent} {
		run("names/"+strings.TrimSuffix(s.String(), "."), func() error {
			_, err := engine.CollectNames(b.Context(), all, partitions, []traceql.Scope{s}, engine.TagOptions{})
			return err
		})
	}
	for _, name := range []string{"resource.service.name", "span.http.route", "name", "event.exception.type", "rootName"} {
		fields := []traceql.FieldExpr{field(b, name)}
		run("values/"+name, func() error {
			_, err := engine.CollectValues(b.Context(), all, partitions, fields, engine.TagOptions{})
			return err
		})
	}
}
