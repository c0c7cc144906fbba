package conversation_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func text(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }

// span is one of a trace, with attributes by pairs.
func span(id, parent byte, start uint64, attributes ...any) schema.Span {
	s := schema.Span{
		TraceID: schema.TraceID{15: 1}, SpanID: schema.SpanID{7: id}, ParentSpanID: schema.SpanID{7: parent}, StartNanos: start, EndNanos: start + 5,
		Name: string('a' + rune(id)), Resource: otlp.NewResource(), Scope: otlp.NewScope("", ""),
	}
	for i := 0; i+1 < len(attributes); i += 2 {
		key, _ := attributes[i].(string)
		value, _ := attributes[i+1].(schema.Value)
		s.Attributes = otlp.AppendAttribute(s.Attributes, key, value)
	}
	return s
}

func TestOf(t *testing.T) {
	number := func(v float64) schema.Value { return schema.Value{Kind: schema.KindDouble, Double: v} }
	count := func(n int64) schema.Value { return schema.Value{Kind: schema.KindInt, Int: n} }
	usage := []any{schema.UsageClass, text(schema.UsageLLM), "gen_ai.usage.input_tokens", count(3), "gen_ai.usage.cost", number(0.5), "gen_ai.request.model", text("m")}
	kind := func(k string) []any { return []any{"spanlake.kind", text(k)} }
	for _, tt := range []struct {
		name         string
		spans        []schema.Span
		id, root     string
		parents      []string
		scores       int
		input        int64
		cost         float64
		models, user string
	}{
		{name: "one", spans: []schema.Span{span(1, 0, 10, "user.id", text("u"))}, root: "b", parents: []string{""}, user: "u"},
		{
			name:  "usage that is repeated above counts once",
			spans: []schema.Span{span(1, 0, 10, usage...), span(2, 1, 11, usage...)}, root: "b", parents: []string{"", "0000000000000001"}, input: 3, cost: 0.5, models: "m",
		},
		{name: "the root is missing", spans: []schema.Span{span(3, 2, 10), span(2, 1, 11)}, root: "d", parents: []string{"0000000000000002", "0000000000000001"}},
		{name: "a circle", spans: []schema.Span{span(2, 3, 10), span(3, 2, 11), span(4, 4, 12)}, root: "c", parents: []string{"0000000000000003", "0000000000000002", "0000000000000004"}},
		{
			name:  "a row that stands for the trace is above nothing",
			spans: []schema.Span{span(1, 0, 10, append(kind("trace"), "langfuse.trace.id", text("mine"))...), span(2, 1, 11)}, id: "mine", root: "b", parents: []string{""},
		},
		{name: "scores alone", spans: []schema.Span{span(9, 0, 10, append(kind("score"), "session.id", text("s"))...)}, scores: 1},
		{name: "types that do not fit", spans: []schema.Span{span(1, 0, 10, "user.id", count(1), "spanlake.tags", count(1), "gen_ai.usage.input_tokens", text("3"), "gen_ai.usage.cost", text("x"))}, root: "b", parents: []string{""}},
	} {
		c := conversation.Of(tt.spans)
		if tt.id == "" {
			tt.id = "00000000000000000000000000000001"
		}
		require.Equal(t, tt.id, c.ID, tt.name)
		if tt.root == "" {
			require.Nil(t, c.Root, tt.name)
		} else {
			require.Equal(t, tt.root, c.Root.Span.Name, tt.name)
		}
		var parents []string
		for _, o := range c.Observations {
			parents = append(parents, o.ParentID)
		}
		require.Equal(t, tt.parents, parents, tt.name)
		require.Len(t, c.Scores, tt.scores, tt.name)
		require.Equal(t, tt.input, c.Usage.Input, tt.name)
		require.Equal(t, tt.cost > 0, c.Usage.HasCost, tt.name)
		require.InDelta(t, tt.cost, c.Usage.Cost, 1e-12, tt.name)
		require.Equal(t, tt.models != "", len(c.Models) == 1, tt.name)
		require.Equal(t, tt.user, c.User, tt.name)
	}
}

// What a score is about follows from where it lies.
func TestScores(t *testing.T) {
	score := func(parent byte, attributes ...any) []schema.Span {
		list := append([]any{"spanlake.kind", text("score"), "gen_ai.evaluation.score.value", schema.Value{Kind: schema.KindDouble, Double: math.NaN()}}, attributes...)
		return []schema.Span{span(1, 0, 10), span(2, 1, 11), span(9, parent, 20, list...)}
	}
	const trace = "00000000000000000000000000000001"
	for _, tt := range []struct {
		name                        string
		spans                       []schema.Span
		trace, observation, session string
	}{
		{"a trace", score(0), trace, "", ""},
		{"a span", score(2), trace, "0000000000000002", ""},
		{"a span that is not there", score(7), trace, "0000000000000007", ""},
		{"a span that is not there, by its client's id", score(7, "langfuse.observation.id", text("o")), trace, "o", ""},
		{"a session", score(0, "session.id", text("s")), "", "", "s"},
		{"a trace of a session", score(2, "session.id", text("s")), trace, "0000000000000002", "s"},
	} {
		c := conversation.Of(tt.spans)
		require.Len(t, c.Scores, 1, tt.name)
		s := c.Scores[0]
		require.Equal(t, [3]string{tt.trace, tt.observation, tt.session}, [3]string{s.TraceID, s.ObservationID, s.Session}, tt.name)
		require.Equal(t, "NUMERIC", s.DataType)
		require.EqualValues(t, 16, c.EndNanos, "a score does not make a trace longer")
	}
}
