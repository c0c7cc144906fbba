package querier_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/jobs"
	"github.com/spanlake/spanlake/schema"
)

// A block is read in one of the parts that may have traces of it.
func TestEveryBlockHasAHome(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		blocks := make([]schema.BlockName, 1+rng.IntN(30))
		for i := range blocks {
			n := 1 << rng.IntN(4)
			blocks[i] = schema.BlockName{
				Project: "default", Partition: rng.IntN(n), Partitions: n, Epoch: 1, First: uint64(i + 1), Last: uint64(i + 1),
				Spans: rng.Uint64N(1000), MaxEnd: 1,
			}
		}
		parts := jobs.Split(blocks, 8, 1+rng.Uint64N(2000))
		for _, b := range blocks {
			homes := 0
			for _, traces := range parts {
				if (traces.Partitions == 1 || catalog.MayShare(b, traces.Partition, traces.Partitions)) && querier.IsHome(traces, b) {
					homes++
				}
			}
			require.Equal(t, 1, homes, "%v in %v", b, parts)
		}
	}
}

// Limits hold for what all parts have found together.
func TestTagsOfPartsAreLimited(t *testing.T) {
	c := newCluster(t)
	c.work(c.querier(inParts()).Work)
	within := "start=1768471200&end=1768471500"
	for _, q := range []*member{c.querier(inParts()), c.asker(inParts())} {
		var all, few tagsV2Reply
		require.NoError(t, json.Unmarshal([]byte(q.get(t.Context(), "/api/v2/search/tags?scope=span&"+within).body), &all))
		names := len(all.Scopes[0].Tags)
		require.Greater(t, names, 5)
		for limit, want := range map[string]int{"5": 5, "1000": names} {
			require.NoError(t, json.Unmarshal([]byte(q.get(t.Context(), "/api/v2/search/tags?scope=span&limit="+limit+"&"+within).body), &few))
			require.Len(t, few.Scopes[0].Tags, want)
			require.Subset(t, all.Scopes[0].Tags, few.Scopes[0].Tags)
		}
		require.Greater(t, q.jobs("here", "done")+q.jobs("elsewhere", "done"), 10)
	}
}
