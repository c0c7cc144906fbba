package engine_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// tabulating counts spans' attributes. Keys and values lie in memory that the
// next row takes.
type tabulating struct{ memory }

func (s tabulating) Tabulate(_ context.Context, t *vec.Tabulation, table vec.Table) ([]schema.TraceID, error) {
	var row []byte
	for i := range s.spans {
		row = append(row[:0], s.spans[i].Attributes...)
		for key, v := range otlp.Attributes(row) {
			if err := table.One(vec.Field{Scope: vec.ScopeSpan, Key: key}, v, t.Cell(s.spans[i].StartNanos, true)); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

func TestCompareKeepsNoMemoryOfRows(t *testing.T) {
	var spans []schema.Span
	want := make(map[string]float64)
	for i := range 200 { // some of which a map takes for each other if their keys change
		key := strconv.Itoa(1000 + i)
		s := span(byte(i), 1, "a", 1e9, 2e9)
		s.Attributes = otlp.AppendKeyValue(nil, 9, key, schema.Value{Kind: schema.KindString, Str: key})
		spans = append(spans, s)
		want[fmt.Sprintf("{__meta_type=s:selection, span.%s=s:%s}", key, key)] = 1
		want[fmt.Sprintf("{__meta_type=s:selection_total, span.%s=s:nil}", key)] = 1
	}
	sources := [][]engine.Source{{tabulating{newMemory(spans)}}}
	result, err := engine.QueryInstant(t.Context(), compileMetrics(t, "{ } | compare({ true })"), sources, engine.MetricsOptions{EndNanos: 10e9})
	require.NoError(t, err)
	got := make(map[string]float64)
	for _, s := range normalSeries(result) {
		got[s.Labels] = s.Samples[0][1]
	}
	require.Equal(t, want, got)
}
