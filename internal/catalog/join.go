package catalog

import (
	"context"
	"errors"
	"slices"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
)

var (
	// ErrUnsettled means that blocks kept disappearing or the log kept moving
	// under a query, which can be repeated.
	ErrUnsettled = errors.New("blocks and live data did not settle")
	// ErrBehind means that the live data did not catch up with the log in
	// time. The query can be repeated.
	ErrBehind = errors.New("live data is behind the log")
)

// Live answers for what is not yet in blocks.
type Live interface {
	// Tail returns a project's part of everything after a position of the
	// partition's log, caught up with the log's end at the time of the call.
	// Fails with ErrBehind when it cannot catch up.
	Tail(ctx context.Context, project schema.ProjectID, partition int, after uint64) (Tail, error)
}

// Tail is the end of a partition's log in memory.
type Tail struct {
	Epoch    uint64
	From     uint64 // first position held; what lies before is not here
	Segments []Segment
}

// Segment is a batch, or the beginning of one, in memory.
type Segment interface {
	engine.Source
	// Range returns the first and last position, and whether the last one is
	// a cut, so that the segment is a whole batch.
	Range() (first, last uint64, closed bool)
}

// Joined is what a query reads: together these hold every message of the
// project that was acknowledged before the join began, each once.
type Joined struct {
	View     *View
	Blocks   []schema.BlockName // of the partitions asked for
	Segments []Segment
}

// maxJoins bounds how often a query starts anew because the log moved on.
const maxJoins = 20

// Join puts blocks and live data of the given partitions together. A view that
// turned out to be out of date (a block was gone when read) is passed as old;
// nil takes the cached one.
func (c *Catalog) Join(ctx context.Context, live Live, project schema.ProjectID, partitions []int, old *View) (*Joined, error) {
	view, err := c.Newer(ctx, project, old)
	for range maxJoins {
		if err != nil {
			return nil, err
		}
		joined, ok, joinErr := join(ctx, live, project, partitions, view)
		if ok || joinErr != nil {
			return joined, joinErr
		}
		// Live data begins after this view's floor: what lies between was
		// stored since. A new listing has it.
		view, err = c.Newer(ctx, project, view)
	}
	return nil, ErrUnsettled
}

func join(ctx context.Context, live Live, project schema.ProjectID, partitions []int, view *View) (*Joined, bool, error) {
	joined := &Joined{View: view}
	for _, b := range view.blocks {
		if slices.ContainsFunc(partitions, func(p int) bool { return mayShare(b, p, len(view.floors)) }) {
			joined.Blocks = append(joined.Blocks, b)
		}
	}
	for _, p := range partitions {
		f := view.floors[p]
		tail, err := live.Tail(ctx, project, p, f.position)
		if err != nil {
			return nil, false, err
		}
		if tail.Epoch != f.epoch || tail.From > f.position+1 {
			return nil, false, nil
		}
		for _, s := range tail.Segments {
			if first, last, closed := s.Range(); last > f.position && (!closed || !view.holds(p, f.epoch, first, last)) {
				joined.Segments = append(joined.Segments, s)
			}
		}
	}
	return joined, true, nil
}

// holds reports whether a block of the project covers the range: the covering
// rule for live segments.
func (v *View) holds(partition int, epoch, first, last uint64) bool {
	segment := schema.BlockName{Partition: partition, Partitions: len(v.floors), Epoch: epoch, First: first, Last: last}
	return slices.ContainsFunc(v.blocks, func(b schema.BlockName) bool { return b.Contains(segment) })
}

// mayShare reports whether a block can hold traces of partition p among count.
// Blocks of a log with another number of partitions stay valid: of two powers
// of two the smaller one's partition is the ancestor of the larger one's.
func mayShare(b schema.BlockName, p, count int) bool {
	common := min(b.Partitions, count)
	return b.Partition%common == p%common
}
