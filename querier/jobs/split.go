package jobs

import (
	"encoding/binary"
	"math"

	"github.com/spanlake/spanlake/schema"
)

// maxRanges bounds the jobs of one partition.
const maxRanges = 16

// Split returns traces for jobs that read about so many spans each, so that every
// trace is in one of them: all traces if these blocks, which are those that are
// searched, have no more; else partitions, of which a log has so many at most;
// of a partition that is still too large ranges of ids, which are taken to be
// random. What is live is not counted, it is little.
func Split(blocks []schema.BlockName, partitions int, spans uint64) []schema.Traces {
	n := 1
	loads := loadsOf(blocks, n)
	for largest(loads) > spans && n < partitions {
		n *= 2
		loads = loadsOf(blocks, n)
	}
	var list []schema.Traces
	for p, load := range loads {
		traces := schema.AllTraces()
		traces.Partition, traces.Partitions = p, n
		ranges := min((load+spans-1)/spans, maxRanges)
		for i := range max(ranges, 1) {
			list = append(list, rangeOf(traces, i, max(ranges, 1)))
		}
	}
	return list
}

// loadsOf are the spans of each of n partitions. Blocks of fewer ones have traces
// of several.
func loadsOf(blocks []schema.BlockName, n int) []uint64 {
	loads := make([]uint64, n)
	for _, b := range blocks {
		if b.Partitions >= n {
			loads[b.Partition%n] += b.Spans
			continue
		}
		for p := b.Partition; p < n; p += b.Partitions {
			loads[p] += b.Spans * uint64(b.Partitions) / uint64(n) //nolint:gosec // both are positive
		}
	}
	return loads
}

func largest(loads []uint64) (most uint64) {
	for _, load := range loads {
		most = max(most, load)
	}
	return most
}

// rangeOf is one of so many ranges of all ids.
func rangeOf(traces schema.Traces, i, count uint64) schema.Traces {
	width := math.MaxUint64/count + 1 // of the first 8 bytes; 0 for one range
	if i > 0 {
		binary.BigEndian.PutUint64(traces.First[:], i*width)
	}
	if i+1 < count {
		binary.BigEndian.PutUint64(traces.Last[:], (i+1)*width-1)
	}
	return traces
}
