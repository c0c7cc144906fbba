package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
	"github.com/spanlake/spanlake/traceql/traceqltest/oracle"
	"github.com/spanlake/spanlake/traceql/traceqltest/random"
)

// unexpired are sources as a querier gives them when a part of their rows has
// expired: blocks whose rows all have are left out, and what has both kinds is
// read without the old ones.
func (p placed) unexpired(oldest uint64) placed {
	kept := placed{repeats: p.repeats}
	for _, sources := range p.partitions {
		var list []engine.Source
		for _, s := range sources {
			if b, ok := s.(stored); ok {
				first, last := b.Times()
				if last < oldest {
					continue
				}
				if first >= oldest {
					list = append(list, s)
					continue
				}
			}
			list = append(list, engine.NewUnexpired(s, oldest))
		}
		kept.partitions = append(kept.partitions, list)
	}
	return kept
}

// TestUnexpired: answers are those over the spans that are left, whatever was
// there before: searches, metrics, and what traces as a whole are.
func TestUnexpired(t *testing.T) {
	pairs := 0
	for round := range max(*rounds/2, 1) {
		rng := rand.New(rand.NewPCG(*seed, uint64(round)|1<<40))
		rows, err := random.Spans(rng, crowd(round))
		require.NoError(t, err)
		oldest := random.Origin + rng.Uint64N(random.Extent)
		left := slices.DeleteFunc(slices.Clone(rows), func(s schema.Span) bool { return max(s.StartNanos, s.EndNanos) < oldest })
		truth := oracle.New(left)
		for _, l := range layouts() {
			e := newPlaced(l.place(t, rows, rng)).unexpired(oldest)
			pairs += compare(t, rng, truth, e, fmt.Sprintf("seed %d round %d, %s, oldest %d", *seed, round, l.name, oldest-random.Origin))
		}
	}
	require.NotZero(t, pairs)
}

// compare asks queries of a layout's part of a round, and returns how many.
func compare(t *testing.T, rng *rand.Rand, truth *oracle.Engine, e placed, place string) (pairs int) {
	t.Helper()
	for range queriesPerRound / len(layouts()) {
		text := random.Search(rng)
		var search traceqltest.SearchOptions
		var metric traceqltest.MetricsOptions
		if rng.IntN(2) == 0 {
			text, metric = random.Metrics(rng), randomTimes(rng)
			metric.Exemplars = 0
		} else {
			search = randomOptions(rng)
		}
		q, err := traceql.Parse(text)
		if err != nil || !e.takes(q) {
			continue
		}
		pairs++
		require.Empty(t, differ(t, q, truth, e, search, metric), "%s: %s %+v %+v", place, text, search, metric)
	}
	return pairs
}
