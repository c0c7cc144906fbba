package sim_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
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

// parted is an engine that answers from parts: each trace is in one of them,
// and what each found goes through its encoded form.
type parted struct {
	placed

	parts  []schema.Traces
	slices int // of time, into which ranges of metrics queries are cut
}

// randomParts are some that have each trace in one.
func randomParts(rng *rand.Rand, rows []schema.Span) (parts []schema.Traces) {
	partitions := 1 << rng.IntN(4)
	for p := range partitions {
		var cuts []schema.TraceID
		for range rng.IntN(3) {
			cuts = append(cuts, rows[rng.IntN(len(rows))].TraceID)
		}
		slices.SortFunc(cuts, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) })
		part := schema.AllTraces()
		part.Partition, part.Partitions = p, partitions
		for _, cut := range slices.Compact(cuts) {
			before := part
			before.Last = cut
			parts = append(parts, before)
			part.First = following(cut)
		}
		parts = append(parts, part)
	}
	return parts
}

func following(id schema.TraceID) schema.TraceID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id
}

// fixed is a stored block that has a name, as queriers' have.
type fixed struct {
	stored

	name string
}

func (f fixed) Identity() string { return f.name }

// of are the sources of a part, blocks as beside says.
func of(sources [][]engine.Source, part schema.Traces, beside func(b stored, s engine.Source) engine.Source) [][]engine.Source {
	within := make([][]engine.Source, len(sources))
	for p, list := range sources {
		for i, s := range list {
			b, isBlock := s.(stored)
			if isBlock {
				s = fixed{b, fmt.Sprintf("%d/%d", p, i)}
			}
			if s = engine.Within(s, part, part.Partition == 0); isBlock {
				s = beside(b, s)
			}
			within[p] = append(within[p], s)
		}
	}
	return within
}

func (p parted) Search(
	ctx context.Context, q *traceql.Query, options traceqltest.SearchOptions,
) (traces []traceqltest.Trace, err error) {
	plan, err := engine.Compile(q)
	if err != nil {
		return nil, err
	}
	o := engine.SearchOptions{
		StartNanos: options.StartNanos, EndNanos: options.EndNanos, Concurrency: 2, Repeats: engine.NewRepeats(),
		Limit: max(options.Limit, every(options.Limit)), SpansPerSpanSet: max(options.SpansPerSpanSet, every(options.SpansPerSpanSet)),
	}
	var results []*engine.SearchResult
	for _, part := range p.parts {
		result, err := engine.Search(ctx, plan, of(p.partitions, part, around(o.StartNanos, o.EndNanos)), o)
		if err != nil {
			return nil, err
		}
		if result, err = engine.ParseSearchResult(result.Append(nil)); err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	for _, tr := range engine.MergeResults(plan, o.Limit, results...).Traces {
		traces = append(traces, traceOf(tr))
	}
	return traces, nil
}

func (p parted) Metrics(
	ctx context.Context, q *traceql.Query, options traceqltest.MetricsOptions,
) ([]traceqltest.Series, error) {
	plan, err := engine.CompileMetrics(q)
	if err != nil {
		return nil, err
	}
	o := engine.MetricsOptions{
		StartNanos: options.StartNanos, EndNanos: options.EndNanos, StepNanos: options.StepNanos,
		Exemplars: options.Exemplars, Concurrency: 2, Repeats: engine.NewRepeats(), Tallies: p.tallies,
	}
	query := plan.Instant(o)
	if options.StepNanos != 0 {
		if query, err = plan.Range(o); err != nil {
			return nil, err
		}
	}
	if !query.Stepwise() {
		p.slices = 1
	}
	sum := query.Sum()
	var early []*engine.MetricsResult
	first, last := query.Times()
	for end := last + 1; end > first; p.slices-- {
		start := end - (end-first)/uint64(p.slices)
		if err := p.slice(ctx, plan, o, start, end, sum); err != nil {
			return nil, err
		}
		result, err := sum.Result()
		if err != nil {
			return nil, err
		}
		early = append(early, query.Between(result, start, last+1))
		end = start
	}
	result, err := sum.Result()
	if err != nil {
		return nil, err
	}
	for _, e := range early {
		if fault := changed(e, result); query.Stepwise() && fault != "" {
			return nil, errors.New(fault)
		}
	}
	return seriesOf(result, options), nil
}

// changed says which point of an early result is another one in the end.
func changed(early, final *engine.MetricsResult) string {
	type place struct {
		labels string
		nanos  uint64
	}
	points := make(map[place]float64)
	each := func(r *engine.MetricsResult, f func(place, float64)) {
		for _, s := range r.Series {
			for i, v := range s.Values {
				if !math.IsNaN(v) {
					f(place{traceqltest.LabelsText(s.Labels), r.Times[i]}, v)
				}
			}
		}
	}
	each(final, func(at place, v float64) { points[at] = v })
	fault := ""
	each(early, func(at place, v float64) {
		if last, ok := points[at]; !ok || last != v {
			fault = fmt.Sprintf("%s at %d is %v first, then %v (%t)", at.labels, at.nanos, v, last, ok)
		}
	})
	return fault
}

// slice adds to the sum what the parts have of the samples that begin in
// [start, end).
func (p parted) slice(
	ctx context.Context, plan *engine.MetricsPlan, o engine.MetricsOptions, start, end uint64, sum *engine.MetricsSum,
) (err error) {
	query := plan.Instant(o)
	if o.StepNanos != 0 {
		o.FromNanos, o.ToNanos = start, end
		if query, err = plan.Range(o); err != nil {
			return err
		}
	}
	for _, part := range p.parts {
		gathered, err := query.Gather(ctx, of(p.partitions, part, func(_ stored, s engine.Source) engine.Source { return s }))
		if err != nil {
			return err
		}
		if gathered, err = query.Parse(gathered.Append(nil)); err != nil {
			return err
		}
		if err := sum.Add(gathered); err != nil {
			return err
		}
	}
	return nil
}

// TestParts asks random queries in random parts: they answer as the oracle does.
func TestParts(t *testing.T) {
	pairs, refused := 0, 0
	for round := range *rounds / 2 {
		rng := rand.New(rand.NewPCG(*seed, 2_000_000+uint64(round)))
		rows, err := random.Spans(rng, 12)
		require.NoError(t, err)
		if round%3 == 0 {
			rows = random.Fragments(rng, rows)
		}
		truth := oracle.New(rows)
		var engines []placed
		for _, l := range layouts() {
			engines = append(engines, newPlaced(l.place(t, rows, rng)))
		}
		for i := range queriesPerRound {
			text := random.Search(rng)
			switch i % 4 {
			case 1:
				text = random.Metrics(rng)
			case 2:
				text = random.Filter(rng)
			case 3:
				text = random.Compare(rng)
			}
			q, err := traceql.Parse(text)
			if err != nil || !(placed{}).takes(q) {
				refused++
				continue
			}
			pairs++
			layout := rng.IntN(len(engines))
			e := parted{engines[layout], randomParts(rng, rows), 1 + rng.IntN(4)}
			search, metric := randomOptions(rng), randomTimes(rng)
			if fault := differ(t, q, truth, e, search, metric); fault != "" {
				t.Fatalf("seed %d round %d: %s in %s, parts %v, %d slices, %+v %+v: %s", *seed, round, text, layouts()[layout].name, e.parts, e.slices, search, metric, fault)
			}
			if fault := partedExemplars(t, q, engines[layout], e, metric); fault != "" {
				t.Fatalf("seed %d round %d: %s in %s, parts %v, %d slices, %+v: %s", *seed, round, text, layouts()[layout].name, e.parts, e.slices, metric, fault)
			}
		}
	}
	t.Log(pairs, "pairs,", refused, "refused")
	require.Less(t, refused*5, pairs)
}

// partedExemplars says how the exemplars of a whole query differ from those of
// its parts.
func partedExemplars(t *testing.T, q *traceql.Query, whole placed, parts parted, o traceqltest.MetricsOptions) string {
	t.Helper()
	if q.Metrics == nil {
		return ""
	}
	want, err := whole.Metrics(t.Context(), q, o)
	require.NoError(t, err)
	got, err := parts.Metrics(t.Context(), q, o)
	require.NoError(t, err)
	list := func(series []traceqltest.Series) (lines []string) {
		for _, s := range series {
			for _, x := range s.Exemplars {
				lines = append(lines, fmt.Sprint(traceqltest.LabelsText(s.Labels), traceqltest.LabelsText(x.Labels), x.Nanos))
			}
		}
		slices.Sort(lines)
		return lines
	}
	return differLines(list(want), list(got), nil, nil)
}
