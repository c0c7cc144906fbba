package jobs_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/querier/jobs"
	"github.com/spanlake/spanlake/schema"
)

func block(partition, partitions int, spans uint64) schema.BlockName {
	return schema.BlockName{Partition: partition, Partitions: partitions, Spans: spans}
}

func TestSplit(t *testing.T) {
	for _, test := range []struct {
		name       string
		blocks     []schema.BlockName
		partitions int
		want       []int // jobs of each partition
	}{
		{"nothing", nil, 4, []int{1}},
		{"as many as one may", []schema.BlockName{block(0, 4, 60), block(1, 4, 40)}, 4, []int{1}},
		{"one more", []schema.BlockName{block(0, 4, 61), block(1, 4, 40)}, 4, []int{1, 1}},
		{"in all partitions", []schema.BlockName{block(0, 4, 100), block(1, 4, 100), block(2, 4, 100), block(3, 4, 100)}, 4, []int{1, 1, 1, 1}},
		{"a large partition", []schema.BlockName{block(0, 4, 301), block(1, 4, 100)}, 4, []int{4, 1, 1, 1}},
		{"of a log with fewer", []schema.BlockName{block(1, 2, 400)}, 4, []int{1, 2, 1, 2}},
		{"of a log with more", []schema.BlockName{block(9, 16, 101), block(1, 16, 100)}, 4, []int{1, 3, 1, 1}},
		{"huge", []schema.BlockName{block(0, 1, 1e9)}, 1, []int{16}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := make([]int, len(test.want))
			for _, traces := range jobs.Split(test.blocks, test.partitions, 100) {
				require.Equal(t, len(test.want), traces.Partitions)
				got[traces.Partition]++
			}
			require.Equal(t, test.want, got)
		})
	}
}

// Every trace is in one of the jobs.
func TestSplitHasEveryTraceOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var blocks []schema.BlockName
		for range rng.IntN(20) {
			n := 1 << rng.IntN(5)
			blocks = append(blocks, block(rng.IntN(n), n, rng.Uint64N(1000)))
		}
		list := jobs.Split(blocks, 1<<rng.IntN(5), 1+rng.Uint64N(1000))
		for i := range 200 {
			var id schema.TraceID
			for k := range id {
				id[k] = byte(rng.Uint32())
			}
			if i < 2 {
				for k := range id {
					id[k] = byte(-i)
				}
			}
			owners := 0
			for _, traces := range list {
				if traces.Has(id) {
					owners++
				}
			}
			require.Equal(t, 1, owners, "%s in %v", id, list)
		}
	}
}
