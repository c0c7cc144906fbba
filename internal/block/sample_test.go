package block_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/vec/vectest"
	"github.com/spanlake/spanlake/schema"
)

// What a block samples is what brute force says of its rows: with dictionaries
// and without, in columns and outside of them, from the cache and not.
func TestSamplesAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	shapes := []struct {
		rows   int
		limits block.Limits
	}{
		{1, block.Limits{}},
		{150, block.Limits{}},
		{150, block.Limits{PageRows: 16, GroupRows: 50}},
		{600, block.Limits{PageRows: 77, FrameBytes: 13, GroupRows: 300, ColumnRows: 1}},
		{600, block.Limits{PageRows: 64, Columns: 3, ColumnRows: 1}},
	}
	for range 30 / thinning {
		tt := shapes[rng.IntN(len(shapes))]
		spans := vectest.Spans(rng, tt.rows)
		slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		o, err := block.EncodeLimited(project, spans, tt.limits)
		require.NoError(t, err)
		r, err := block.NewCache(1<<20).Open(t.Context(), memory(o.Data), keyOf(o))
		require.NoError(t, err)
		if rng.IntN(2) == 0 {
			r, err = block.Open(t.Context(), memory(o.Data), keyOf(o))
			require.NoError(t, err)
		}
		held, err := r.Held(t.Context())
		require.NoError(t, err)
		requireHeld(t, spans, held)
		requireSpanIDs(t, r, spans, held.IDs)
		for range 25 {
			sampling := vectest.Sampling(rng, spans)
			want, wantLeft := vectest.Samples(sampling, spans, held.Unfolded)
			var got []vectest.Sample
			left, err := r.Sample(t.Context(), sampling, func(s *vec.Samples) error {
				list, err := vectest.Collect(sampling, s)
				got = append(got, list...)
				return err
			})
			require.NoError(t, err)
			require.Len(t, got, len(want))
			for i := range want { // NaN is what it is
				require.Equal(t, fmt.Sprintf("%+v", want[i]), fmt.Sprintf("%+v", got[i]))
			}
			require.Equal(t, wantLeft, left)
		}
	}
}

func requireHeld(t *testing.T, spans []schema.Span, held *vec.Held) {
	t.Helper()
	want := &vec.Held{}
	for _, hit := range vectest.Hits(&vec.Filter{Op: vec.OpTrue}, spans) {
		want.IDs = append(want.IDs, hit.ID)
		if !hit.Folded {
			require.Contains(t, held.Unfolded, hit.ID)
		}
	}
	require.Equal(t, want.IDs, held.IDs)
}

// requireSpanIDs asks about some traces, and about one that is not there.
func requireSpanIDs(t *testing.T, r *block.Reader, spans []schema.Span, ids []schema.TraceID) {
	t.Helper()
	asked := slices.Concat([]schema.TraceID{{}}, ids[len(ids)/3:], []schema.TraceID{{0: 0xff}})
	list, err := r.SpanIDs(t.Context(), asked)
	require.NoError(t, err)
	require.Len(t, list.Counts, len(asked))
	var want []uint64
	for i, id := range asked {
		before := len(want)
		for k := range spans {
			if spans[k].TraceID == id {
				want = append(want, binary.BigEndian.Uint64(spans[k].SpanID[:]))
			}
		}
		require.EqualValues(t, len(want)-before, list.Counts[i])
	}
	require.Equal(t, want, list.IDs)
}

func TestSampleEndsWithTheFirstError(t *testing.T) {
	spans := vectest.Spans(rand.New(rand.NewPCG(1, 1)), 100)
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 10})
	require.NoError(t, err)
	r, err := block.Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	broken, calls := errors.New("broken"), 0
	_, err = r.Sample(t.Context(), &vec.Sampling{Filter: &vec.Filter{Op: vec.OpTrue}, Until: 1 << 63}, func(*vec.Samples) error {
		calls++
		return broken
	})
	require.ErrorIs(t, err, broken)
	require.Equal(t, 1, calls)
}
