package e2e_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
)

// metadataMetrics is what Tempo's lists of names and values tell about their
// making.
type metadataMetrics struct {
	InspectedBytes  string `json:"inspectedBytes"`
	TotalJobs       uint32 `json:"totalJobs"`
	CompletedJobs   uint32 `json:"completedJobs"`
	TotalBlocks     uint32 `json:"totalBlocks"`
	TotalBlockBytes string `json:"totalBlockBytes"`
}

// differList compares a list of tags or of values with the recorded one, in
// the normal form of the conformance suite.
func differList(t *testing.T, q corpus.Query, want []string, body []byte) string {
	t.Helper()
	got := normalList(t, q.Kind, body)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		return fmt.Sprintf("%q, want %q", got, want)
	}
	return ""
}

func normalList(t *testing.T, kind corpus.QueryKind, body []byte) (list []string) {
	t.Helper()
	var metrics *metadataMetrics
	switch kind {
	case corpus.KindTags:
		var reply struct {
			Scopes []struct {
				Name string   `json:"name"`
				Tags []string `json:"tags"`
			} `json:"scopes"`
			Metrics *metadataMetrics `json:"metrics"`
		}
		require.NoError(t, strictJSON(body, &reply))
		for _, scope := range reply.Scopes {
			for _, tag := range scope.Tags {
				list = append(list, scope.Name+"/"+tag)
			}
		}
		metrics = reply.Metrics
	case corpus.KindValues:
		var reply struct {
			TagValues []struct {
				Type  string `json:"type"`
				Value string `json:"value"`
			} `json:"tagValues"`
			Metrics *metadataMetrics `json:"metrics"`
		}
		require.NoError(t, strictJSON(body, &reply))
		for _, value := range reply.TagValues {
			list = append(list, value.Type+":"+value.Value)
		}
		metrics = reply.Metrics
	default: // the first versions of both
		var reply struct {
			TagNames  []string         `json:"tagNames"`
			TagValues []string         `json:"tagValues"`
			Metrics   *metadataMetrics `json:"metrics"`
		}
		require.NoError(t, strictJSON(body, &reply))
		list = append(reply.TagNames, reply.TagValues...)
		metrics = reply.Metrics
	}
	require.NotNil(t, metrics, "the reply has no metrics: %s", body)
	return list
}
