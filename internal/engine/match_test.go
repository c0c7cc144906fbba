package engine_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// sampleTrace is one trace of three spans: "root" has attributes of every
// type, "events" is its child with events and a link, "nameless" below that is
// of a resource without service.name and ends before it starts.
func sampleTrace(t testing.TB) []schema.Span {
	t.Helper()
	text, err := os.ReadFile("testdata/trace.json")
	require.NoError(t, err)
	wire, err := otlp.FromJSON(text)
	require.NoError(t, err)
	spans, err := otlp.NewDecoder().Decode(wire, 1, nil)
	require.NoError(t, err)
	require.Len(t, spans, 3)
	return spans
}

func TestConditions(t *testing.T) {
	tests := []struct{ query, matched string }{
		// Constants.
		{`{ }`, "root events nameless"},
		{`{ false }`, ""},
		{`{ 1 + 2 * 3 = 7 }`, "root events nameless"},
		{`{ 2 ^ 3 = 8 }`, "root events nameless"},
		{`{ 5 / 0 = 1 }`, ""},
		{`{ !(5 / 0 = 1) }`, "root events nameless"},
		{`{ "abc" =~ "a.*" }`, "root events nameless"},
		// Strings are strict, numbers are not.
		{`{ span.s = "abc" }`, "root"},
		{`{ span.s != "abc" }`, "nameless"},
		{`{ span.s >= "abb" }`, "root"},
		{`{ "abb" < span.s }`, "root"},
		{`{ span.s = "" }`, "nameless"},
		{`{ span.i = 5 }`, "root"},
		{`{ span.i = 5.0 }`, "root"},
		{`{ span.i = 5ns }`, "root"},
		{`{ span.i = "5" }`, "nameless"},
		{`{ span.i != 5 }`, ""},
		{`{ span.i != 6 }`, "root"},
		{`{ span.five = 5 }`, "root"},
		{`{ span.f > 2 }`, "root"},
		{`{ span.f <= 2 }`, ""},
		{`{ 2 < span.f }`, "root"},
		{`{ span.f = "2.5" }`, ""},
		{`{ span.big = 9007199254740993 }`, "root"},
		{`{ span.big = 9007199254740992 }`, ""},
		{`{ span.t = true }`, "root"},
		{`{ span.t != true }`, ""},
		{`{ span.no = false }`, "root"},
		{`{ span.word = error }`, ""},
		{`{ span.word = status }`, ""},
		{`{ span."5x" = 55 }`, "root"},
		// The first of equal keys counts.
		{`{ span.twice = 1 }`, "root"},
		{`{ span.twice = 2 }`, ""},
		// Bare attributes.
		{`{ span.t }`, "root"},
		{`{ span.no }`, ""},
		{`{ span.s }`, ""},
		{`{ !span.t }`, "events nameless"},
		{`{ !!span.t }`, "root"},
		{`{ span.t && !span.absent }`, "root"},
		{`{ name = "root" || span.t }`, "root"},
		{`{ name = "events" || span.t }`, "root"},
		{`{ span.t || name = "events" || true }`, "root events nameless"},
		{`{ event.ok || name = "events" }`, "events"},
		// Absence.
		{`{ span.absent = "x" }`, ""},
		{`{ span.absent != "x" }`, ""},
		{`{ span.absent !~ "x" }`, ""},
		{`{ !(span.absent = "x") }`, "root events nameless"},
		{`{ !(span.i = 5) }`, "events nameless"},
		{`{ span.i = nil }`, "events"},
		{`{ nil != span.i }`, "root nameless"},
		{`{ span.nothing = nil }`, "root events nameless"},
		{`{ span.empty != nil }`, ""},
		{`{ name != nil }`, "root events nameless"},
		{`{ span.zero / span.zero = nil }`, "root events nameless"},
		{`{ span.a + span.b != nil }`, ""},
		// Scopes.
		{`{ .both = "span" }`, "root"},
		{`{ .both = "resource" }`, "events"},
		{`{ resource.both = "resource" }`, "root events"},
		{`{ .both = nil }`, "nameless"},
		{`{ .only.resource = 7 }`, "root events"},
		{`{ span.only.resource = 7 }`, ""},
		{`{ resource.only.resource = "seven" }`, "nameless"},
		{`{ .lang = "go" }`, ""},
		{`{ instrumentation.lang = "go" }`, "root events"},
		{`{ instrumentation:name = "lib" && instrumentation:version = "1.2" }`, "root events"},
		{`{ instrumentation:name = "" }`, "nameless"},
		{`{ resource.service.name = "" }`, "nameless"},
		{`{ resource.service.name != "shop" }`, "nameless"},
		{`{ resource.service.name !~ "sh.*" }`, "nameless"},
		{`{ .service.name = "" }`, "nameless"},
		// Lists.
		{`{ span.strs = "y" }`, "root"},
		{`{ span.strs != "x" }`, ""},
		{`{ span.strs != "w" }`, "root"},
		{`{ "w" != span.strs }`, "root"},
		{`{ span.strs != "w" || span.strs != "x" }`, "root"},
		{`{ span.strs != 5 }`, ""},
		{`{ span.i != span.ints && span.ints != span.i }`, "root"},
		{`{ span.ints != duration }`, "root"},
		{`{ span.flags != true }`, ""},
		{`{ !(span.strs = "x") }`, "events nameless"},
		{`{ span.strs =~ "[yz]" }`, "root"},
		{`{ span.strs !~ "[xy]" }`, ""},
		{`{ span.strs !~ "[vw]" }`, "root"},
		{`{ span.ints !~ "[vw]" }`, ""},
		{`{ span.ints = 2 && span.ints = 3 }`, "root"},
		{`{ span.ints > 2.5 }`, "root"},
		{`{ 3 > span.ints }`, "root"},
		{`{ span.ints > 3 }`, ""},
		{`{ span.i > span.ints }`, "root"},
		{`{ span.ints > span.i }`, ""},
		{`{ span.ints = span.ints }`, ""},
		{`{ span.ints + 1 = 2 }`, ""},
		{`{ -span.ints < 0 }`, ""},
		{`{ span.flags }`, "root"},
		// Maps and bytes are there and equal nothing.
		{`{ span.map != nil }`, "root"},
		{`{ span.raw != nil && span.raw != "x" }`, ""},
		{`{ span.map = span.map }`, ""},
		// Intrinsics.
		{`{ name = "root" }`, "root"},
		{`{ name =~ "r..t|events" }`, "root events"},
		{`{ status = error }`, "events"},
		{`{ status != error }`, "root nameless"},
		{`{ status = unset }`, "root"},
		{`{ statusMessage = "boom" }`, "events"},
		{`{ statusMessage = "" }`, "root nameless"},
		{`{ kind = server }`, "root"},
		{`{ kind != internal && kind != client }`, "root"},
		{`{ duration = 3s }`, "root"},
		{`{ duration > 2999999999 }`, "root"},
		{`{ duration >= 2.5e9 }`, "root"},
		{`{ duration = 0s }`, "events"},
		{`{ duration < 0s }`, "nameless"},
		{`{ duration * 2 = 6s }`, "root"},
		{`{ name != statusMessage }`, "root events nameless"},
		// Ids in any case and padding.
		{`{ span:id = "00f067aa0ba902b7" }`, "root"},
		{`{ span:id = "F067AA0BA902B7" }`, "root"},
		{`{ span:id != "2" }`, "root nameless"},
		{`{ span:id = "" }`, ""},
		{`{ span:id = "xyz" }`, ""},
		{`{ span:id != "xyz" }`, "root events nameless"},
		{`{ span:id =~ "0{15}[23]" }`, "events nameless"},
		{`{ span:id > "2" }`, "root nameless"},
		{`{ span:parentID = "0f067aa0ba902b7" }`, "events"},
		{`{ span:parentID = "" }`, "root"},
		{`{ span:parentID != "" }`, "events nameless"},
		{`{ span:parentID = "0" }`, ""},
		{`{ trace:id = "AF7651916CD43DD" }`, "root events nameless"},
		{`{ trace:id = "0000000000000000000000000af7651916cd43dd" }`, "root events nameless"},
		{`{ trace:id != "af7651916cd43dd" }`, ""},
		{`{ link:traceID = "ABCD" }`, "events"},
		{`{ link:traceID = "0000000000000000000000000000abcd" }`, "events"},
		{`{ link:spanID = "ef01" }`, "events"},
		{`{ link:spanID != "ef01" }`, ""},
		// Events and links.
		{`{ event:name = "retry" && event:name = "exception" }`, "events"},
		{`{ event:name != "retry" }`, "events"},
		{`{ event:name != nil }`, "events"},
		{`{ !(event:name = "exception") }`, "root nameless"},
		{`{ event:timeSinceStart > 1us }`, "events"},
		{`{ event.n = 1 && event.m = 2 }`, "events"},
		{`{ event.n = event.m }`, "events"},
		{`{ event.n + event.m = 11 }`, ""},
		{`{ event.n + event.m = 10 }`, "events"},
		{`{ event.n * 2 = 4 }`, "events"},
		{`{ (event.n = 1) = event.ok }`, "events"},
		{`{ event.ok }`, "events"},
		{`{ event.n = nil }`, "root nameless"},
		{`{ link.why = "batch" }`, "events"},
		{`{ link.why != event:name }`, "events"},
		// Arithmetic.
		{`{ span.i + 1 = 6 }`, "root"},
		{`{ span.i / 2 = 2 }`, "root"},
		{`{ span.five / 2 = 2.5 }`, "root"},
		{`{ span.i % 3 = 2 }`, "root"},
		{`{ span.i ^ 2 = 25 }`, "root"},
		{`{ -span.i < -4 }`, "root"},
		{`{ -span.i * 2 = -10 }`, "root"},
		{`{ span.i / span.zero > 0 }`, ""},
		{`{ span.s + 1 = 1 }`, ""},
		{`{ (span.i > 4) = true }`, "root"},
		{`{ (span.absent > 4) = false }`, "root events nameless"},
		// Logic.
		{`{ name = "root" || name = "events" && status = error }`, "events"},
		{`{ name = "root" || (name = "events" && status = error) }`, "root events"},
		{`{ !(name = "root") && !(name = "events") }`, "nameless"},
		// Regular expressions.
		{`{ span.text =~ "line.*two" }`, "root"},
		{`{ span.text =~ "line" }`, ""},
		{`{ span.i =~ "5" }`, "nameless"},
		{`{ span.s !~ "a.*" }`, "nameless"},
		// Of the trace.
		{`{ traceDuration = 3s }`, "root events nameless"},
		{`{ trace:duration > 3s }`, ""},
		{`{ rootName = "root" && rootServiceName = "shop" }`, "root events nameless"},
		{`{ rootName = "x" || name = "events" }`, "events"},
		{`{ !(rootName = "x") && name = "events" }`, "events"},
		{`{ rootName = name }`, "root"},
		{`{ duration = traceDuration }`, "root"},
	}
	sources := [][]engine.Source{{newMemory(sampleTrace(t))}}
	for _, tt := range tests {
		plan := compile(t, tt.query)
		requireFilter(t, plan, sampleTrace(t), tt.query)
		result, err := engine.Search(t.Context(), plan, sources, engine.SearchOptions{SpansPerSpanSet: 10})
		require.NoError(t, err, tt.query)
		names := map[schema.SpanID]string{}
		for _, s := range sampleTrace(t) {
			names[s.SpanID] = s.Name
		}
		var matched []string
		for _, tr := range result.Traces {
			for _, s := range tr.SpanSets[0].Spans {
				matched = append(matched, names[s.SpanID])
			}
		}
		require.Equal(t, tt.matched, strings.Join(matched, " "), tt.query)
	}
}

func TestMatchIsExactOrMore(t *testing.T) {
	spans := sampleTrace(t)
	root, events := &spans[0], &spans[1]
	tests := []struct {
		query        string
		needsTrace   bool
		root, events bool
	}{
		{`{ name = "root" }`, false, true, false},
		{`{ rootName = "x" }`, true, true, true},
		{`{ rootName = "x" && name = "root" }`, true, true, false},
		{`{ !(rootName = "x") && name = "root" }`, true, true, false},
		{`{ !(rootName = "x" || name = "root") }`, true, false, true},
		{`{ !(rootName = "x" && name = "root") }`, true, true, true},
		{`{ (traceDuration > 1s) = true && name = "events" }`, true, false, true},
		{`{ duration = traceDuration }`, true, true, true},
		{`{ rootName != nil && name = "root" }`, true, true, false},
	}
	for _, tt := range tests {
		plan := compile(t, tt.query)
		require.Equal(t, tt.needsTrace, plan.NeedsTrace(), tt.query)
		require.Equal(t, tt.root, plan.Match(root), tt.query)
		require.Equal(t, tt.events, plan.Match(events), tt.query)
	}
}

func TestColumns(t *testing.T) {
	tests := []struct {
		query string
		want  vec.Columns
	}{
		{`{ }`, vec.Columns{}},
		{`{ name = "x" && duration > 1s && traceDuration > 1s && instrumentation:name = "x" }`, vec.Columns{}},
		{`{ span.a = 1 }`, vec.Columns{Keys: []string{"a"}}},
		{`{ .a = 1 }`, vec.Columns{Keys: []string{"a"}, Resource: true}},
		{`{ !(resource.a = nil) }`, vec.Columns{Resource: true}},
		{`{ event:name = "x" || link.a = 1 }`, vec.Columns{Events: true, Links: true}},
		{`{ instrumentation.a + 1 = 2 }`, vec.Columns{Scope: true}},
		{`{ span.b = span.a || !(span.a + 1 = .c) }`, vec.Columns{Keys: []string{"a", "b", "c"}, Resource: true}},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, compile(t, tt.query).Columns(), tt.query)
	}
	plan, err := engine.Compile(nil)
	require.NoError(t, err)
	require.Zero(t, plan.Columns())
}
