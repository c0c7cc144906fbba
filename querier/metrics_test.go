package querier_test

import (
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// The fields of Tempo's messages.
type (
	metricsStats struct {
		InspectedTraces uint32 `json:"inspectedTraces"`
		InspectedBytes  uint64 `json:"inspectedBytes,string"`
		TotalBlocks     uint32 `json:"totalBlocks"`
		CompletedJobs   uint32 `json:"completedJobs"`
		TotalJobs       uint32 `json:"totalJobs"`
		TotalBlockBytes uint64 `json:"totalBlockBytes,string"`
		InspectedSpans  uint64 `json:"inspectedSpans,string"`
	}
	metricsExemplar struct {
		Labels      []json.RawMessage `json:"labels"`
		Value       float64           `json:"value"`
		TimestampMs int64             `json:"timestampMs,string"`
	}
	metricsSeries struct {
		Labels  []json.RawMessage `json:"labels"`
		Samples []struct {
			TimestampMs int64   `json:"timestampMs,string"`
			Value       float64 `json:"value"`
		} `json:"samples"`
		Exemplars []metricsExemplar `json:"exemplars"`
		Value     float64           `json:"value"` // of an instant query
	}
	metricsReply struct {
		Series  []metricsSeries `json:"series"`
		Metrics *metricsStats   `json:"metrics"`
		Status  string          `json:"status"`
		Message string          `json:"message"`
	}
)

func (w *world) metrics(path string, params map[string]string) (int, metricsReply, string) {
	w.t.Helper()
	values := url.Values{}
	for k, v := range params {
		values.Set(k, v)
	}
	a := w.get((&url.URL{Path: path, RawQuery: values.Encode()}).String())
	var r metricsReply
	if a.status == 200 {
		d := json.NewDecoder(strings.NewReader(a.body))
		d.DisallowUnknownFields()
		require.NoError(w.t, d.Decode(&r), a.body)
		require.NotNil(w.t, r.Metrics)
	}
	return a.status, r, a.body
}

// labelsText is the normal form of labels.
func labelsText(t *testing.T, labels []json.RawMessage) string {
	t.Helper()
	texts := make([]string, len(labels))
	for i, l := range labels {
		var kv commonpb.KeyValue
		require.NoError(t, protojson.Unmarshal(l, &kv))
		texts[i] = kv.GetKey() + "="
		switch v := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			texts[i] += "s:" + v.StringValue
		case *commonpb.AnyValue_IntValue:
			texts[i] += "i:" + strconv.FormatInt(v.IntValue, 10)
		case *commonpb.AnyValue_BoolValue:
			texts[i] += "b:" + strconv.FormatBool(v.BoolValue)
		case *commonpb.AnyValue_DoubleValue:
			texts[i] += "d:" + strconv.FormatFloat(v.DoubleValue, 'g', 12, 64)
		default:
			require.Fail(t, "a label of another type", "%s", l)
		}
	}
	slices.Sort(texts)
	return "{" + strings.Join(texts, ", ") + "}"
}

// normalSeries is the normal form of the suite's README.
func normalSeries(t *testing.T, r metricsReply, instant bool) []corpus.Series {
	t.Helper()
	series := make([]corpus.Series, len(r.Series))
	for i, s := range r.Series {
		series[i].Labels = labelsText(t, s.Labels)
		for _, p := range s.Samples {
			series[i].Samples = append(series[i].Samples, [2]float64{float64(p.TimestampMs), p.Value})
		}
		if instant {
			require.Empty(t, s.Samples)
			series[i].Samples = [][2]float64{{0, s.Value}}
		}
	}
	slices.SortFunc(series, func(a, b corpus.Series) int { return strings.Compare(a.Labels, b.Labels) })
	return series
}

// oursAreDifferent are series in which we differ from the reference on purpose:
// it counts service.name several times for each span.
func oursAreDifferent(id, labels string) bool {
	return id == "compare-02" && strings.Contains(labels, "resource.service.name")
}

func TestMetricsConformance(t *testing.T) {
	w := newWorld(t, nil)
	w.storeDataset()
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	count := 0
	for _, q := range queries {
		want, known := expected[q.ID]
		if !strings.HasPrefix(q.Path, "/api/metrics/") || !known {
			continue
		}
		status, got, body := w.metrics(q.Path, q.Params)
		count++
		require.Equal(t, want.Status, status, "%s: %s", q.ID, body)
		if status != 200 {
			continue
		}
		require.Empty(t, got.Status)
		series := normalSeries(t, got, strings.HasSuffix(q.Path, "/query"))
		require.Len(t, series, len(want.Series), q.ID)
		tolerance := max(q.RelTol, 1e-6)
		for i, s := range want.Series {
			require.Equal(t, s.Labels, series[i].Labels, q.ID)
			require.Len(t, series[i].Samples, len(s.Samples), q.ID)
			for k, sample := range s.Samples {
				require.InDelta(t, sample[0], series[i].Samples[k][0], 0, q.ID)
				if !oursAreDifferent(q.ID, s.Labels) {
					limit := tolerance * max(math.Abs(sample[1]), math.Abs(series[i].Samples[k][1]))
					require.InDelta(t, sample[1], series[i].Samples[k][1], limit, "%s %s", q.ID, s.Labels)
				}
			}
		}
	}
	require.Equal(t, 58, count)
}

// What blocks count of whole traces is what the spans say one by one, when every
// trace is in several blocks.
func TestCompareDoesNotDependOnBlocks(t *testing.T) {
	whole, split := newWorld(t, nil), newWorld(t, nil)
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	var rows []schema.Span
	for i, body := range bodies {
		rows, err = otlp.NewDecoder().Decode(body, uint64(i+1), rows)
		require.NoError(t, err)
	}
	sort := func(rows []schema.Span) []schema.Span {
		slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		return rows
	}
	whole.storeRows(sort(slices.Clone(rows)))
	var parts [3][]schema.Span
	count := make(map[schema.TraceID]int)
	for _, row := range sort(rows) {
		part := count[row.TraceID] % 3
		count[row.TraceID]++
		parts[part] = append(parts[part], row)
	}
	for _, part := range parts {
		split.storeRows(part)
	}
	for _, query := range []string{
		"{ } | compare({ status = error })",
		"{ kind = server } | compare({ duration > 10ms }, 1000)",
		"{ .service.name = `gateway` } | compare({ span.http.response.status_code >= 500 || name = `x` }, 3)",
		"{ } | compare({ kind = client }, 10, 1768473000000000000, 1768475000000000000)",
		"{ } | compare({ rootName != `` }, 2)", // blocks can not tell
		"{ traceDuration > 1s } | compare({ kind = client }, 2)",
	} {
		params := map[string]string{"q": query, "start": "1768471200", "end": "1768478400", "step": "600s"}
		status, want, body := split.metrics("/api/metrics/query_range", params)
		require.Equal(t, 200, status, body)
		status, got, body := whole.metrics("/api/metrics/query_range", params)
		require.Equal(t, 200, status, body)
		wantSeries, gotSeries := normalSeries(t, want, false), normalSeries(t, got, false)
		require.Len(t, gotSeries, len(wantSeries), query)
		for i := range wantSeries {
			require.Equal(t, wantSeries[i], gotSeries[i], query)
		}
		require.Greater(t, len(gotSeries), 20, query)
	}
}
