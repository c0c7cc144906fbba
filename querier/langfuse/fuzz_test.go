package langfuse

import (
	"math"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// FuzzParameters: whatever stands in a parameter is a value in a query of the same
// form, never a part of the query, and no cursor makes rows of its own.
func FuzzParameters(f *testing.F) {
	for _, text := range []string{"", "a", `" } || { true`, "\\", "\x00\u00a0\u2028'`", "\xff", "a,b", "1e400", "NaN", "eyJzIjoxLCJ0IjoiIiwiaSI6IiJ9"} {
		f.Add(text)
	}
	stages := func(t *testing.T, text string) int {
		t.Helper()
		query, err := traceql.Parse(text)
		require.NoError(t, err, "%q", text)
		return len(query.Pipeline)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values := url.Values{}
		for _, name := range []string{
			"userId", "sessionId", "tags", "traceTags", "name", "version", "release", "environment", "parentObservationId",
			"scoreIds", "id", "dataType", "configId", "queueId", "authorUserId", "observationId", "value",
		} {
			values.Set(name, text)
		}
		require.Equal(t, 1, stages(t, tracesQuery(values)))
		o, err := observationsFilter(values)
		require.NoError(t, err)
		require.Equal(t, 1, stages(t, o.String()))
		_, err = querier.Matcher(o.String())
		require.NoError(t, err)
		s, err := scoresFilter(values)
		require.NoError(t, err)
		_, err = querier.Matcher(s.String())
		require.NoError(t, err)

		rows := []querier.Row{{Trace: schema.TraceID{1}, StartNanos: math.MaxUint64}, {Trace: schema.TraceID{2}, StartNanos: 5}}
		left, err := after(rows, text)
		if err != nil {
			require.True(t, querier.IsRequestError(err))
		}
		require.LessOrEqual(t, len(left), len(rows))
	})
}

// What is behind a row is what a cursor finds, also when the row itself is gone.
func TestCursor(t *testing.T) {
	rows := []querier.Row{
		{Trace: schema.TraceID{2}, Span: schema.SpanID{2}, StartNanos: 7},
		{Trace: schema.TraceID{2}, Span: schema.SpanID{1}, StartNanos: 7},
		{Trace: schema.TraceID{1}, Span: schema.SpanID{9}, StartNanos: 7},
		{Trace: schema.TraceID{3}, Span: schema.SpanID{1}, StartNanos: 6},
	}
	for i := range rows {
		left, err := after(rows, cursorOf(&rows[i]))
		require.NoError(t, err)
		require.Equal(t, rows[i+1:], left)
		without := append(append([]querier.Row{}, rows[:i]...), rows[i+1:]...)
		left, err = after(without, cursorOf(&rows[i]))
		require.NoError(t, err)
		require.Equal(t, rows[i+1:], left)
	}
}

// An answer is as large as it may be, and no larger.
func TestReplyLimit(t *testing.T) {
	var p page
	p.bytes = maxReplyBytes - 2
	require.NoError(t, p.add("")) // two quotes
	require.ErrorContains(t, p.add(""), "ask for fewer at once with limit")
}
