package engine_test

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/traceql"
)

// differentMetrics are the queries whose answer differs from the reference's on
// purpose.
var differentMetrics = map[string]string{
	// The reference counts service.name several times for each span.
	"compare-02": "resource.service.name",
}

func TestMetricsConformance(t *testing.T) {
	spans := dataset(t)
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	for _, c := range cuttings() {
		t.Run(c.name, func(t *testing.T) {
			partitions := c.cut(spans)
			equal := 0
			for _, q := range queries {
				want, known := expected[q.ID]
				if q.Kind != corpus.KindMetrics || !known {
					continue
				}
				query, err := traceql.Parse(q.Params["q"])
				require.NoError(t, err, "%s: %s", q.ID, q.Params["q"])
				got := metricsAnswer(t, query, q, partitions)
				requireSeries(t, q, want.Series, got)
				equal++
			}
			require.Equal(t, 53, equal)
		})
	}
}

func metricsAnswer(t *testing.T, query *traceql.Query, q corpus.Query, partitions [][]engine.Source) []corpus.Series {
	t.Helper()
	plan, err := engine.CompileMetrics(query)
	require.NoError(t, err, q.ID)
	number := func(key string) uint64 {
		n, err := strconv.ParseUint(q.Params[key], 10, 64)
		require.NoError(t, err)
		return n * uint64(time.Second)
	}
	opts := engine.MetricsOptions{StartNanos: number("start"), EndNanos: number("end"), Concurrency: 2, Exemplars: 100}
	ask := engine.QueryInstant
	if strings.HasSuffix(q.Path, "query_range") {
		ask = engine.QueryRange
		step, err := time.ParseDuration(q.Params["step"])
		require.NoError(t, err)
		opts.StepNanos = uint64(step)
	}
	result, err := ask(t.Context(), plan, partitions, opts)
	require.NoError(t, err, q.ID)
	series := normalSeries(result)
	if strings.HasSuffix(q.Path, "query") {
		for i := range series {
			series[i].Samples[0][0] = 0
		}
	}
	return series
}

// normalSeries is the normal form of the suite's README.
func normalSeries(result *engine.MetricsResult) []corpus.Series {
	var out []corpus.Series
	for _, s := range result.Series {
		var labels []string
		for _, l := range s.Labels {
			labels = append(labels, l.Key+"="+corpus.ValueText(l.Value))
		}
		slices.Sort(labels)
		n := corpus.Series{Labels: "{" + strings.Join(labels, ", ") + "}"}
		for i, v := range s.Values {
			if !math.IsNaN(v) {
				n.Samples = append(n.Samples, [2]float64{float64(result.Times[i] / uint64(time.Millisecond)), v})
			}
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b corpus.Series) int { return strings.Compare(a.Labels, b.Labels) })
	return out
}

func requireSeries(t *testing.T, q corpus.Query, want, got []corpus.Series) {
	t.Helper()
	message := q.ID + ": " + q.Params["q"]
	if without := differentMetrics[q.ID]; without != "" {
		drop := func(s corpus.Series) bool { return strings.Contains(s.Labels, without) }
		want, got = slices.DeleteFunc(slices.Clone(want), drop), slices.DeleteFunc(slices.Clone(got), drop)
	}
	tolerance := q.RelTol
	if tolerance == 0 {
		tolerance = 1e-6
	}
	require.Equal(t, seriesLabels(want), seriesLabels(got), message)
	for i := range want {
		require.Len(t, got[i].Samples, len(want[i].Samples), "%s %s", message, want[i].Labels)
		for k, sample := range want[i].Samples {
			require.Equal(t, sample[0], got[i].Samples[k][0], "%s %s", message, want[i].Labels)
			limit := tolerance * max(math.Abs(sample[1]), math.Abs(got[i].Samples[k][1]))
			require.InDelta(t, sample[1], got[i].Samples[k][1], limit, "%s %s at %v", message, want[i].Labels, sample[0])
		}
	}
}

func seriesLabels(series []corpus.Series) []string {
	labels := make([]string, len(series))
	for i := range series {
		labels[i] = series[i].Labels
	}
	return labels
}
