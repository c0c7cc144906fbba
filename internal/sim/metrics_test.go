package sim_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
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

func (p placed) Metrics(
	ctx context.Context, q *traceql.Query, options traceqltest.MetricsOptions,
) ([]traceqltest.Series, error) {
	plan, err := engine.CompileMetrics(q)
	if err != nil {
		return nil, err
	}
	o := engine.MetricsOptions{
		StartNanos: options.StartNanos, EndNanos: options.EndNanos, StepNanos: options.StepNanos,
		Exemplars: options.Exemplars, Concurrency: 2, Repeats: p.repeats, Tallies: p.tallies,
	}
	query := engine.QueryRange
	first, last := engine.QueryTimes(o)
	if options.StepNanos == 0 {
		query = engine.QueryInstant
		first, last = o.StartNanos, o.EndNanos
	}
	result, err := query(ctx, plan, p.within(first, last), o)
	if err != nil {
		return nil, err
	}
	return seriesOf(result, options), nil
}

func seriesOf(result *engine.MetricsResult, options traceqltest.MetricsOptions) (list []traceqltest.Series) {
	for _, s := range result.Series {
		line := traceqltest.Series{Labels: s.Labels}
		for i, v := range s.Values {
			if math.IsNaN(v) {
				continue
			}
			at := result.Times[i]
			if options.StepNanos == 0 {
				at = 0
			}
			line.Samples = append(line.Samples, traceqltest.Sample{Nanos: at, Value: v})
		}
		for _, e := range s.Exemplars {
			id := schema.Attribute{Key: "trace:id", Value: schema.Value{Kind: schema.KindString, Str: e.TraceID.String()}}
			line.Exemplars = append(line.Exemplars, traceqltest.Exemplar{
				Labels: append([]schema.Attribute{id}, e.Labels...), Nanos: e.StartNanos, Value: e.Value,
			})
		}
		list = append(list, line)
	}
	return list
}

// within are the sources as a querier gives them: blocks without rows in the
// range, both ends included, are not searched.
func (p placed) within(first, last uint64) [][]engine.Source {
	partitions := make([][]engine.Source, len(p.partitions))
	for i, sources := range p.partitions {
		for _, s := range sources {
			if b, ok := s.(stored); ok {
				if from, to := b.Times(); from > last || to < first {
					s = engine.Beside(s, from > last)
				}
			}
			partitions[i] = append(partitions[i], s)
		}
	}
	return partitions
}

// TestMetrics asks random metrics queries: the engine answers as the oracle
// does, and its exemplars are spans that count.
func TestMetrics(t *testing.T) {
	pairs, refused := 0, 0
	var hits uint64
	for round := range *rounds / 2 {
		rng := rand.New(rand.NewPCG(*seed, 1_000_000+uint64(round)))
		rows, err := random.Spans(rng, 6)
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
			text := random.Metrics(rng)
			if rng.IntN(8) == 0 {
				text = random.Compare(rng)
			}
			i := rng.IntN(len(engines))
			tr := trial{query: text, rows: rows, layout: layouts()[i], seed: seeds[i], metric: randomTimes(rng)}
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
			if fault := rememberedFault(t, q, engines[i], tr.metric, rng); fault != "" {
				t.Fatalf("seed %d round %d: %s\n%s", *seed, round, tr, fault)
			}
			if fault := exemplarFault(t, q, rows, engines[i], tr.metric); fault != "" {
				t.Fatalf("seed %d round %d: %s\n%s", *seed, round, tr, fault)
			}
		}
		for i := range engines {
			hits += engines[i].tallies.Stats().Hits
		}
	}
	t.Log(pairs, "pairs,", refused, "refused,", hits, "counts remembered")
	require.Positive(t, hits)
	require.Less(t, refused*5, pairs)
}

// rememberedFault says how an answer changes because something of it was
// remembered, here of a query for another range: it must not.
func rememberedFault(t *testing.T, q *traceql.Query, e placed, o traceqltest.MetricsOptions, rng *rand.Rand) string {
	t.Helper()
	o.StartNanos += rng.Uint64N(random.Extent / 2)
	o.EndNanos += rng.Uint64N(random.Extent / 2)
	if o.StartNanos >= o.EndNanos {
		return ""
	}
	if o.Exemplars > 0 {
		o.Exemplars = 1 + rng.IntN(100)
	}
	remembered, err := e.Metrics(t.Context(), q, o)
	require.NoError(t, err)
	e.tallies = nil
	anew, err := e.Metrics(t.Context(), q, o)
	require.NoError(t, err)
	if !sameSeries(anew, remembered, 0) {
		return differLines(traceqltest.FormatSeries(anew, random.Origin), traceqltest.FormatSeries(remembered, random.Origin), nil, nil)
	}
	for i := range anew { // in one order now
		if a, b := fmt.Sprint(anew[i].Exemplars), fmt.Sprint(remembered[i].Exemplars); a != b {
			return fmt.Sprintf("exemplars of %s\n%s\n%s", traceqltest.LabelsText(anew[i].Labels), a, b)
		}
	}
	return ""
}

func randomTimes(rng *rand.Rand) (o traceqltest.MetricsOptions) {
	o.StartNanos = random.Origin
	o.EndNanos = random.Origin + random.Extent
	o.StepNanos = []uint64{0, 1e9, 5e9, 7e9, 30e9, 3600e9}[rng.IntN(6)]
	if rng.IntN(3) == 0 {
		o.StartNanos += rng.Uint64N(random.Extent)
		o.EndNanos = o.StartNanos + 1 + rng.Uint64N(random.Extent)
	}
	if rng.IntN(2) == 0 {
		o.Exemplars = 1 + rng.IntN(100)
	}
	return o
}

// exemplarFault says what is wrong with the exemplars of an answer: each must be
// a span of its trace that starts in a step in which the series has a point, and
// there must not be more than were asked for.
func exemplarFault(t *testing.T, q *traceql.Query, rows []schema.Span, e placed, o traceqltest.MetricsOptions) string {
	t.Helper()
	list, err := e.Metrics(t.Context(), q, o)
	require.NoError(t, err)
	count := 0
	for _, s := range list {
		count += len(s.Exemplars)
		for _, x := range s.Exemplars {
			if fault := oneExemplarFault(rows, s, x, o); fault != "" {
				return fmt.Sprintf("%s of %s: %s", traceqltest.LabelsText(x.Labels), traceqltest.LabelsText(s.Labels), fault)
			}
		}
	}
	if count > o.Exemplars || count > 0 && o.StepNanos == 0 {
		return fmt.Sprintf("%d exemplars, asked for %d", count, o.Exemplars)
	}
	return ""
}

func oneExemplarFault(rows []schema.Span, s traceqltest.Series, x traceqltest.Exemplar, o traceqltest.MetricsOptions) string {
	id := x.Labels[0].Value.Str
	known := slices.ContainsFunc(rows, func(row schema.Span) bool {
		return row.TraceID.String() == id && (row.StartNanos == x.Nanos || row.Fragment != schema.FragmentNone)
	})
	if !known {
		return "no span of the trace starts then"
	}
	at := (x.Nanos + o.StepNanos - 1) / o.StepNanos * o.StepNanos
	if !slices.ContainsFunc(s.Samples, func(p traceqltest.Sample) bool { return p.Nanos == at }) {
		return "the series has no point in its step"
	}
	for _, l := range s.Labels { // those of by(), as far as the exemplar shows them
		i := slices.IndexFunc(x.Labels, func(other schema.Attribute) bool { return other.Key == l.Key })
		if i > 0 && l.Value.Str != "nil" && !bytes.Equal([]byte(traceqltest.ValueText(x.Labels[i].Value)), []byte(traceqltest.ValueText(l.Value))) {
			return "it is of another series"
		}
	}
	return ""
}

// differMetrics is differ for metrics, whose values may differ a little: sums
// depend on their order.
func differMetrics(t *testing.T, q *traceql.Query, truth, e traceqltest.Engine, o traceqltest.MetricsOptions) string {
	t.Helper()
	want, wantErr := truth.Metrics(t.Context(), q, o)
	got, err := e.Metrics(t.Context(), q, o)
	if wantErr == nil && err == nil && sameSeries(want, got, scale(t, q.Metrics, truth, o)) {
		return ""
	}
	return differLines(traceqltest.FormatSeries(want, random.Origin), traceqltest.FormatSeries(got, random.Origin), wantErr, err)
}

// scale is how large the numbers are between which a query calculates: a small
// difference of two is no more exact than they are. It is 0 for one that does not
// calculate.
func scale(t *testing.T, m traceql.MetricsExpr, truth traceqltest.Engine, o traceqltest.MetricsOptions) (most float64) {
	t.Helper()
	binary, ok := m.(*traceql.MetricsBinary)
	if !ok {
		return 0
	}
	for _, side := range []traceql.MetricsExpr{binary.Left, binary.Right} {
		most = max(most, scale(t, side, truth, o))
		if _, ok := side.(*traceql.MetricsLiteral); ok {
			continue
		}
		list, err := truth.Metrics(t.Context(), &traceql.Query{Metrics: side}, o)
		require.NoError(t, err)
		for _, s := range list {
			for _, p := range s.Samples {
				if !math.IsInf(p.Value, 0) {
					most = max(most, math.Abs(p.Value))
				}
			}
		}
	}
	return most
}

func sameSeries(want, got []traceqltest.Series, scale float64) bool {
	byLabels := func(a, b traceqltest.Series) int {
		return strings.Compare(traceqltest.LabelsText(a.Labels), traceqltest.LabelsText(b.Labels))
	}
	slices.SortFunc(want, byLabels)
	slices.SortFunc(got, byLabels)
	return slices.EqualFunc(want, got, func(w, g traceqltest.Series) bool {
		return byLabels(w, g) == 0 && slices.EqualFunc(w.Samples, g.Samples, func(x, y traceqltest.Sample) bool {
			near := math.Abs(x.Value-y.Value) <= max(1e-13*scale, 1e-9*math.Abs(x.Value), 1e-9*math.Abs(y.Value))
			return x.Nanos == y.Nanos && (x.Value == y.Value || near)
		})
	})
}
