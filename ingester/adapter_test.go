package ingester_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// pieceOf is a piece of the span of a trace.
func pieceOf(n int, kind schema.Fragment, nanos uint64, change func(*schema.Span)) schema.Span {
	id := traceID(n)
	s := schema.Span{
		TraceID: id, SpanID: schema.SpanID(id[8:]), Fragment: kind, FragmentNanos: nanos,
		Resource: otlp.NewResource(), Scope: otlp.NewScope("test", ""),
	}
	change(&s)
	return s
}

// The pieces of a span, the later one first, in a block and in the log behind it:
// each source says that the trace is open, and together they are one span.
func TestPiecesOfSpans(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 1})
	r, b := w.receiver(), w.builder()
	const hour = 3_600_000_000_000
	create := pieceOf(1, schema.FragmentCreate, 1e18, func(s *schema.Span) { s.Name, s.StartNanos = "work", 1e18 })
	update := pieceOf(1, schema.FragmentUpdate, 1e18+3*hour, func(s *schema.Span) {
		s.EndNanos, s.Attributes = 1e18+2*hour, otlp.AppendAttribute(nil, "a", schema.Value{Kind: schema.KindInt, Int: 7})
	})
	timeless := pieceOf(2, schema.FragmentUpdate, 1e18+5*hour, func(s *schema.Span) { s.Name = "nothing else" })
	for _, s := range []schema.Span{update, timeless} {
		result, err := r.Store(t.Context(), "p", []schema.Span{s})
		require.NoError(t, err)
		require.Zero(t, result)
	}
	w.flush(b)
	_, err := r.Store(t.Context(), "p", []schema.Span{create})
	require.NoError(t, err)

	joined, err := w.catalog().Join(t.Context(), b, "p", []int{0}, nil)
	require.NoError(t, err)
	require.Len(t, joined.Blocks, 1)
	require.True(t, joined.Blocks[0].Open)
	require.EqualValues(t, 1e18+5*hour, joined.Blocks[0].MaxEnd, "a piece without times is as old as the piece")
	rows := w.blockRows(joined.Blocks[0])
	require.Len(t, joined.Segments, 1)
	open, err := joined.Segments[0].(engine.FragmentSource).OpenTraces(t.Context())
	require.NoError(t, err)
	require.Equal(t, []schema.TraceID{traceID(1)}, open)
	live, err := joined.Segments[0].Traces(t.Context(), open, vec.AllColumns())
	require.NoError(t, err)
	require.Len(t, live, 1)
	rows = slices.DeleteFunc(append(rows, live...), func(s schema.Span) bool { return s.TraceID != traceID(1) })
	require.Len(t, rows, 2)
	spans := engine.Fold(rows, nil)
	require.Len(t, spans, 1)
	require.Equal(t, "work", spans[0].Name)
	require.EqualValues(t, 2*hour, spans[0].DurationNanos())
	require.NotEmpty(t, spans[0].Attributes)
	require.Empty(t, spans[0].Rest, "nothing of the mark is left")
}

// An adapter answers with the same limits and statuses as OTLP.
func TestAdapters(t *testing.T) {
	w := newWorld(t, logmem.Options{Partitions: 1})
	w.cfg.MaxRequestBytes = 10
	r := w.receiver()
	read := func(body string, headers ...string) (string, int) {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		got, release, err := r.ReadBody(req)
		if err != nil {
			return "", ingester.StatusOf(http.Header{}, err)
		}
		defer release()
		return string(got), http.StatusOK
	}
	got, status := read("0123456789")
	require.Equal(t, "0123456789", got)
	require.Equal(t, http.StatusOK, status)
	_, status = read("0123456789x")
	require.Equal(t, http.StatusRequestEntityTooLarge, status)
	_, status = read("x", "Content-Encoding", "gzip")
	require.Equal(t, http.StatusBadRequest, status)
	_, status = read("x", "Content-Encoding", "br")
	require.Equal(t, http.StatusUnsupportedMediaType, status)

	result, err := r.Store(t.Context(), "p", nil)
	require.NoError(t, err)
	require.Zero(t, result)
	w.stop(r)
	_, err = r.Store(t.Context(), "p", []schema.Span{pieceOf(1, schema.FragmentCreate, 1, func(*schema.Span) {})})
	header := http.Header{}
	require.Equal(t, http.StatusServiceUnavailable, ingester.StatusOf(header, err))
	require.Equal(t, "1", header.Get("Retry-After"))

	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", http.NoBody)
	id, err := ingester.ProjectOf(req)
	require.NoError(t, err)
	require.Equal(t, schema.DefaultProject, id)
	req.Header.Set(ingester.HeaderProject, "../x")
	_, err = ingester.ProjectOf(req)
	require.Equal(t, http.StatusBadRequest, ingester.StatusOf(header, err))
}
