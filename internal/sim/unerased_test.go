package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql/traceqltest/oracle"
	"github.com/spanlake/spanlake/traceql/traceqltest/random"
)

// unerased are sources as a querier gives them when rows of some traces are erased:
// what has such a trace is read without these rows, the others are as they were.
func (p placed) unerased(t *testing.T, upTo map[schema.TraceID]uint64) placed {
	t.Helper()
	kept := placed{repeats: p.repeats}
	for _, sources := range p.partitions {
		var list []engine.Source
		for _, s := range sources {
			has := false
			for id := range upTo {
				holds, err := s.MayHold(t.Context(), id)
				require.NoError(t, err)
				has = has || holds
			}
			if has {
				s = engine.NewUnerased(s, func(id schema.TraceID) uint64 { return upTo[id] })
			}
			list = append(list, s)
		}
		kept.partitions = append(kept.partitions, list)
	}
	return kept
}

// TestUnerased: answers are those over the rows that are left.
func TestUnerased(t *testing.T) {
	pairs := 0
	for round := range max(*rounds/2, 1) {
		rng := rand.New(rand.NewPCG(*seed, uint64(round)|1<<41))
		rows, err := random.Spans(rng, crowd(round))
		require.NoError(t, err)
		upTo := make(map[schema.TraceID]uint64)
		var highest uint64
		for i := range rows {
			highest = max(highest, rows[i].Position)
		}
		for _, i := range rng.Perm(len(rows))[:min(1+rng.IntN(3), len(rows))] {
			upTo[rows[i].TraceID] = rng.Uint64N(highest + 1)
		}
		left := slices.DeleteFunc(slices.Clone(rows), func(s schema.Span) bool { return s.Position <= upTo[s.TraceID] })
		truth := oracle.New(left)
		for _, l := range layouts() {
			e := newPlaced(l.place(t, rows, rng)).unerased(t, upTo)
			pairs += compare(t, rng, truth, e, fmt.Sprintf("seed %d round %d, %s", *seed, round, l.name))
		}
	}
	require.NotZero(t, pairs)
}
