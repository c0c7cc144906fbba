package block_test

import (
	"bytes"
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

// What a block adds up is what its rows amount to, and it calls itself pure only
// where every value is a number.
func TestTotalsAreThoseOfRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	all := []block.Limits{{}, {PageRows: 16, GroupRows: 50}, {PageRows: 77, GroupRows: 300, ColumnRows: 1}, {PageRows: 64, Columns: 3, ColumnRows: 1}}
	pure := 0
	for range 30 / thinning {
		spans := vectest.Spans(rng, []int{1, 150, 600}[rng.IntN(3)])
		slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		o, err := block.EncodeLimited(project, spans, all[rng.IntN(len(all))])
		require.NoError(t, err)
		r, err := block.NewCache(1<<20).Open(t.Context(), memory(o.Data), keyOf(o))
		require.NoError(t, err)
		for range 20 {
			number := vec.Column{{Scope: vec.ScopeIntrinsic, Key: vec.Duration}}
			if s := vectest.Sampling(rng, spans); s.Number != nil {
				number = s.Number
			}
			filter := vectest.Filter(rng, rng.IntN(3))
			totals, err := r.Totals(t.Context(), filter, number)
			require.NoError(t, err)
			want := totalsOf(filter, number, spans)
			require.Equal(t, fmt.Sprintf("%+v", want.Of), fmt.Sprintf("%+v", totals.Of)) // NaN is what it is
			if totals.Pure {
				require.True(t, want.Pure)
				pure++
			}
		}
	}
	require.NotZero(t, pure)
}

func totalsOf(filter *vec.Filter, number vec.Column, spans []schema.Span) *vec.Totals {
	totals := &vec.Totals{Pure: true}
	for i := range spans {
		s := &spans[i]
		if !vectest.Holds(filter, s) {
			continue
		}
		v := vectest.ColumnValue(number, s)
		if v.Kind != schema.KindInt && v.Kind != schema.KindDouble {
			totals.Pure = totals.Pure && v.Kind == schema.KindEmpty
			continue
		}
		if n := len(totals.Of); n == 0 || totals.Of[n-1].ID != s.TraceID {
			totals.Of = append(totals.Of, vec.Total{ID: s.TraceID})
		}
		if total := &totals.Of[len(totals.Of)-1]; v.Kind == schema.KindInt {
			total.AddInt(v.Int)
		} else {
			total.AddFloat(v.Double)
		}
	}
	slices.SortStableFunc(totals.Of, func(a, b vec.Total) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return totals
}
