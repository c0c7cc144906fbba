package phoenix

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// nothing is stored anywhere.
func nothing() *ingester.Lookup { return ingester.NewLookup("", nil) }

func read(t testing.TB, of target, annotation string) (schema.Span, error) {
	t.Helper()
	list, err := readAnnotations([]byte(`{"data":[` + annotation + `]}`))
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0].span(t.Context(), of, nothing(), noon)
}

func requireStorable(t testing.TB, span schema.Span) {
	t.Helper()
	split, err := new(otlp.Splitter).Split(otlp.AppendRequest(nil, []schema.Span{span}), 1, 1<<30)
	require.NoError(t, err)
	require.Zero(t, split.Rejected, split.Reason)
}

func TestAnnotations(t *testing.T) {
	const span, trace = "67f6740bbe1ddc3f", "0af7651916cd43dd8448eb211c80319c"
	spanID, err := schema.ParseSpanID(span)
	require.NoError(t, err)
	traceID, err := schema.ParseTraceID(trace)
	require.NoError(t, err)
	for _, test := range []struct {
		name, annotation string
		of               target
		trace            schema.TraceID
		parent           schema.SpanID
		want             map[string]schema.Value
	}{
		{
			"a span", `{"span_id":"` + span + `","name":"n","annotator_kind":"HUMAN","result":{"label":"l","score":1,"explanation":"e"},"metadata":{"k":7},"identifier":"i"}`,
			ofSpan, ingester.UnknownTrace(spanID), spanID,
			map[string]schema.Value{
				"gen_ai.evaluation.name": text("n"), "gen_ai.evaluation.score.value": {Kind: schema.KindDouble, Double: 1},
				"gen_ai.evaluation.score.label": text("l"), "gen_ai.evaluation.explanation": text("e"), "spanlake.score.annotator": text("HUMAN"),
				"spanlake.score.data_type": text("NUMERIC"), "spanlake.score.id": text("i"), "metadata.k": {Kind: schema.KindInt, Int: 7}, "spanlake.kind": text("score"),
			},
		},
		{
			"a trace", `{"trace_id":"` + strings.ToUpper(trace) + `","name":"n","result":{"label":"l"},"metadata":null}`, ofTrace, traceID,
			schema.SpanID{},
			map[string]schema.Value{"spanlake.score.data_type": text("CATEGORICAL"), "gen_ai.evaluation.score.value": {}},
		},
		{
			"a session", `{"session_id":"s","name":"n"}`, ofSession, ingester.SessionTrace("s"),
			schema.SpanID{},
			map[string]schema.Value{"session.id": text("s"), "spanlake.score.data_type": {}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(t, test.of, test.annotation)
			require.NoError(t, err)
			requireStorable(t, s)
			require.Equal(t, test.trace, s.TraceID)
			require.Equal(t, test.parent, s.ParentSpanID)
			require.Equal(t, schema.FragmentScore, s.Fragment)
			for key, want := range test.want {
				got, _ := otlp.Lookup(s.Attributes, key)
				require.Equal(t, want, got, key)
			}
		})
	}
	require.Equal(t, "0cb43d057d48981d", ingester.SessionTrace("s").String()[:16])
}

func text(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }

// Name and identifier say which annotation of a target another one replaces.
func TestWhatReplaces(t *testing.T) {
	id := func(annotation string) schema.SpanID {
		s, err := read(t, ofSpan, annotation)
		require.NoError(t, err)
		return s.SpanID
	}
	first := id(`{"span_id":"67f6740bbe1ddc3f","name":"n","identifier":"i","result":{"score":1}}`)
	require.Equal(t, first, id(`{"span_id":"67F6740BBE1DDC3F","name":"n","identifier":"i","result":{"score":2}}`))
	require.NotEqual(t, first, id(`{"span_id":"67f6740bbe1ddc3f","name":"n"}`))
	require.NotEqual(t, first, id(`{"span_id":"67f6740bbe1ddc3f","name":"m","identifier":"i"}`))
	require.NotEqual(t, first, id(`{"span_id":"67f6740bbe1ddc3e","name":"n","identifier":"i"}`))
}

func TestBadAnnotations(t *testing.T) {
	for _, test := range []struct {
		name, annotation string
		of               target
	}{
		{"no name", `{"span_id":"67f6740bbe1ddc3f"}`, ofSpan},
		{"no span", `{"name":"n"}`, ofSpan},
		{"no digits", `{"name":"n","span_id":"span"}`, ofSpan},
		{"only zeros", `{"name":"n","span_id":"0000000000000000"}`, ofSpan},
		{"too many digits", `{"name":"n","span_id":"67f6740bbe1ddc3f0"}`, ofSpan},
		{"no trace", `{"name":"n"}`, ofTrace},
		{"a trace of zeros", `{"name":"n","trace_id":"0"}`, ofTrace},
		{"no session", `{"name":"n"}`, ofSession},
		{"null", `null`, ofSession},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := read(t, test.of, test.annotation)
			require.ErrorIs(t, err, ingester.ErrBadRequest)
		})
	}
	for _, body := range []string{``, `{`, `[]`, `{"data":7}`, `{"data":[7]}`} {
		_, err := readAnnotations([]byte(body))
		require.ErrorIs(t, err, ingester.ErrBadRequest, body)
	}
}

func TestTooManyAnnotations(t *testing.T) {
	list := func(n int) []byte {
		return []byte(`{"data":[` + strings.TrimSuffix(strings.Repeat(`{},`, n), ",") + `]}`)
	}
	_, err := readAnnotations(list(maxAnnotations))
	require.NoError(t, err)
	_, err = readAnnotations(list(maxAnnotations + 1))
	require.ErrorIs(t, err, ingester.ErrTooLarge)
}

// FuzzAnnotations: of whatever is sent either nothing is taken, or rows that can be
// stored.
func FuzzAnnotations(f *testing.F) {
	f.Add([]byte(`{"data":[{"span_id":"67f6740bbe1ddc3f","name":"n","result":{"label":"l","score":1,"explanation":"e"},"metadata":{"k":[7]},"identifier":"i"}]}`))
	f.Add([]byte(`{"data":[{"trace_id":"0af7651916cd43dd8448eb211c80319c","session_id":"s","name":"n","result":{"score":"0.5"}}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		list, err := readAnnotations(body)
		for i := range list {
			for _, of := range []target{ofSpan, ofTrace, ofSession} {
				var span schema.Span
				if span, err = list[i].span(t.Context(), of, nothing(), noon); err == nil {
					requireStorable(t, span)
				}
			}
		}
		require.True(t, err == nil || errors.Is(err, ingester.ErrBadRequest) || errors.Is(err, ingester.ErrTooLarge))
	})
}
