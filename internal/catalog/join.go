package catalog

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/schema"
)

var (
	// ErrUnsettled means that blocks kept disappearing or the log kept moving
	// under a query, which can be repeated.
	ErrUnsettled = errors.New("blocks and live data did not settle")
	// ErrStale means that something that a join has found is gone, because the
	// log was purged or a batch was stored meanwhile: join again.
	ErrStale = errors.New("the log has moved on")
)

// Live answers for what is not yet in blocks.
type Live interface {
	// Tail returns a project's part of everything after a position of the
	// partition's log, up to the log's end at the time of the call.
	Tail(ctx context.Context, project schema.ProjectID, partition int, after uint64) (Tail, error)
}

// Tail is the end of a partition's log: what a builder holds in memory, then
// what only the log has.
type Tail struct {
	Epoch    uint64
	From     uint64 // first position held; what lies before is not here
	Segments []Segment
	Unread   *Unread // nil: the segments reach to the log's end
}

// Segment is a batch, or the beginning of one, in memory, or a part of the log.
type Segment interface {
	// Scan and Trace fail with ErrStale when what they read is gone.
	engine.Source
	// Range returns the first and last position.
	Range() (first, last uint64)
}

// Unread is the part of a log that nobody holds in memory.
type Unread struct {
	First, Last uint64
	// Between returns the messages from one position to another within the
	// part, both included.
	Between func(first, last uint64) Segment
}

// Joined is what a query reads: together these hold every message of the
// project that was acknowledged before the join began, each once.
type Joined struct {
	View     *View
	Blocks   []schema.BlockName // of the partitions asked for; not to be changed
	Segments []Segment
	Parts    []Part // the same segments, by partition
	// Oldest is the end that spans of a project must have to be shown, for
	// those that keep none for ever. A join leaves it to its caller.
	Oldest map[schema.ProjectID]uint64
	// Erased is what is to be gone of projects, likewise.
	Erased map[schema.ProjectID]*erasure.Pending
}

// Empty is what was joined without blocks and segments, for some of them: what must
// not be shown stays with it.
func (j *Joined) Empty() *Joined { return &Joined{View: j.View, Oldest: j.Oldest, Erased: j.Erased} }

// Part is what is live of one partition for a project: everything after the
// floor of the view that no block of it covers.
type Part struct {
	Project   schema.ProjectID
	Partition int
	Floor     Floor
	Segments  []Segment
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
		// stored since. A new listing of the days that were not over has it.
		view, err = c.newer(ctx, project, view, false)
	}
	return nil, ErrUnsettled
}

// JoinAt puts live data together with blocks that somebody else has listed: all
// visible ones of these partitions of a log with so many, and the floors that were
// read before the listing. Returns ErrStale when live data begins later: who
// listed them has to do so again.
func JoinAt(
	ctx context.Context, live Live, project schema.ProjectID, count int, floors map[int]Floor, blocks []schema.BlockName,
) (*Joined, error) {
	view := &View{floors: make([]Floor, count), blocks: blocks}
	partitions := slices.Sorted(maps.Keys(floors))
	for _, p := range partitions {
		view.floors[p] = floors[p]
	}
	joined, ok, err := join(ctx, live, project, partitions, view)
	if err == nil && !ok {
		err = ErrStale
	}
	return joined, err
}

func join(ctx context.Context, live Live, project schema.ProjectID, partitions []int, view *View) (*Joined, bool, error) {
	joined := &Joined{View: view}
	if len(partitions) == len(view.floors) {
		joined.Blocks = slices.Clip(view.blocks) // all of them
	}
	for _, b := range view.blocks[len(joined.Blocks):] {
		if slices.ContainsFunc(partitions, func(p int) bool { return MayShare(b, p, len(view.floors)) }) {
			joined.Blocks = append(joined.Blocks, b)
		}
	}
	tails, err := tailsOf(ctx, live, project, partitions, view)
	if err != nil {
		return nil, false, err
	}
	for i, p := range partitions {
		f, tail := view.floors[p], tails[i]
		if tail.Epoch != f.Epoch || tail.From > f.Position+1 {
			return nil, false, nil
		}
		part := Part{Project: project, Partition: p, Floor: f}
		for _, s := range tail.Segments {
			if first, last := s.Range(); last > f.Position && !view.holds(p, f.Epoch, first, last) {
				part.Segments = append(part.Segments, s)
			}
		}
		if u := tail.Unread; u != nil {
			for _, r := range view.missing(p, f.Epoch, max(u.First, f.Position+1), u.Last) {
				part.Segments = append(part.Segments, u.Between(r.first, r.last))
			}
		}
		joined.Parts = append(joined.Parts, part)
		joined.Segments = append(joined.Segments, part.Segments...)
	}
	return joined, true, nil
}

// tailsOf asks for what lies behind the floors, all at once: each answer takes a
// request to the log.
func tailsOf(ctx context.Context, live Live, project schema.ProjectID, partitions []int, view *View) ([]Tail, error) {
	tails := make([]Tail, len(partitions))
	if len(partitions) == 1 {
		var err error
		tails[0], err = live.Tail(ctx, project, partitions[0], view.floors[partitions[0]].Position)
		return tails, err
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, p := range partitions {
		group.Go(func() (err error) {
			tails[i], err = live.Tail(ctx, project, p, view.floors[p].Position)
			return err
		})
	}
	return tails, group.Wait()
}

// holds reports whether a block of the project covers the range: the covering
// rule for live segments.
func (v *View) holds(partition int, epoch, first, last uint64) bool {
	segment := v.named(partition, epoch, first, last)
	return slices.ContainsFunc(v.blocks, func(b schema.BlockName) bool { return b.Contains(segment) })
}

// positions is a range of the log, both ends included.
type positions struct{ first, last uint64 }

// missing returns the parts of a range of the log that no block of the project
// covers, in order: the covering rule for messages whose batches are not known.
// A block holds all of its project's messages in its range, so those need not
// be read, whether or not the log still has them.
func (v *View) missing(partition int, epoch, first, last uint64) []positions {
	var covered []positions
	for _, b := range v.blocks {
		overlap := v.named(partition, epoch, max(b.First, first), min(b.Last, last))
		if overlap.First <= overlap.Last && b.Contains(overlap) {
			covered = append(covered, positions{overlap.First, overlap.Last})
		}
	}
	slices.SortFunc(covered, func(a, b positions) int { return cmp.Compare(a.first, b.first) })
	var rest []positions
	for _, c := range covered {
		if first < c.first {
			rest = append(rest, positions{first, c.first - 1})
		}
		first = max(first, c.last+1)
	}
	if first <= last {
		rest = append(rest, positions{first, last})
	}
	return rest
}

// named is the name of a block of the range, to compare others with.
func (v *View) named(partition int, epoch, first, last uint64) schema.BlockName {
	return schema.BlockName{Partition: partition, Partitions: len(v.floors), Epoch: epoch, First: first, Last: last}
}

// MayShare reports whether a block can hold traces of partition p among count.
// Blocks of a log with another number of partitions stay valid: of two powers
// of two the smaller one's partition is the ancestor of the larger one's.
func MayShare(b schema.BlockName, p, count int) bool {
	common := min(b.Partitions, count)
	return b.Partition%common == p%common
}
