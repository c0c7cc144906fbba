package compactor

import "github.com/spanlake/spanlake/schema"

// Covered is a block that another one hides.
type Covered struct {
	Listed

	By Listed
}

// rewrite plans that blocks which hold rows that are to be gone are written anew
// without them, in the next generation, unless a merge that is planned leaves
// them out.
func (p *planner) rewrite(merges []Job) {
	merged := make(map[schema.BlockName]bool)
	for i := range merges {
		for k := range merges[i].Inputs {
			merged[merges[i].Inputs[k].BlockName] = true
		}
	}
	for _, b := range p.visible {
		if b.Drops && p.settled(b) && !merged[b.BlockName] {
			p.plan.Rewrites = append(p.plan.Rewrites, newJob(b.Level, []*Listed{b}))
		}
	}
}

// settled reports whether nothing about a block will change by itself any more.
func (p *planner) settled(b *Listed) bool {
	return b.Last <= p.floor.Position && !p.expired(&b.BlockName)
}
