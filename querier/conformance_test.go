package querier_test

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// decodeStrictly is how the clients read replies: a field that they do not know
// is an error.
func decodeStrictly(t *testing.T, body string, to any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(body)))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(to), body)
}

// The fields of Tempo's messages.
type (
	metadataMetrics struct {
		InspectedBytes  uint64 `json:"inspectedBytes,string"`
		TotalJobs       uint32 `json:"totalJobs"`
		CompletedJobs   uint32 `json:"completedJobs"`
		TotalBlocks     uint32 `json:"totalBlocks"`
		TotalBlockBytes uint64 `json:"totalBlockBytes,string"`
	}
	tagsV1Reply struct {
		TagNames []string         `json:"tagNames"`
		Metrics  *metadataMetrics `json:"metrics"`
	}
	tagsV2Reply struct {
		Scopes []struct {
			Name string   `json:"name"`
			Tags []string `json:"tags"`
		} `json:"scopes"`
		Metrics *metadataMetrics `json:"metrics"`
	}
	valuesV1Reply struct {
		TagValues []string         `json:"tagValues"`
		Metrics   *metadataMetrics `json:"metrics"`
	}
	valuesV2Reply struct {
		TagValues []struct {
			Type  string `json:"type"`
			Value string `json:"value"`
		} `json:"tagValues"`
		Metrics *metadataMetrics `json:"metrics"`
	}
)

// normalForm is that of the suite's README, but in the order of the reply.
func normalForm(t *testing.T, kind corpus.QueryKind, body string) (values []string, metrics *metadataMetrics) {
	t.Helper()
	switch kind {
	case corpus.KindTagsV1:
		var r tagsV1Reply
		decodeStrictly(t, body, &r)
		require.NotNil(t, r.TagNames)
		return r.TagNames, r.Metrics
	case corpus.KindValuesV1:
		var r valuesV1Reply
		decodeStrictly(t, body, &r)
		require.NotNil(t, r.TagValues)
		return r.TagValues, r.Metrics
	case corpus.KindTags:
		var r tagsV2Reply
		decodeStrictly(t, body, &r)
		for _, scope := range r.Scopes {
			require.True(t, slices.IsSorted(scope.Tags), scope.Name)
			for _, tag := range scope.Tags {
				values = append(values, scope.Name+"/"+tag)
			}
		}
		return values, r.Metrics
	default:
		require.Equal(t, corpus.KindValues, kind)
		var r valuesV2Reply
		decodeStrictly(t, body, &r)
		require.NotNil(t, r.TagValues)
		for _, v := range r.TagValues {
			values = append(values, v.Type+":"+v.Value)
		}
		return values, r.Metrics
	}
}

// storeDataset stores the suite's data so that traces are split over blocks
// and some spans are there twice.
func (w *world) storeDataset() {
	w.t.Helper()
	bodies, err := corpus.Dataset()
	require.NoError(w.t, err)
	var parts [3][]schema.Span
	for i, body := range bodies {
		rows, err := otlp.NewDecoder().Decode(body, uint64(i+1), nil)
		require.NoError(w.t, err)
		for j, row := range rows {
			parts[j%3] = append(parts[j%3], row)
			if j%5 == 0 {
				parts[(j+1)%3] = append(parts[(j+1)%3], row)
			}
		}
	}
	for _, rows := range parts {
		slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		w.storeRows(rows)
	}
}

// Lists of names and values agree with the reference in every query of the
// suite: none of them is a quirk.
func TestTagConformance(t *testing.T) {
	w := newWorld(t, nil)
	w.storeDataset()
	queries, err := corpus.Queries()
	require.NoError(t, err)
	expected, err := corpus.Expected()
	require.NoError(t, err)
	counts := make(map[corpus.QueryKind]int)
	for _, q := range queries {
		switch q.Kind {
		case corpus.KindTags, corpus.KindTagsV1, corpus.KindValues, corpus.KindValuesV1:
		default:
			continue
		}
		t.Run(q.ID, func(t *testing.T) {
			require.Empty(t, q.Quirk)
			params := url.Values{}
			for k, v := range q.Params {
				params.Set(k, v)
			}
			a := w.get((&url.URL{Path: q.Path, RawQuery: params.Encode()}).String())
			require.Equal(t, expected[q.ID].Status, a.status, a.body)
			values, metrics := normalForm(t, q.Kind, a.body)
			require.NotNil(t, metrics)
			if strings.HasSuffix(string(q.Kind), "_v1") {
				require.True(t, slices.IsSorted(values))
			}
			slices.Sort(values)
			require.Equal(t, slices.Compact(slices.Clone(values)), values, "each once")
			require.ElementsMatch(t, expected[q.ID].Values, values)
		})
		counts[q.Kind]++
	}
	require.Equal(t, map[corpus.QueryKind]int{
		corpus.KindTags: 6, corpus.KindTagsV1: 2, corpus.KindValues: 20, corpus.KindValuesV1: 3,
	}, counts)
}
