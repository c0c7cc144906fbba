package vec_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/vec"
)

// world is rows in memory that know which predicates hold for them, and note
// what they are asked.
type world struct {
	t     *testing.T
	n     int
	holds map[*vec.Predicate]rows
	costs map[*vec.Predicate]int
	asked []question
	fails *vec.Predicate // is answered with errBroken
}

type question struct {
	p    *vec.Predicate
	rows rows
}

var errBroken = errors.New("broken rows")

func (w *world) Cost(p *vec.Predicate) int { return w.costs[p] }

func (w *world) Test(p *vec.Predicate, selected vec.Bitmap) error {
	w.t.Helper()
	require.Contains(w.t, w.holds, p)
	require.True(w.t, selected.Any(), "asked of no rows")
	asked := make(rows, w.n)
	for i := range asked {
		asked[i] = selected.Has(i)
		if asked[i] && !w.holds[p][i] {
			selected.Unset(i)
		}
	}
	w.asked = append(w.asked, question{p, asked})
	if p == w.fails {
		return errBroken
	}
	return nil
}

// predicate adds one that holds for random rows.
func (w *world) predicate(rng *rand.Rand) *vec.Predicate {
	p := &vec.Predicate{}
	w.holds[p] = randomRows(rng, w.n)
	w.costs[p] = rng.IntN(4)
	return p
}

func newWorld(t *testing.T, n int) *world {
	t.Helper()
	return &world{t: t, n: n, holds: map[*vec.Predicate]rows{}, costs: map[*vec.Predicate]int{}}
}

// randomFilter is a tree of at most this depth.
func randomFilter(rng *rand.Rand, w *world, depth int) *vec.Filter {
	kind := rng.IntN(10)
	if depth == 0 {
		kind = rng.IntN(4)
	}
	switch {
	case kind == 0 && rng.IntN(3) == 0:
		return &vec.Filter{Op: vec.OpTrue}
	case kind == 1 && rng.IntN(3) == 0:
		return &vec.Filter{Op: vec.OpFalse}
	case kind < 4:
		return &vec.Filter{Op: vec.OpPredicate, Predicate: w.predicate(rng)}
	case kind == 4:
		return &vec.Filter{Op: vec.OpNot, Args: []*vec.Filter{randomFilter(rng, w, depth-1)}}
	}
	f := &vec.Filter{Op: vec.OpAnd}
	if kind > 6 {
		f.Op = vec.OpOr
	}
	for range rng.IntN(4) {
		f.Args = append(f.Args, randomFilter(rng, w, depth-1))
	}
	return f
}

// decide is what a filter means for one row.
func (w *world) decide(f *vec.Filter, row int) bool {
	switch f.Op {
	case vec.OpTrue:
		return true
	case vec.OpFalse:
		return false
	case vec.OpPredicate:
		return w.holds[f.Predicate][row]
	case vec.OpAnd:
		return !slices.ContainsFunc(f.Args, func(arg *vec.Filter) bool { return !w.decide(arg, row) })
	case vec.OpOr:
		return slices.ContainsFunc(f.Args, func(arg *vec.Filter) bool { return w.decide(arg, row) })
	case vec.OpNot:
		return !w.decide(f.Args[0], row)
	}
	return false
}

func TestSelectMeansWhatItSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 3000 {
		w := newWorld(t, rng.IntN(200))
		f := randomFilter(rng, w, 4)
		before := randomRows(rng, w.n)
		selected := before.bitmap()
		require.NoError(t, f.Select(w, selected))
		want := make(rows, w.n)
		for i := range want {
			want[i] = before[i] && w.decide(f, i)
		}
		require.Equal(t, want.bitmap(), selected)

		// Nothing was asked twice, and only of rows that were selected.
		seen := map[*vec.Predicate]bool{}
		for _, q := range w.asked {
			require.False(t, seen[q.p])
			seen[q.p] = true
			for i, asked := range q.rows {
				require.False(t, asked && !before[i])
			}
		}
		list := f.Predicates(nil)
		require.Len(t, list, len(w.holds))
		for p := range w.holds {
			require.Contains(t, list, p)
		}
	}
}

// TestSelectAsksOfNoRows hands in no rows; Test fails if it is called.
func TestSelectAsksOfNoRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	for range 500 {
		w := newWorld(t, 100)
		f := randomFilter(rng, w, 3)
		selected := vec.NewBitmap(100)
		require.NoError(t, f.Select(w, selected))
		require.False(t, selected.Any())
		require.Empty(t, w.asked)
	}
}

func TestSelectAsksTheCheapestFirst(t *testing.T) {
	w := newWorld(t, 8)
	named := func(cost int, holds ...int) *vec.Filter {
		p := &vec.Predicate{}
		w.costs[p], w.holds[p] = cost, make(rows, w.n)
		for _, row := range holds {
			w.holds[p][row] = true
		}
		return &vec.Filter{Op: vec.OpPredicate, Predicate: p}
	}
	dear, cheap, free := named(9, 1, 2, 3), named(2, 0, 1, 2), named(0, 2, 3, 4)
	middle := &vec.Filter{Op: vec.OpNot, Args: []*vec.Filter{named(5, 7)}}
	pair := &vec.Filter{Op: vec.OpOr, Args: []*vec.Filter{named(4, 5, 7), named(3, 6)}} // 7 in all
	tests := []struct {
		name  string
		op    vec.Op
		want  []int // the costs in the order in which they are asked
		first []int // the rows that the last question is about
	}{
		{"and", vec.OpAnd, []int{0, 2, 5, 3, 4}, []int{2}},
		{"or", vec.OpOr, []int{0, 2, 5, 3, 4}, []int{7}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w.t, w.asked = t, nil
			f := &vec.Filter{Op: tt.op, Args: []*vec.Filter{dear, pair, middle, cheap, free}}
			require.NoError(t, f.Select(w, vec.FullBitmap(w.n)))
			var costs, last []int
			for _, q := range w.asked {
				costs = append(costs, w.costs[q.p])
			}
			for i, asked := range w.asked[len(w.asked)-1].rows {
				if asked {
					last = append(last, i)
				}
			}
			require.Equal(t, tt.want, costs)
			require.Equal(t, tt.first, last)
		})
	}
}

func TestSelectReturnsErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	failed := 0
	for range 500 {
		w := newWorld(t, 100)
		f := randomFilter(rng, w, 3)
		list := f.Predicates(nil)
		if len(list) == 0 {
			continue
		}
		w.fails = list[rng.IntN(len(list))]
		err := f.Select(w, vec.FullBitmap(100))
		asked := slices.ContainsFunc(w.asked, func(q question) bool { return q.p == w.fails })
		if !asked {
			require.NoError(t, err)
			continue
		}
		failed++
		require.ErrorIs(t, err, errBroken)
		require.Same(t, w.fails, w.asked[len(w.asked)-1].p, "nothing is asked after an error")
	}
	require.Positive(t, failed)
}
