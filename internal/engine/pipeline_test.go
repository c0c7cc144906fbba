package engine_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// node is a span of a trace: its name is its id, one letter, and so is its
// parent's. It starts when it is listed.
type node struct {
	name, parent string
	change       func(*schema.Span)
}

func id(name string) (id schema.SpanID) {
	copy(id[:], name)
	return id
}

// traceOf makes the spans of a trace, a second each.
func traceOf(trace byte, nodes ...node) []schema.Span {
	var spans []schema.Span
	for i, n := range nodes {
		start := uint64(trace)*1e12 + uint64(i)*1e9
		s := span(trace, 0, n.name, start, start+1e9)
		s.SpanID, s.ParentSpanID = id(n.name[:1]), id(n.parent)
		if n.change != nil {
			n.change(&s)
		}
		spans = append(spans, s)
	}
	return spans
}

func kindOf(kind int32) func(*schema.Span) { return func(s *schema.Span) { s.Kind = kind } }

func with(key string, v schema.Value) func(*schema.Span) {
	return func(s *schema.Span) { s.Attributes = otlp.AppendKeyValue(s.Attributes, 9, key, v) }
}

func integer(n int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: n} }

// shapes are a tree a(b(d e) c(f(g))), two trees without a root, a circle, and
// two halves of a call that share an id.
func shapes() []schema.Span {
	return slices.Concat(
		traceOf(1, node{"a", "", nil}, node{"b", "a", nil}, node{"c", "a", nil}, node{"d", "b", nil}, node{"e", "b", nil}, node{"f", "c", nil}, node{"g", "f", nil}),
		traceOf(2, node{"o", "?", nil}, node{"p", "o", nil}, node{"q", "?", nil}, node{"r", "!", nil}),
		traceOf(3, node{"x", "z", nil}, node{"y", "x", nil}, node{"z", "y", nil}, node{"w", "z", nil}, node{"s", "s", nil}),
		traceOf(4, node{"h", "", kindOf(3)}, node{"half", "", kindOf(2)}, node{"i", "h", nil}),
	)
}

// found is "trace: names" of every spanset, in the order of the answer.
func found(t *testing.T, r *engine.SearchResult, spans []schema.Span) string {
	t.Helper()
	names := make(map[schema.TraceID]map[uint64]string)
	for i := range spans {
		s := &spans[i]
		if names[s.TraceID] == nil {
			names[s.TraceID] = make(map[uint64]string)
		}
		names[s.TraceID][s.StartNanos] = s.Name
	}
	var traces []string
	for _, tr := range r.Traces {
		var sets []string
		for _, set := range tr.SpanSets {
			var list []string
			for _, s := range set.Spans {
				list = append(list, names[tr.TraceID][s.StartNanos])
			}
			require.Len(t, list, int(set.Matched))
			text := strings.Join(list, "")
			if attrs := corpus.JoinTexts(corpus.AttributeTexts(set.Attributes)); attrs != "" {
				text += "{" + attrs + "}"
			}
			sets = append(sets, text)
		}
		traces = append(traces, strings.Join(sets, " "))
	}
	slices.Reverse(traces) // oldest first
	return strings.Join(traces, " | ")
}

func requireFound(t *testing.T, spans []schema.Span, query, want string) {
	t.Helper()
	opts := engine.SearchOptions{SpansPerSpanSet: 100}
	require.Equal(t, want, found(t, search(t, query, one(spans...), opts), spans), query)
	// The same with every span in a source of its own, and in two at once.
	var sources []engine.Source
	for i := range spans {
		sources = append(sources, newMemory(spans[i:i+1]))
	}
	sources = append(sources, newMemory(spans[len(spans)/2:]))
	require.Equal(t, want, found(t, search(t, query, [][]engine.Source{sources}, opts), spans), query)
}

func TestStructure(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{`{ name = "a" } > { }`, "bc"},
		{`{ name = "a" } >> { }`, "bcdefg"},
		{`{ name = "d" } < { }`, "b"},
		{`{ name = "g" } << { }`, "acf"},
		{`{ name = "d" } ~ { }`, "e"},
		{`{ name =~ "[de]" } ~ { }`, "de"},
		{`{ name = "a" } > { name = "b" } > { }`, "de"},
		{`{ name = "none" } > { }`, ""},
		{`{ } > { name = "none" }`, ""},
		// Trees without a root, and the halves of a call.
		{`{ name = "o" } > { }`, "p"},
		{`{ name = "o" } ~ { }`, "q"},
		{`{ name = "r" } ~ { }`, ""},
		{`{ name = "x" } >> { }`, "yzw"},
		{`{ name = "w" } << { }`, "xyz"},
		{`{ name = "z" } > { }`, "w"},
		{`{ name = "s" } > { }`, ""},
		{`{ name = "s" } >> { }`, ""},
		{`{ name = "half" } > { }`, "i"},
		{`{ name = "h" } >> { }`, "i"},
		{`{ name = "i" } < { }`, "hhalf"},
		{`{ name = "h" } ~ { name = "half" }`, ""},
		// Negated.
		{`{ name = "a" } !> { name =~ "[a-g]" }`, "adefg"},
		{`{ name = "a" } !>> { name =~ "[a-g]" }`, "a"},
		{`{ name = "d" } !< { name =~ "[a-g]" }`, "acdefg"},
		{`{ name = "g" } !<< { name =~ "[a-g]" }`, "bdeg"},
		{`{ name = "d" } !~ { name =~ "[a-g]" }`, "abcdfg"},
		{`{ } !> { }`, "a | oqr | xs | hhalf"},
		{`{ name = "none" } !>> { name =~ "[dopr]" }`, "d | opr"},
		// With both sides.
		{`{ name = "a" } &> { name =~ "[bd]" }`, "ab"},
		{`{ name =~ "[ac]" } &>> { name = "g" }`, "acg"},
		{`{ name = "d" } &< { }`, "bd"},
		{`{ name = "g" } &<< { name =~ "[ab]" }`, "ag"},
		{`{ name = "d" } &~ { }`, "de"},
		{`{ name = "a" } &> { name = "g" }`, ""},
		// Both, and either.
		{`{ name = "a" } && { name = "g" }`, "ag"},
		{`{ name = "a" } && { name = "o" }`, ""},
		{`{ name = "a" } || { name = "o" }`, "a | o"},
		{`({ name = "a" } > { name = "b" }) && ({ name = "c" } > { name = "f" })`, "bf"},
		// Only spans that came so far are related.
		{`{ name =~ "[ag]" } | { name = "a" } >> { }`, "g"},
		{`{ name =~ "[ab]" } | { } > { }`, "b"},
	} {
		requireFound(t, shapes(), tt.query, tt.want)
	}
}

func TestStructuralIntrinsics(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{`{ nestedSetParent < 0 }`, "a | hhalf"},
		{`{ nestedSetParent = 0 }`, "oqr | xs"},
		{`{ nestedSetLeft = 1 }`, "a | h"},
		{`{ nestedSetLeft = 2 }`, "b | o | x | i"},
		{`{ name = "a" && nestedSetRight = 14 }`, "a"},
		{`{ name = "c" && nestedSetLeft = 8 && nestedSetRight = 13 && nestedSetParent = 1 }`, "c"},
		{`{ name = "half" && nestedSetLeft = 5 && nestedSetRight = 6 }`, "half"},
		{`{ name = "q" && nestedSetLeft = 6 }`, "q"},
		{`{ name = "r" && nestedSetLeft = 10 }`, "r"},
		{`{ name = "s" && nestedSetLeft = 12 && nestedSetRight = 13 }`, "s"},
		{`{ span:childCount = 2 }`, "ab"},
		{`{ span:childCount = 1 }`, "cf | o | xyz | hhalf"},
	} {
		requireFound(t, shapes(), tt.query, tt.want)
	}
}

// numbers are a trace of spans with numbers: ints, a float, a list, a text.
func numbers() []schema.Span {
	return traceOf(1,
		node{"a", "", with("n", integer(3))},
		node{"b", "a", with("n", integer(4))},
		node{"c", "a", with("n", schema.Value{Kind: schema.KindDouble, Double: 0.5})},
		node{"d", "b", with("n", schema.Value{Kind: schema.KindArray, Array: []schema.Value{integer(100), integer(1)}})},
		node{"e", "b", with("n", schema.Value{Kind: schema.KindString, Str: "1000"})},
		node{"f", "b", with("flag", schema.Value{Kind: schema.KindBool, Bool: true})},
		node{"g", "b", with("n", integer(3))},
	)
}

func TestStages(t *testing.T) {
	for _, tt := range []struct{ query, want string }{
		{`{ } | count() > 6`, "abcdefg{count()=i:7}"},
		{`count() = 7`, "abcdefg{count()=i:7}"},
		{`{ } | count() > 7`, ""},
		{`{ } | count() < 8 | { name = "a" }`, "a{count()=i:7}"},
		{`{ name =~ "[ab]" } | sum(span.n) = 7`, "ab{sum(span.n)=i:7}"},
		{`{ } | sum(span.n) = 10.5`, "abcdefg{sum(span.n)=d:10.5}"},
		{`{ } | max(span.n) = 4`, "abcdefg{max(span.n)=i:4}"},
		{`{ } | min(span.n) < 1`, "abcdefg{min(span.n)=d:0.5}"},
		{`{ name =~ "[abg]" } | avg(span.n) > 3.3`, "abg{avg(span.n)=d:3.33333333333}"},
		{`{ } | avg(duration) = 1s`, "abcdefg{avg(duration)=s:1s}"},
		{`{ } | sum(duration) = 7s`, "abcdefg{sum(duration)=s:7s}"},
		{`{ } | avg(span.absent) > 0`, ""},
		{`{ } | max(span.n * 2) = 8`, "abcdefg{max(span.n * 2)=i:8}"},
		{`{ } | max(span.n / 0) > 0`, ""},
		{`{ name = "e" } | max(span.n) > 0`, ""},
		{`{ } | count() > 1 | count() > 2`, "abcdefg{count()=i:7}"},
		{`{ } | by(span.n)`, `ag{by(span.n)=i:3} b{by(span.n)=i:4} c{by(span.n)=d:0.5} d{by(span.n)=[i:100,i:1]} e{by(span.n)=s:1000} f{by(span.n)=s:nil}`},
		{`{ } | by(span.n) | count() > 1`, `ag{by(span.n)=i:3, count()=i:2}`},
		{`{ } | by(span.flag) | { name =~ "[af]" }`, `a{by(span.flag)=s:nil} f{by(span.flag)=b:true}`},
		{`{ } | by(span.n > 3)`, `acefg{by(span.n > 3)=b:false} bd{by(span.n > 3)=b:true}`},
		{`{ } | by(name = "a") | by(span.n = 3)`, `a{by(name = "a")=b:true, by(span.n = 3)=b:true} bcdef{by(name = "a")=b:false, by(span.n = 3)=b:false} g{by(name = "a")=b:false, by(span.n = 3)=b:true}`},
		{`{ } | by(span.n) | coalesce()`, "abcdefg"},
		{`{ } | by(span.n) | count() = 1 | coalesce() | count() = 5`, "bcdef{count()=i:5}"},
		{`{ } | by(name = "a") | { } > { }`, `defg{by(name = "a")=b:false}`},
		{`{ name = "a" } | select(span.n) | { span.n = 3 }`, "a"},
		{`({ name = "a" } | count() = 1) && ({ name =~ "[fg]" } | count() = 2)`, "afg"},
		{`({ name = "a" } | count() = 2) && ({ name =~ "[fg]" })`, ""},
		{`({ name = "a" } | count() = 2) || ({ name =~ "[fg]" } | { name = "g" })`, "g"},
		{`({ } | by(name) | coalesce()) > ({ name = "b" })`, "b"},
		{`{ } | rate()`, "abcdefg"},
	} {
		requireFound(t, numbers(), tt.query, tt.want)
	}
}

// Numbers that the parser refuses, and that the engine can compute.
func TestScalarArithmetic(t *testing.T) {
	count := &traceql.Aggregate{Op: traceql.AggregateCount}
	number := func(n int64) *traceql.ScalarLiteral { return &traceql.ScalarLiteral{Value: traceql.NewInt(n)} }
	q, err := traceql.Parse(`{ name =~ "[ab]" }`)
	require.NoError(t, err)
	all := q.Pipeline[0]
	for _, tt := range []struct {
		left  traceql.ScalarExpr
		right int64
		want  string
	}{
		{&traceql.ScalarBinary{Op: traceql.OpMul, Left: count, Right: number(3)}, 6, "ab{count()=i:2}"},
		{&traceql.ScalarBinary{Op: traceql.OpDiv, Left: count, Right: number(0)}, 0, ""},
		{&traceql.ScalarBinary{Op: traceql.OpAdd, Left: number(1), Right: count}, 3, "ab{count()=i:2}"},
		{&traceql.ScalarPipeline{Pipeline: q.Pipeline, Aggregate: count}, 2, "ab"},
	} {
		plan, err := engine.Compile(&traceql.Query{Pipeline: traceql.Pipeline{
			all, &traceql.ScalarFilter{Op: traceql.OpEqual, Left: tt.left, Right: number(tt.right)},
		}})
		require.NoError(t, err)
		r, err := engine.Search(t.Context(), plan, one(numbers()...), engine.SearchOptions{})
		require.NoError(t, err)
		require.Equal(t, tt.want, found(t, r, numbers()), tt.left)
	}
}

func TestSplitOperandsAreRefused(t *testing.T) {
	for _, query := range []string{
		`({ } | by(name)) && ({ })`, `({ }) > ({ } | by(name) | count() > 1)`, `(({ } | by(name)) ) || ({ })`,
	} {
		q, err := traceql.Parse(query)
		require.NoError(t, err, query)
		_, err = engine.Compile(q)
		require.ErrorIs(t, err, engine.ErrSplit, query)
	}
}

// Sums are exact up to the last digit, beyond 64 bits they are floats.
func TestSumsOfLargeNumbers(t *testing.T) {
	const large = 1<<63 - 1
	spans := traceOf(1, node{"a", "", with("n", integer(large))}, node{"b", "a", with("n", integer(large))},
		node{"c", "a", with("n", integer(-large))}, node{"d", "a", with("n", integer(-large))})
	requireFound(t, spans, `{ name =~ "[ab]" } | sum(span.n) > 0`, "ab{sum(span.n)=d:1.84467440737e+19}")
	requireFound(t, spans, `{ name =~ "[abc]" } | sum(span.n) > 0`, "abc{sum(span.n)=i:9223372036854775807}")
	requireFound(t, spans, `{ name =~ "[cd]" } | sum(span.n) < 0`, "cd{sum(span.n)=d:-1.84467440737e+19}")
	requireFound(t, spans, `{ } | sum(span.n) = 0`, "abcd{sum(span.n)=i:0}")
	requireFound(t, spans, `{ name =~ "[cd]" } | avg(span.n) < 0`, "cd{avg(span.n)=d:-9.22337203685e+18}")
}
