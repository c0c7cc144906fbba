package compactor

import (
	"cmp"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// merge plans the merges of a stream: window by window, from the largest that
// the project uses down to the smallest.
func (p *planner) merge() {
	var settled []*Listed
	for _, b := range p.visible {
		if p.settled(b) {
			settled = append(settled, b)
		}
	}
	if level := levelsFor(p.Windows, p.Retention); level > 0 && len(settled) > 0 {
		p.plan.add(p.level(level, settled, true))
	}
}

// outcome is what is decided of some blocks.
type outcome struct {
	merges              []Job
	left                int // blocks after these merges
	strangers, tooLarge int
}

func (o *outcome) add(more outcome) {
	o.merges = append(o.merges, more.merges...)
	o.left += more.left
	o.strangers += more.strangers
	o.tooLarge += more.tooLarge
}

func (p *Plan) add(o outcome) {
	p.Merges = append(p.Merges, o.merges...)
	p.Strangers += o.strangers
	p.TooLarge += o.tooLarge
}

// level plans the windows of a level. The blocks of a last one will not be merged
// again in a larger window.
func (p *planner) level(level int, blocks []*Listed, last bool) (o outcome) {
	if level == 0 {
		return outcome{left: len(blocks)}
	}
	for _, group := range byWindow(blocks, p.Windows[level-1]) {
		if len(group) == 1 {
			o.left++
		} else {
			o.add(p.window(level, group, last))
		}
	}
	return o
}

// window plans one window, which has several blocks. To merge what will be merged
// again pays only where many blocks become one, beyond what smaller windows do:
// so a span is written three times at most in its life, mostly.
func (p *planner) window(level int, group []*Listed, last bool) outcome {
	job := newJob(level, group)
	job.Settle = last
	whole := outcome{merges: []Job{job}, left: 1}
	switch {
	case !p.closed(windowOf(p.Windows[level-1], group[0].LogNanos)):
		return p.level(level-1, group, false)
	case job.Bytes > p.MaxBytes:
		o := p.level(level-1, group, true)
		o.tooLarge++
		return o
	case p.stranger(&job):
		o := p.level(level-1, group, true)
		o.strangers++
		return o
	case len(group) > p.MaxInputs && level > 1:
		o := p.level(level-1, group, false)
		if len(o.merges) == 0 {
			o = p.level(level-1, group, true)
			for i := range o.merges {
				o.merges[i].Settle = false // they are merged again once they are few
			}
		}
		return o
	case last:
		return whole
	}
	smaller := p.level(level-1, group, false)
	if smaller.left >= p.MinInputs {
		return whole
	}
	return smaller
}

// closed reports whether no batch will begin in the window any more, unless the
// log's clock is put back by more than the grace: the log has gone on for as long
// behind the window's end, or has nothing more and the clock has.
func (p *planner) closed(w window) bool {
	at := p.floor.Next
	if at.IsZero() {
		at = p.floor.Read
	}
	return at.Add(-p.Grace).UnixNano() >= w.end
}

// newJob merges blocks that are sorted by range. What leaves out rows has a
// generation of its own: one of a worker that did not know of it, of the same
// range, is hidden by it.
func newJob(level int, inputs []*Listed) Job {
	first := inputs[0].BlockName
	job := Job{Inputs: make([]Listed, len(inputs)), Output: schema.BlockName{
		Project: first.Project, Partition: first.Partition, Partitions: first.Partitions, Epoch: first.Epoch,
		First: first.First, LogNanos: first.LogNanos, Level: level,
	}}
	drops := 0
	for i, b := range inputs {
		if b.Drops {
			drops = 1
		}
		job.Inputs[i] = *b
		job.Bytes += b.Bytes
		job.Output.Last = max(job.Output.Last, b.Last)
		job.Output.Level = max(job.Output.Level, b.Level) // of a longer retention
		job.Output.Generation = max(job.Output.Generation, b.Generation)
	}
	job.Output.Generation += drops
	return job
}

// stranger reports whether a visible block that is no input has part of the
// output's range: the log's clock was put back, and the block belongs to another
// window. The output would hide it without holding its rows.
func (p *planner) stranger(job *Job) bool {
	from, _ := slices.BinarySearchFunc(p.visible, job.Output.First, func(v *Listed, first uint64) int { return cmp.Compare(v.Last, first) })
	to, _ := slices.BinarySearchFunc(p.visible, job.Output.Last+1, func(v *Listed, end uint64) int { return cmp.Compare(v.First, end) })
	return to-from != len(job.Inputs)
}
