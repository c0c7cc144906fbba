package compactor_test

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/spanlake/spanlake/compactor"
	projects "github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// worker is a compactor between its listing and what it does after that.
type worker struct {
	floor     *compactor.Floor
	retention projects.Retention // before the listing
	lives     lives              // likewise
	pages     pages
	listed    time.Time // when the listing began; zero until it is complete
	seen      []compactor.Listed
	plan      compactor.Plan
	jobs      []compactor.Job
	reads     map[schema.BlockName]object // inputs that were read already
	ended     int                         // erasures that were done before
	job       int

	pending []*modelErasure // before the listing
	settled bool            // it has ended those of which nothing is left
	output  *object         // of the job, when it may be stored
	maxEnd  uint64          // of the rows of the output
	checked time.Time       // when it was found that it may
}

// pages is a listing that is read page by page, in the order of keys: what is
// stored meanwhile may be in it or not.
type pages struct {
	read  int
	after string // the last key
	began time.Time
	names []schema.BlockName
}

// maxPages is how many pages a listing has.
const maxPages = 3

// next reads a page, and reports whether it was the last one.
func (p *pages) next(m *model) bool {
	keys := map[string]schema.BlockName{}
	for n := range m.stored {
		if key := n.Key(); key > p.after {
			keys[key] = n
		}
	}
	sorted := slices.Sorted(maps.Keys(keys))
	if p.read++; p.read < maxPages {
		sorted = sorted[:m.rng.IntN(len(sorted)+1)]
	}
	for _, key := range sorted {
		p.names, p.after = append(p.names, keys[key]), key
	}
	return p.read == maxPages
}

// work does the next thing that a worker has to do, or lists anew. One that dies,
// or that the bucket fails, begins anew too.
func (m *model) work(w *worker) {
	switch {
	case w.listed.IsZero():
		if !m.try(func() { m.list(w) }) {
			*w = worker{}
		}
	case m.rng.IntN(20) == 0: // it dies
		*w = worker{}
	case !w.settled:
		m.settle(w)
	case len(w.plan.Deletions) > 0:
		m.delete(w)
	case w.job < len(w.jobs):
		m.merge(w)
	default:
		*w = worker{}
	}
}

// list reads the floor, then the listing, and plans.
func (m *model) list(w *worker) {
	if w.floor == nil {
		w.floor = &compactor.Floor{Partitions: 1, Epoch: 1, Position: m.floor, Read: m.now}
		if len(m.open) > 0 {
			w.floor.Next = m.open[0].log
		}
		w.pages.began, w.pending, w.retention, w.lives = m.now, m.pending(), m.retention, m.lives
		return
	}
	from := len(w.pages.names)
	last := w.pages.next(m)
	for _, n := range w.pages.names[from:] {
		o := m.stored[n]
		w.seen = append(w.seen, compactor.Listed{BlockName: n, Bytes: int64(len(o.holds)), Stored: o.at, Drops: m.drops(w.pending, &o)})
	}
	if !last {
		return
	}
	w.listed = w.pages.began
	policy := m.policy
	policy.Retention, policy.Rules = time.Duration(w.retention), m.rulesOf(w.retention, w.lives)
	if m.bug.policy != nil {
		m.bug.policy(&policy)
	}
	if m.bug.lateFloor {
		w.floor.Position = m.floor
		if len(m.open) > 0 {
			w.floor.Next = m.open[0].log
		}
	}
	floor := *w.floor
	if m.bug.floor != nil {
		m.bug.floor(&floor)
	}
	w.plan = compactor.NewPlan(policy, []compactor.Floor{floor}, w.seen, m.now)
	for i := range w.plan.Merges {
		m.checkClosed(w, &w.plan.Merges[i])
	}
	w.jobs = slices.Concat(w.plan.Rewrites, w.plan.Merges, m.siftedAlready(w.plan.Sifts))
	if m.bug.job != nil {
		for i := range w.jobs {
			m.bug.job(&w.jobs[i])
		}
	}
}

// delete does the next deletion of a plan, while the listing is fresh and, of what
// has expired, while the retention is what it was. Else it goes on with the merges.
func (m *model) delete(w *worker) {
	d := w.plan.Deletions[0]
	if m.now.Sub(w.listed) >= m.policy.DeleteAfter {
		w.plan.Deletions = nil
		return
	}
	if d.Expired && m.retention != w.retention && !m.bug.oldRetention {
		m.done.kept++
		w.plan.Deletions = nil
		return
	}
	if !m.try(func() { m.remove(d.BlockName) }) {
		*w = worker{}
		return
	}
	if d.Expired {
		m.done.expired++
	} else {
		m.done.covered++
	}
	w.plan.Deletions = w.plan.Deletions[1:]
}

// merge reads the inputs of a job, one a step, looks for new erasures, and then
// stores the output.
func (m *model) merge(w *worker) {
	job := &w.jobs[w.job]
	if w.output != nil {
		m.putOutput(w, job)
		return
	}
	if w.reads == nil {
		w.reads, w.ended = map[schema.BlockName]object{}, len(m.ended)
	}
	for _, in := range job.Inputs {
		if _, done := w.reads[in.BlockName]; done {
			continue
		}
		o, there := m.stored[in.BlockName]
		if !there && !m.bug.goneInputs {
			w.void() // gone
			return
		}
		w.reads[in.BlockName] = o
		if w == &m.workers[0] || m.rng.IntN(3) == 0 { // the slow one reads one at a time
			return
		}
	}
	m.makeOutput(w, job)
}

func (w *worker) void() {
	w.reads, w.output, w.maxEnd = nil, nil, 0
	w.job++
}

// makeOutput puts the rows of the inputs together, without what is erased, and is
// void if there is an erasure that it does not know.
func (m *model) makeOutput(w *worker, job *compactor.Job) {
	o := newObject()
	for _, in := range job.Inputs {
		maps.Copy(o.holds, w.reads[in.BlockName].holds)
		maps.Copy(o.users, w.reads[in.BlockName].users)
		maps.Copy(o.short, w.reads[in.BlockName].short)
		if m.bug.keptSifted {
			o.sifted = cmp.Or(o.sifted, w.reads[in.BlockName].sifted)
		}
		w.maxEnd = max(w.maxEnd, in.MaxEnd)
	}
	maps.DeleteFunc(o.users, func(first uint64, _ bool) bool {
		return slices.ContainsFunc(w.pending, func(e *modelErasure) bool { return m.reaches(e, first) })
	})
	if job.Sift != nil && !m.sift(w, job, &o) {
		w.void()
		return
	}
	for _, e := range m.pending() {
		if e.mark >= job.Output.First && !slices.Contains(w.pending, e) && !m.bug.oldErasures {
			w.void()
			return
		}
	}
	for _, e := range m.ended[w.ended:] {
		if !slices.Contains(w.pending, e) && !m.bug.endedErasures {
			w.void()
			return
		}
	}
	w.output, w.checked = &o, m.now
}

// putOutput stores the output unless too much time went by since it was found that
// it may be. One whose worker is dead may still be on its way.
func (m *model) putOutput(w *worker, job *compactor.Job) {
	o := *w.output
	name := o.named(job.Output)
	name.MaxEnd = w.maxEnd
	until := w.checked.Add(m.policy.DeleteAfter / 2)
	if m.bug.latePuts {
		until = until.Add(m.policy.DeleteAfter * 4)
	}
	if m.now.Before(until) {
		if m.rng.IntN(12) == 0 {
			m.send(until, func() { m.store(name, o) })
			*w = worker{}
			return
		}
		if !m.try(func() { m.store(name, o) }) {
			*w = worker{}
			return
		}
		m.done.merges++
	}
	w.void()
}
