package sim_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
	"github.com/spanlake/spanlake/traceql/traceqltest/oracle"
	"github.com/spanlake/spanlake/traceql/traceqltest/random"
)

var (
	seed   = flag.Uint64("sim.seed", 1, "what random queries and traces depend on; 0 for another one each time")
	rounds = flag.Int("sim.rounds", 240/thinning, "how many sets of random traces get queries")
)

// queriesPerRound is how many queries a set of traces gets.
const queriesPerRound = 60

// placed is an engine on rows that lie in sources.
type placed struct {
	partitions [][]engine.Source
	repeats    *engine.Repeats
	tallies    *engine.Tallies // nil to remember none
}

func newPlaced(partitions [][]engine.Source) placed {
	return placed{partitions, engine.NewRepeats(), engine.NewTallies(1 << 30)}
}

func (p placed) Search(
	ctx context.Context, q *traceql.Query, options traceqltest.SearchOptions,
) (traces []traceqltest.Trace, err error) {
	plan, err := engine.Compile(q)
	if err != nil {
		return nil, err
	}
	result, err := engine.Search(ctx, plan, p.around(options.StartNanos, options.EndNanos), engine.SearchOptions{
		StartNanos: options.StartNanos, EndNanos: options.EndNanos, Concurrency: 2, Repeats: p.repeats,
		Limit: max(options.Limit, every(options.Limit)), SpansPerSpanSet: max(options.SpansPerSpanSet, every(options.SpansPerSpanSet)),
	})
	if err != nil {
		return nil, err
	}
	for _, tr := range result.Traces {
		traces = append(traces, traceOf(tr))
	}
	return traces, nil
}

// around are the sources as a querier gives them.
func (p placed) around(start, end uint64) [][]engine.Source {
	partitions := make([][]engine.Source, len(p.partitions))
	for i, sources := range p.partitions {
		for _, s := range sources {
			if b, ok := s.(stored); ok {
				s = around(start, end)(b, s)
			}
			partitions[i] = append(partitions[i], s)
		}
	}
	return partitions
}

// around gives a block as a querier does: without rows in the range it is not
// searched, but for what it has of traces in it.
func around(start, end uint64) func(stored, engine.Source) engine.Source {
	return func(b stored, s engine.Source) engine.Source {
		if first, last := b.Times(); end != 0 && (first >= end || last < start) {
			return engine.Beside(s, first >= end)
		}
		return s
	}
}

// every is a limit that nothing reaches where there is none.
func every(limit int) int {
	if limit > 0 {
		return limit
	}
	return 1 << 30
}

func traceOf(tr engine.TraceResult) traceqltest.Trace {
	out := traceqltest.Trace{
		ID: tr.TraceID, RootService: tr.RootServiceName, RootName: tr.RootTraceName,
		StartNanos: tr.StartNanos, DurationMs: tr.DurationMs,
	}
	for _, set := range tr.SpanSets {
		s := traceqltest.SpanSet{Matched: int(set.Matched), Attributes: set.Attributes}
		for _, span := range set.Spans {
			s.Spans = append(s.Spans, traceqltest.Span{
				ID: span.SpanID, Name: span.Name, StartNanos: span.StartNanos, DurationNanos: span.DurationNanos,
				Attributes: span.Attributes,
			})
		}
		out.SpanSets = append(out.SpanSets, s)
	}
	return out
}

// TestSearch asks random queries of random traces in random layouts: the engine
// answers as the oracle does.
func TestSearch(t *testing.T) {
	pairs, refused := 0, 0
	for round := range *rounds {
		rng := rand.New(rand.NewPCG(*seed, uint64(round)))
		rows, err := random.Spans(rng, crowd(round))
		require.NoError(t, err)
		if round%3 == 0 {
			rows = random.Fragments(rng, rows)
		}
		truth := oracle.New(rows)
		var engines []placed
		var seeds []uint64
		for _, l := range layouts() {
			seeds = append(seeds, rng.Uint64())
			engines = append(engines, newPlaced(l.place(t, rows, rand.New(rand.NewPCG(seeds[len(seeds)-1], 0)))))
		}
		for range queriesPerRound {
			text := random.Filter(rng)
			if rng.IntN(3) > 0 {
				text = random.Search(rng)
			}
			i := rng.IntN(len(engines))
			tr := trial{query: text, rows: rows, layout: layouts()[i], seed: seeds[i], search: randomOptions(rng)}
			q, err := traceql.Parse(text)
			if err != nil || !engines[i].takes(q) {
				refused++
				continue
			}
			pairs++
			if fault := differ(t, q, truth, engines[i], tr.search, tr.metric); fault != "" {
				tr = tr.shrink(t)
				t.Fatalf("seed %d round %d: %s\nshort for %s\n%s", *seed, round, tr, text, tr.fault(t))
			}
		}
	}
	t.Log(pairs, "pairs,", refused, "refused")
	require.Less(t, refused*5, pairs)
}

// crowd is how many traces a round has at most: now and then more than an
// engine looks at at once.
func crowd(round int) int {
	if round%30 == 29 {
		return 700
	}
	return 6
}

func randomOptions(rng *rand.Rand) (o traceqltest.SearchOptions) {
	if rng.IntN(3) == 0 {
		o.Limit = 1 + rng.IntN(4)
	}
	if rng.IntN(3) == 0 {
		o.SpansPerSpanSet = 1 + rng.IntN(4)
	}
	if rng.IntN(4) == 0 {
		o.StartNanos = random.Origin + rng.Uint64N(random.Extent)
		o.EndNanos = o.StartNanos + rng.Uint64N(random.Extent)
	}
	return o
}

// differ says how the engine's answer differs from the truth, "" if it does not.
func differ(
	t *testing.T, q *traceql.Query, truth, e traceqltest.Engine, search traceqltest.SearchOptions, metric traceqltest.MetricsOptions,
) string {
	t.Helper()
	if q.Metrics != nil {
		return differMetrics(t, q, truth, e, metric)
	}
	want, wantErr := truth.Search(t.Context(), q, search)
	got, err := e.Search(t.Context(), q, search)
	return differLines(traceqltest.FormatTraces(want, spanName), traceqltest.FormatTraces(got, spanName), wantErr, err)
}

func differLines(want, got []string, wantErr, err error) string {
	switch {
	case wantErr != nil && err != nil:
		return ""
	case wantErr != nil || err != nil:
		return fmt.Sprintf("error %v, want %v", err, wantErr)
	case slices.Equal(want, got):
		return ""
	}
	return fmt.Sprintf("got\n%s\nwant\n%s", strings.Join(without(got, want), "\n"), strings.Join(without(want, got), "\n"))
}

// without are the lines that the others lack; all of them, if that is only a
// matter of order.
func without(lines, others []string) []string {
	kept := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return slices.Contains(others, l) })
	if len(kept) == 0 {
		return lines
	}
	return kept
}

func spanName(_ schema.TraceID, s traceqltest.Span) string { return s.ID.String() }
