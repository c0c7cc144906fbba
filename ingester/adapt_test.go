package ingester_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/otlp"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// An adapter returns what it wants to say, or an error, and clients get JSON.
func TestAdapt(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 1})
	w.cfg.MaxRequestBytes = 10
	r := w.receiver()
	for _, test := range []struct {
		name, body string
		err        error
		code       int
		want       string
		retryAfter string
	}{
		{"a reply", "0123456789", nil, http.StatusAccepted, `{"got":"p 0123456789"}`, ""},
		{"a large body", "0123456789x", nil, http.StatusRequestEntityTooLarge, `{"message":"the request is too large: more than 10 bytes after decompression"}`, ""},
		{"a bad body", "", fmt.Errorf("%w: so", ingester.ErrBadRequest), http.StatusBadRequest, `{"message":"the request cannot be read: so"}`, ""},
		{"too much", "", fmt.Errorf("%w: so", ingester.ErrTooLarge), http.StatusRequestEntityTooLarge, `{"message":"the request is too large: so"}`, ""},
		{"overload", "", &ingester.RefusedError{Err: errors.New("so"), RetryAfter: 2 * time.Second, Overloaded: true}, http.StatusTooManyRequests, `{"message":"so"}`, "2"},
		{"away", "", &ingester.RefusedError{Err: errors.New("so"), RetryAfter: time.Second}, http.StatusServiceUnavailable, `{"message":"so"}`, "1"},
		{"another process", "", fmt.Errorf("%w: so", ingester.ErrNotHere), http.StatusNotImplemented, `{"message":"not here: so"}`, ""},
		{"a fault", "", errors.New("so"), http.StatusInternalServerError, `{"message":"so"}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			handler := r.Adapt(func(req *ingester.Request) (int, any, error) {
				return http.StatusAccepted, map[string]string{"got": string(req.Project) + " " + string(req.Body)}, test.err
			})
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(test.body))
			req.Header.Set(ingester.HeaderProject, "p")
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, req)
			require.Equal(t, test.code, recorder.Code)
			require.JSONEq(t, test.want, recorder.Body.String())
			require.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
			require.Equal(t, test.retryAfter, recorder.Header().Get("Retry-After"))
		})
	}
	recorder := httptest.NewRecorder()
	ingester.WriteJSON(recorder, http.StatusOK, json.RawMessage("{"))
	require.Equal(t, http.StatusInternalServerError, recorder.Code)
}

// fewSpans has spans 1 to 100 in trace 7 and fails for span 255.
type fewSpans struct{ asked int }

func (f *fewSpans) TraceOf(_ context.Context, _ schema.ProjectID, span schema.SpanID) (schema.TraceID, bool, error) {
	f.asked++
	if span[7] == 255 {
		return schema.TraceID{}, false, errors.New("so")
	}
	return traceID(7), span[7] <= 100 && span[6] == 0, nil
}

func (f *fewSpans) LastOf(context.Context, schema.ProjectID, string) (uint64, bool, error) {
	return 0, false, nil
}

func TestLookup(t *testing.T) {
	spans := new(fewSpans)
	lookup := ingester.NewLookup("p", spans)
	for range 2 {
		trace, found := lookup.Trace(t.Context(), schema.SpanID{7: 1})
		require.True(t, found)
		require.Equal(t, traceID(7), trace)
		_, found = lookup.Trace(t.Context(), schema.SpanID{7: 101})
		require.False(t, found)
	}
	require.Equal(t, 2, spans.asked, "each once")
	for n := range 98 {
		lookup.Trace(t.Context(), schema.SpanID{6: 1, 7: byte(n)})
	}
	require.NoError(t, lookup.Err())
	_, found := lookup.Trace(t.Context(), schema.SpanID{7: 2})
	require.False(t, found)
	require.ErrorIs(t, lookup.Err(), ingester.ErrTooLarge)
	require.Equal(t, 100, spans.asked)

	lookup = ingester.NewLookup("p", spans)
	_, found = lookup.Trace(t.Context(), schema.SpanID{7: 255})
	require.False(t, found)
	var refused *ingester.RefusedError
	require.ErrorAs(t, lookup.Err(), &refused)
	_, found = lookup.Trace(t.Context(), schema.SpanID{7: 1})
	require.False(t, found, "nothing after a failure")

	_, found = ingester.NewLookup("p", nil).Trace(t.Context(), schema.SpanID{7: 1})
	require.False(t, found)
}

func TestScore(t *testing.T) {
	half := 0.5
	score := ingester.Score{Trace: traceID(1), Span: schema.SpanID{7: 1}, Key: "k", Nanos: 9, Name: "n", Value: &half, Label: "l"}
	row := score.Row("test")
	require.Equal(t, schema.FragmentScore, row.Fragment)
	require.Equal(t, schema.SpanID{7: 1}, row.ParentSpanID)
	require.EqualValues(t, 9, row.FragmentNanos)
	v, _ := otlp.Lookup(row.Attributes, "gen_ai.evaluation.score.value")
	require.Equal(t, schema.Value{Kind: schema.KindDouble, Double: 0.5}, v)
	_, there := otlp.Lookup(row.Attributes, "gen_ai.evaluation.explanation")
	require.False(t, there, "what was not said is not there")
	other := score
	other.Key = "other"
	require.NotEqual(t, row.SpanID, other.Row("test").SpanID)
	require.NotEqual(t, ingester.SessionTrace("x"), ingester.UnknownTrace(schema.SpanID{7: 1}))
}
