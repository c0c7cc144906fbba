package compactor_test

import (
	"slices"
	"time"
)

// modelErasure is an erasure of a user's rows up to a position.
type modelErasure struct {
	user int
	mark uint64
	done bool
}

// erase accepts one.
func (m *model) erase() {
	if len(m.pending()) > 1 {
		return
	}
	m.erasures = append(m.erasures, &modelErasure{user: 1 + m.rng.IntN(2), mark: m.next - 1})
}

func (m *model) pending() (list []*modelErasure) {
	for _, e := range m.erasures {
		if !e.done {
			list = append(list, e)
		}
	}
	return list
}

// reaches reports whether an erasure is about rows of a batch.
func (m *model) reaches(e *modelErasure, first uint64) bool {
	b := m.batches[first]
	return b.user == e.user && b.last <= e.mark
}

// drops reports whether a block holds rows that erasures are about.
func (m *model) drops(list []*modelErasure, o *object) bool {
	return slices.ContainsFunc(list, func(e *modelErasure) bool { return m.holdsErased(e, o) })
}

func (m *model) holdsErased(e *modelErasure, o *object) bool {
	for first := range o.users {
		if m.reaches(e, first) {
			return true
		}
	}
	return false
}

// settle ends the erasures of which the listing of a worker shows nothing.
func (m *model) settle(w *worker) {
	w.settled = true
	if m.now.Sub(w.listed) >= m.policy.DeleteAfter {
		return
	}
	for _, e := range w.pending {
		left := w.floor.Position < e.mark
		for _, b := range w.seen {
			o, there := m.stored[b.BlockName]
			left = left || !there || m.holdsErased(e, &o)
		}
		if !left && !e.done {
			e.done, m.ended = true, append(m.ended, e)
			m.done.erasures++
		}
	}
}

// drain lets one worker go on when nothing else happens any more: every erasure
// comes to its end.
func (m *model) drain() {
	m.goOn()
	w := &worker{}
	for step := 0; len(m.pending()) > 0 && m.broken == nil; step++ {
		if step == 5000 {
			m.fail("an erasure does not end")
		}
		m.now = m.now.Add(time.Second)
		if step%20 == 0 {
			m.now = m.now.Add(m.policy.DeleteAfter)
			*w = worker{} // of a listing that was too old
		}
		m.work(w)
		if step%10 == 0 {
			m.check()
		}
	}
	m.check()
}

// goOn lets a last batch come, of another project, and stores those before it.
func (m *model) goOn() {
	m.open = append(m.open, &batch{first: m.next, last: m.next, log: later(m.now, m.latest)})
	m.batches[m.next] = m.open[len(m.open)-1]
	m.next++
	for len(m.open) > 1 {
		m.commit()
	}
}

// checkErased looks for rows of erasures that are done.
func (m *model) checkErased() {
	for _, e := range m.erasures {
		if !e.done {
			continue
		}
		for n, o := range m.stored {
			if m.holdsErased(e, &o) {
				m.fail("what was erased is back: %s", label(n))
			}
		}
	}
}
