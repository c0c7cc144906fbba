package compactor

import (
	"time"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Covered is a block that another one hides.
type Covered struct {
	Listed

	By Listed
}

// blocksOf are the inputs of jobs.
func blocksOf(jobs []Job) map[schema.BlockName]bool {
	all := make(map[schema.BlockName]bool)
	for i := range jobs {
		for k := range jobs[i].Inputs {
			all[jobs[i].Inputs[k].BlockName] = true
		}
	}
	return all
}

// rewrite plans that blocks which hold rows that are to be gone are written anew
// without them, in the next generation, unless a merge that is planned leaves
// them out.
func (p *planner) rewrite(merged map[schema.BlockName]bool) {
	for _, b := range p.visible {
		if b.Drops && p.settled(b) && !merged[b.BlockName] {
			p.plan.Rewrites = append(p.plan.Rewrites, newJob(b.Level, []*Listed{b}))
		}
	}
}

// sift plans that blocks are written anew without the traces that the rules do not
// keep any more: once the largest window that is merged has been over for as long as
// a rule keeps some, so that a block is read for that as rarely as possible.
func (p *planner) sift(merged map[schema.BlockName]bool) {
	if len(p.Rules.Each) == 0 {
		return
	}
	for _, b := range p.visible {
		if b.Spans == 0 || b.Drops || !p.settled(b) || merged[b.BlockName] {
			continue
		}
		life := lifeOf(&b.BlockName, p.Windows, p.Retention)
		if !p.closed(life) {
			continue
		}
		if sifting, some := p.Rules.At(over(life, p.now)); some {
			job := newJob(b.Level, []*Listed{b})
			job.Output.Generation++
			job.Sift = &sifting
			p.plan.Sifts = append(p.plan.Sifts, job)
		}
	}
}

// over tells which retentions of what was received in a window are over.
func over(w window, now time.Time) func(project.Retention) bool {
	return func(r project.Retention) bool {
		return r > 0 && !now.Before(time.Unix(0, w.end).Add(time.Duration(r)))
	}
}

// settled reports whether nothing about a block will change by itself any more.
func (p *planner) settled(b *Listed) bool {
	return b.Last <= p.floor.Position && !p.expired(&b.BlockName)
}
