package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
)

// seriesReply is the reply of a metrics query: of a range the series have
// samples, of an instant one value each.
type seriesReply struct {
	Series []struct {
		Labels  []json.RawMessage `json:"labels"`
		Samples []struct {
			TimestampMs string  `json:"timestampMs"`
			Value       float64 `json:"value"`
		} `json:"samples"`
		Value float64 `json:"value"`
	} `json:"series"`
}

// differSeries compares the reply of a metrics query with the recorded answer,
// in the normal form of the conformance suite. "" means that they agree.
func differSeries(t *testing.T, q corpus.Query, want []corpus.Series, body []byte) string {
	t.Helper()
	got := normalSeries(t, body)
	if len(want) != len(got) {
		return fmt.Sprintf("%d series, want %d", len(got), len(want))
	}
	tolerance := q.RelTol
	if tolerance == 0 {
		tolerance = 1e-6
	}
	for i, w := range want {
		g := got[i]
		if w.Labels != g.Labels || len(w.Samples) != len(g.Samples) {
			return fmt.Sprintf("%s with %d samples, want %s with %d", g.Labels, len(g.Samples), w.Labels, len(w.Samples))
		}
		for j, sample := range w.Samples {
			other := g.Samples[j]
			off := math.Abs(sample[1] - other[1])
			if sample[0] != other[0] || off > tolerance*max(math.Abs(sample[1]), math.Abs(other[1])) {
				return fmt.Sprintf("%s: %v, want %v", g.Labels, other, sample)
			}
		}
	}
	return ""
}

func normalSeries(t *testing.T, body []byte) []corpus.Series {
	t.Helper()
	var reply seriesReply
	require.NoError(t, json.Unmarshal(body, &reply), string(body))
	list := make([]corpus.Series, len(reply.Series))
	for i, s := range reply.Series {
		list[i].Labels = "{" + joinText(textOfJSON(t, s.Labels)) + "}"
		for _, sample := range s.Samples {
			at, err := strconv.ParseFloat(sample.TimestampMs, 64)
			require.NoError(t, err)
			list[i].Samples = append(list[i].Samples, [2]float64{at, sample.Value})
		}
		if len(s.Samples) == 0 {
			list[i].Samples = [][2]float64{{0, s.Value}}
		}
	}
	slices.SortFunc(list, func(a, b corpus.Series) int { return cmp.Compare(a.Labels, b.Labels) })
	return list
}
