package compactor

import (
	"cmp"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Listed is a block as a listing shows it.
type Listed struct {
	schema.BlockName

	Bytes  int64
	Stored time.Time // by the clock of the bucket
	Drops  bool      // holds rows that are to be gone
}

// Floor is what is known of a partition's log from before the listing.
type Floor struct {
	Partition, Partitions int
	Epoch                 uint64
	Position              uint64 // everything up to it is in blocks
	// Next is the log time of the message after the kept cut, from which on
	// nothing need be in a block; zero if the cut is the last one.
	Next time.Time
	// Read is when that was asked, by this machine's clock. A batch may begin
	// while blocks are listed.
	Read time.Time
}

// Policy is what a plan follows besides the state of the bucket and the log.
type Policy struct {
	Windows     []time.Duration // the tree, as stored with the log
	Retention   time.Duration   // of the project, 0: unlimited; the longest that a rule gives
	Rules       project.Rules   // which of its traces are not kept as long
	MaxBytes    int64           // of the inputs of a merge, together
	MinInputs   int             // from which on a merge pays that will be merged again
	MaxInputs   int             // beyond which smaller windows are merged first
	Grace       time.Duration   // how long after its end a window is closed
	DeleteAfter time.Duration   // how long covered blocks stay
}

// Job is one merge: all that the project has in a range of the log becomes one
// block. Of a single block it is a rewrite, which leaves out rows that are to be
// gone.
type Job struct {
	Inputs []Listed // visible blocks, by position
	Bytes  int64    // of all inputs
	// Output is the name of the block as far as it is known: what rows decide is
	// missing.
	Output schema.BlockName
	// Settle says that the output will not be merged again.
	Settle bool
	// Sift says which traces of the block are kept, nil if all are.
	Sift *project.Sifting
	// Reprice says that what follows from the rows is derived anew.
	Reprice bool
}

// Deletion is a block that may go.
type Deletion struct {
	Listed

	Expired bool // else another block covers it
}

// Plan is what there is to do for a project.
type Plan struct {
	Merges    []Job      // may be run in any order, and each alone
	Rewrites  []Job      // likewise; no block of a merge
	Sifts     []Job      // rewrites by rules, whether or not they were made already
	Reprices  []Job      // rewrites of blocks that were derived by something else
	Deletions []Deletion // in this order
	Covered   []Covered  // blocks that others hide
	// Strangers counts windows that stay as they are because a block of another
	// window lies in between, TooLarge those whose blocks are too large
	// together.
	Strangers, TooLarge int
}

// NewPlan decides what to do with the blocks of one project: all that a listing
// has shown, with floors that were read before it. It is pure. What it returns is
// right whatever other workers do meanwhile, and with whatever older listing: see
// schema/README.md, section 6.
func NewPlan(policy Policy, floors []Floor, blocks []Listed, now time.Time) Plan {
	p := planner{Policy: policy, now: now}
	for _, stream := range byStream(blocks) {
		p.stream(floorOf(floors, &stream[0].BlockName, now), stream)
	}
	return p.plan
}

// planner makes a plan.
type planner struct {
	Policy

	now  time.Time
	plan Plan

	// Of the stream that is being planned.
	floor   Floor
	visible []*Listed
}

// byStream sorts blocks as the covering rule wants them, and cuts them by
// partition and epoch.
func byStream(blocks []Listed) (streams [][]*Listed) {
	sorted := make([]*Listed, len(blocks))
	for i := range blocks {
		sorted[i] = &blocks[i]
	}
	slices.SortFunc(sorted, func(a, b *Listed) int { return schema.CompareCover(&a.BlockName, &b.BlockName) })
	from := 0
	for i, b := range sorted {
		if a := sorted[from]; a.Partitions != b.Partitions || a.Partition != b.Partition || a.Epoch != b.Epoch {
			streams, from = append(streams, sorted[from:i]), i
		}
	}
	if len(sorted) > 0 {
		streams = append(streams, sorted[from:])
	}
	return streams
}

// floorOf is the floor of a block's stream. That of a stream which has come to its
// end, as its epoch has, lies above all of its blocks.
func floorOf(floors []Floor, n *schema.BlockName, now time.Time) Floor {
	for _, f := range floors {
		if f.Partition == n.Partition && f.Partitions == n.Partitions && f.Epoch == n.Epoch {
			return f
		}
	}
	return Floor{Position: 1<<64 - 1, Read: now}
}

// stream plans one partition's log of one epoch.
func (p *planner) stream(floor Floor, blocks []*Listed) {
	p.floor = floor
	covered := p.cover(blocks)
	p.expire(covered)
	p.expire(p.visible)
	for _, b := range covered {
		p.deleteCovered(b)
	}
	before := len(p.plan.Merges)
	p.merge()
	merged := blocksOf(p.plan.Merges[before:])
	p.rewrite(merged)
	p.sift(merged)
}

// cover finds the visible blocks of a stream, and returns the others. No visible
// range lies in another one, so both ends ascend.
func (p *planner) cover(blocks []*Listed) (covered []*Listed) {
	p.visible = p.visible[:0]
	for _, b := range blocks {
		if n := len(p.visible); n > 0 && p.visible[n-1].Contains(b.BlockName) {
			covered = append(covered, b)
		} else {
			p.visible = append(p.visible, b)
		}
	}
	return covered
}

// expire deletes what has expired: covered blocks first, which would else be
// visible again. What was just stored stays a while, since its builder may store it
// again: it would be back after an erasure has found that nothing is left.
func (p *planner) expire(blocks []*Listed) {
	for _, b := range blocks {
		if p.expired(&b.BlockName) && p.now.Sub(b.Stored) >= p.DeleteAfter {
			p.plan.Deletions = append(p.plan.Deletions, Deletion{*b, true})
		}
	}
}

func (p *planner) expired(n *schema.BlockName) bool {
	return p.Retention > 0 && !p.now.Before(expiry(n, p.Windows, p.Retention))
}

// deleteCovered deletes a covered block when those who may still write or read it
// have had their time since it was covered.
func (p *planner) deleteCovered(b *Listed) {
	// Of the visible blocks that do not begin behind it the last reaches furthest.
	i, found := slices.BinarySearchFunc(p.visible, b.First, func(v *Listed, first uint64) int { return cmp.Compare(v.First, first) })
	if !found {
		i--
	}
	by := p.visible[i]
	if !by.Contains(b.BlockName) {
		return
	}
	p.plan.Covered = append(p.plan.Covered, Covered{*b, *by})
	if p.now.Sub(by.Stored) >= p.DeleteAfter && !p.expired(&b.BlockName) { // those are deleted already
		p.plan.Deletions = append(p.plan.Deletions, Deletion{*b, false})
	}
}
