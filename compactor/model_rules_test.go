package compactor_test

import (
	"maps"
	"time"

	"github.com/spanlake/spanlake/compactor"
	projects "github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// lives is how long the rows of traces are kept: the retention of the model, or, of
// those that rules let go before the others, short. Without rules ruled is false.
type lives struct {
	ruled bool
	short projects.Retention
}

// anyRules are none, or let some rows go after up to three hours.
func (m *model) anyRules() lives {
	if m.rng.IntN(3) == 0 {
		return lives{}
	}
	l := lives{ruled: true, short: projects.Retention(time.Duration(1+m.rng.IntN(180)) * time.Minute)}
	if m.retention > 0 {
		l.short = min(l.short, m.retention)
	}
	return l
}

// rulesOf puts a retention and rules as a project has them. Half of the models have a
// filter that finds what is kept for long, the others one of what is not.
func (m *model) rulesOf(retention projects.Retention, l lives) projects.Rules {
	switch {
	case !l.ruled:
		return projects.Rules{Rest: retention}
	case m.findsShort:
		return projects.Rules{Rest: retention, Each: []projects.Rule{{Filter: "{ name = `poll` }", Retention: l.short}}}
	}
	return projects.Rules{Rest: l.short, Each: []projects.Rule{{Filter: "{ status = error }", Retention: retention}}}
}

// siftedAlready drops the jobs that a worker finds done.
func (m *model) siftedAlready(sifts []compactor.Job) (left []compactor.Job) {
	for _, job := range sifts {
		if m.stored[job.Inputs[0].BlockName].sifted != decision(job.Sift) {
			left = append(left, job)
		}
	}
	return left
}

// decision is what a block says that it was sifted by.
func decision(s *projects.Sifting) string {
	if s.Rest {
		return "all but short"
	}
	return "none but long"
}

// sift leaves out the short rows of a block, but for those of traces of which a
// visible block has something that is kept for long. It is void, and false, if such a
// block is gone, or if the rules have changed meanwhile.
func (m *model) sift(w *worker, job *compactor.Job, o *object) bool {
	long := map[uint64]bool{}
	for _, n := range w.visible() {
		there, ok := m.stored[n]
		if !ok {
			return false
		}
		if m.bug.siftsAlone && n != job.Inputs[0].BlockName {
			continue
		}
		maps.Copy(long, there.holds)
	}
	for first := range o.short {
		if !m.findsShort && long[m.batches[first].saved] {
			continue
		}
		delete(o.short, first)
		if why := m.keeps(w, m.batches[first]); why != "" {
			o.wrong = why
		}
	}
	o.sifted = decision(job.Sift)
	same := w.lives == m.lives && w.retention == m.retention
	return same || m.bug.oldRules
}

// keeps says why the short rows of a batch may not go now, "" if they may.
func (m *model) keeps(w *worker, b *batch) string {
	if !m.lives.ruled || m.now.Before(b.log.Add(time.Duration(m.lives.short))) {
		return "it is too early for"
	}
	if by := m.batches[b.saved]; !m.findsShort && by != nil && by.end > 0 && by.last <= w.floor.Position && !by.gone {
		return "another block keeps"
	}
	return ""
}

// visible are the blocks that a worker's listing does not show to be hidden.
func (w *worker) visible() []schema.BlockName {
	names := make([]schema.BlockName, len(w.seen))
	for i := range w.seen {
		names[i] = w.seen[i].BlockName
	}
	return schema.Visible(names)
}

// checkRules lets time go by until all windows are over for as long as short rows are
// kept, and looks for those that stay.
func (m *model) checkRules() {
	if !m.lives.ruled || m.broken != nil {
		return
	}
	m.now = m.now.Add(time.Duration(m.lives.short) + 24*time.Hour + 21*time.Minute + m.policy.Grace)
	m.goOn()
	w := &worker{}
	for step := 0; w.listed.IsZero() || len(w.plan.Deletions)+len(w.jobs) > 0; step++ {
		if step == 5000 {
			m.fail("rules are applied for ever")
		}
		m.now = m.now.Add(time.Second)
		m.work(w)
		if m.check(); m.broken != nil {
			return
		}
	}
	long := map[uint64]bool{}
	for _, n := range m.visible {
		maps.Copy(long, m.stored[n].holds)
	}
	for _, n := range m.visible {
		for first := range m.stored[n].short {
			if n.Last <= m.floor && (m.findsShort || !long[m.batches[first].saved]) {
				m.fail("rows of batch %d in %s have outlived the rules", first, label(n))
			}
		}
	}
}

// link makes a trace have rows in a new batch and in one of the last ones, those of one
// of them short.
func (m *model) link(b *batch) {
	other := m.batches[m.lastBatch]
	m.lastBatch = b.first
	switch {
	case other == nil || m.rng.IntN(3) > 0:
	case m.rng.IntN(2) == 0:
		b.saved = other.first
	case other.saved == 0:
		other.saved = b.first
	}
}

// letGo notes what a block was stored without.
func (m *model) letGo(n schema.BlockName, o *object) {
	if o.wrong != "" {
		m.fail("%s was stored without rows, but %s them", label(n), o.wrong)
	}
	for first := range o.holds {
		b := m.batches[first]
		b.letGo = b.letGo || b.short && !o.short[first]
	}
}
