package engine_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/vec/vectest"
	"github.com/spanlake/spanlake/schema"
)

// Rows decides random filters on random rows as brute force does, and what a
// Memory yields follows from that.
func TestMemoryFindsWhatHolds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		spans := vectest.Spans(rng, 1+rng.IntN(150))
		source := newMemory(spans)
		rows := engine.NewRows()
		for range 40 {
			f := vectest.Filter(rng, rng.IntN(4))
			selected, err := rows.Select(spans, f)
			require.NoError(t, err)
			for i := range spans {
				require.Equal(t, vectest.Holds(f, &spans[i]), selected.Has(i))
			}
			requireScan(t, source, f)
			require.Equal(t, vectest.Hits(f, spans), findAll(t, source, f))
		}
	}
}

func requireScan(t *testing.T, source memory, f *vec.Filter) {
	t.Helper()
	var want, got []uint64 // positions
	for i := range source.spans {
		if vectest.Holds(f, &source.spans[i]) {
			want = append(want, source.spans[i].Position)
		}
	}
	for chunk, err := range source.Scan(t.Context(), f, vec.AllColumns()) {
		require.NoError(t, err)
		require.NotEmpty(t, chunk)
		for i := range chunk {
			got = append(got, chunk[i].Position)
		}
	}
	require.Equal(t, want, got)
}

func findAll(t *testing.T, source engine.Source, f *vec.Filter) []vec.Hit {
	t.Helper()
	var hits []vec.Hit
	for chunk, err := range source.Find(t.Context(), f) {
		require.NoError(t, err)
		hits = append(hits, chunk...)
	}
	slices.SortFunc(hits, func(a, b vec.Hit) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return hits
}

// Rows that come while a source is in use are not its rows.
func TestMemoryIsAPrefix(t *testing.T) {
	spans := vectest.Spans(rand.New(rand.NewPCG(1, 2)), 100)
	index := make(map[schema.TraceID][]int32)
	for i := range spans {
		index[spans[i].TraceID] = append(index[spans[i].TraceID], int32(i))
	}
	source := engine.NewMemory([][]schema.Span{spans[:7], spans[7:40]}, func(id schema.TraceID) []int32 { return index[id] })
	everything := &vec.Filter{Op: vec.OpTrue}
	require.Equal(t, vectest.Hits(everything, spans[:40]), findAll(t, source, everything))
	require.Equal(t, 40, source.Spans())
	for id := range index {
		want := slices.DeleteFunc(slices.Clone(spans[:40]), func(s schema.Span) bool { return s.TraceID != id })
		slices.SortFunc(want, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		got, err := source.Traces(t.Context(), []schema.TraceID{id}, vec.AllColumns())
		require.NoError(t, err)
		require.ElementsMatch(t, want, got)
		held, err := source.MayHold(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, len(want) > 0, held)
	}
}
