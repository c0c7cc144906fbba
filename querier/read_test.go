package querier_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

const allRows = "{ true }"

// inTrace are spans of one trace, the newest last.
func inTrace(id byte, n int) (spans []schema.Span) {
	for i := range n {
		s := ago(id, time.Minute-time.Duration(i)*time.Second)
		s.SpanID = schema.SpanID{6: id, 7: byte(i + 1)}
		spans = append(spans, s)
	}
	return spans
}

// Lists are about so many traces and spans, and no more.
func TestSelectLimits(t *testing.T) {
	w := newWorld(t, nil)
	w.storeRows(slices.Concat(inTrace(1, 3), inTrace(2, 2)))
	for _, tt := range []struct {
		name          string
		traces, spans int
		perRow        bool
		want          int // 0: refused
	}{
		{"as many traces as may be", 2, 100, false, 2},
		{"a trace too many", 1, 100, false, 0},
		{"as many spans as may be", 2, 5, true, 5},
		{"a span too many", 2, 4, true, 0},
	} {
		w.q.SetMaxFound(tt.traces, tt.spans)
		rows, err := w.q.Select(t.Context(), schema.DefaultProject, querier.Selection{Rows: allRows, PerRow: tt.perRow})
		if tt.want == 0 {
			require.ErrorContains(t, err, "narrow the range of time", tt.name)
			continue
		}
		require.NoError(t, err, tt.name)
		require.Len(t, rows, tt.want, tt.name)
		require.True(t, slices.IsSortedFunc(rows, querier.CompareRows), tt.name)
	}
}

// A list goes back as far as searches may, if it names no time.
func TestReadRange(t *testing.T) {
	w := newWorld(t, nil)
	now := time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)
	nanos := func(d time.Duration) uint64 { return uint64(now.Add(d).UnixNano()) } //nolint:gosec // after 1970
	const week = 7 * 24 * time.Hour
	from, to, err := w.q.Range(0, 0, now)
	require.NoError(t, err)
	require.Equal(t, nanos(time.Minute), to)
	require.Equal(t, uint64(week), to-from)
	_, _, err = w.q.Range(nanos(-week), 0, now)
	require.NoError(t, err, "as long as it may be")
	_, _, err = w.q.Range(nanos(-week-time.Second), 0, now)
	require.ErrorContains(t, err, "querier.max-search-range")
	_, _, err = w.q.Range(nanos(0), nanos(0), now)
	require.ErrorContains(t, err, "ends before it begins")
	_, to, err = w.q.Range(0, 5, now)
	require.NoError(t, err)
	require.EqualValues(t, 5, to)
}

// Every trace is read once and whole, in the order that was asked for, also if it is
// read bit by bit; one that is not there is left out.
func TestReadTraces(t *testing.T) {
	w := newWorld(t, nil)
	w.storeRows(slices.Concat(inTrace(1, 3), inTrace(2, 2)))
	w.storeIn("other", inTrace(3, 1))
	for _, inMemory := range []int64{150, 1 << 20} {
		w.q.SetTraceInMemory(inMemory)
		var got []int
		err := w.q.ReadTraces(t.Context(), schema.DefaultProject, []schema.TraceID{{15: 2}, {15: 3}, {15: 1}}, func(spans []schema.Span) error {
			got = append(got, int(spans[0].TraceID[15]), len(spans))
			return nil
		})
		require.NoError(t, err)
		if inMemory == 150 {
			require.Equal(t, []int{2, 1}, []int{got[0], got[2]}, "of a large one there are the first spans")
			require.Less(t, got[3], 3)
			continue
		}
		require.Equal(t, []int{2, 2, 1, 3}, got)
	}
	err := w.q.ReadTraces(t.Context(), schema.DefaultProject, []schema.TraceID{{15: 2}, {15: 1}}, func([]schema.Span) error { return http.ErrAbortHandler })
	require.ErrorIs(t, err, http.ErrAbortHandler)
}
