package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// fixedMemory never changes. It counts how many traces are read from it.
type fixedMemory struct {
	memory

	name string
	read *int
}

func (f fixedMemory) Identity() string { return f.name }

func (f fixedMemory) Traces(ctx context.Context, ids []schema.TraceID, c vec.Columns) ([]schema.Span, error) {
	*f.read += len(ids)
	return f.memory.Traces(ctx, ids, c)
}

// twice are 3 traces in 2 sources: 4 of their spans are there twice, 2 of them in
// one source, and the copies differ.
func twice(read *int) []engine.Source {
	const s = uint64(time.Second)
	richer := func(span *schema.Span) { span.StatusMessage = "longer" }
	first := []schema.Span{
		span(1, 1, "a", 1*s, 2*s), span(1, 1, "a", 11*s, 12*s, richer), span(1, 2, "b", 2*s, 3*s),
		span(2, 1, "a", 3*s, 4*s), span(3, 1, "c", 4*s, 5*s),
	}
	second := []schema.Span{
		span(1, 2, "b2", 12*s, 13*s, richer), span(2, 1, "a", 3*s, 4*s), span(2, 2, "c", 14*s, 15*s),
		span(3, 2, "a", 5*s, 6*s), span(3, 2, "a", 15*s, 16*s, richer),
	}
	return []engine.Source{fixedMemory{newMemory(first), "first", read}, fixedMemory{newMemory(second), "second", read}}
}

// Which rows stay is found out once, as long as it is little enough; the answers
// are the same.
func TestMetricsRememberWhichRowsStay(t *testing.T) {
	const s = uint64(time.Second)
	q, err := traceql.Parse("{ } | count_over_time() by (name)")
	require.NoError(t, err)
	plan, err := engine.CompileMetrics(q)
	require.NoError(t, err)
	ask := func(repeats *engine.Repeats) (*engine.MetricsResult, int) {
		read := 0
		result, err := engine.QueryRange(t.Context(), plan, [][]engine.Source{twice(&read)}, engine.MetricsOptions{
			StartNanos: 0, EndNanos: 20 * s, StepNanos: 10 * s, Repeats: repeats,
		})
		require.NoError(t, err)
		return result, read
	}
	want, _ := ask(nil)
	total := 0.0
	for _, series := range want.Series {
		for _, v := range series.Values {
			total += v
		}
	}
	require.InDelta(t, 6, total, 0, "spans, each once")
	enough := engine.NewRepeats()
	ask(enough)
	bytes := enough.Bytes()
	for _, tt := range []struct {
		name       string
		repeats    *engine.Repeats
		remembered bool // which rows stay
		kept       bool
	}{
		{"as it is", engine.NewRepeats(), true, true},
		{"as many traces", engine.NewLimitedRepeats(1<<20, 3, 1<<20), true, true},
		{"too many traces", engine.NewLimitedRepeats(1<<20, 2, 1<<20), false, true},
		{"as many bytes", engine.NewLimitedRepeats(bytes, 3, bytes-32), true, true},
		{"too many bytes of rows", engine.NewLimitedRepeats(1<<20, 3, bytes-33), false, true},
		{"too many bytes", engine.NewLimitedRepeats(bytes-1, 3, bytes), true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := ask(tt.repeats)
			require.Equal(t, want, got)
			require.Equal(t, tt.kept, tt.repeats.Bytes() > 0)
			got, read := ask(tt.repeats)
			require.Equal(t, want, got)
			require.Equal(t, tt.remembered && tt.kept, read == 0)
		})
	}
}
