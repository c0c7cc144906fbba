package querier

import (
	"cmp"
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
)

// question is what a query asks of every part of the traces.
type question interface {
	// searched is the range of the blocks that are searched.
	searched() timeRange
	// sources are those of a part.
	sources(ctx context.Context, q *Querier, p *part) ([]engine.Source, error)
	// run answers from the sources of a part.
	run(ctx context.Context, sources []engine.Source) (answer, error)
	// parse reads an answer that somebody else has encoded.
	parse(encoded []byte) (answer, error)
	// fill writes into a job what is asked.
	fill(j *wire.Job)
}

// answer is what was found in a part: *engine.SearchResult, *engine.MetricsPart or
// *engine.Tags.
type answer interface{ Append(dst []byte) []byte }

// part is some of the traces that a query reads, and all that may hold them.
type part struct {
	projects []schema.ProjectID
	traces   schema.Traces
	joined   *catalog.Joined
}

// of are those parts of what was joined that are of one of n partitions.
func ofPartition(joined *catalog.Joined, partition, n int) *catalog.Joined {
	if n == 1 {
		return joined
	}
	own := joined.Empty()
	for _, b := range joined.Blocks {
		if catalog.MayShare(b, partition, n) {
			own.Blocks = append(own.Blocks, b)
		}
	}
	for _, p := range joined.Parts {
		if p.Partition%n == partition {
			own.Parts, own.Segments = append(own.Parts, p), append(own.Segments, p.Segments...)
		}
	}
	return own
}

// partitionsOf are the log's partitions that are of one of n.
func (q *Querier) partitionsOf(partition, n int) []int {
	return slices.DeleteFunc(q.allPartitions(), func(p int) bool { return p%n != partition })
}

// bytesOfSpan is about what reading a block holds for each of its spans: two
// columns of numbers.
const bytesOfSpan = 16

// bytesOfJob is what a job holds in any case.
const bytesOfJob = 1 << 20

// memoryOf is about what is held while a question is answered: what is read of as
// many blocks as are read at once.
func (q *Querier) memoryOf(p *part, searched timeRange) int64 {
	var sizes []uint64
	for _, b := range p.joined.Blocks {
		if searched.overlaps(b) {
			sizes = append(sizes, b.Spans)
		}
	}
	slices.SortFunc(sizes, func(a, b uint64) int { return cmp.Compare(b, a) })
	bytes := int64(bytesOfJob)
	for _, n := range sizes[:min(len(sizes), q.cfg.Concurrency)] {
		bytes += int64(min(n, maxBlockSpans)) * bytesOfSpan //nolint:gosec // bounded on this line
	}
	return bytes
}

// maxBlockSpans is more than a block has.
const maxBlockSpans = 1 << 32

// jobOf is a part as a message.
func (q *Querier) jobOf(p *part, ask question) *wire.Job {
	j := &wire.Job{Traces: p.traces, Projects: p.projects, Blocks: p.joined.Blocks, Oldest: p.joined.Oldest, LogPartitions: q.partitions}
	for _, live := range p.joined.Parts {
		j.Floors = append(j.Floors, wire.Floor{
			Project: live.Project, Partition: live.Partition, Epoch: live.Floor.Epoch, Position: live.Floor.Position,
		})
	}
	ask.fill(j)
	return j
}
