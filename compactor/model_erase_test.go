package compactor_test

import (
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
)

// modelErasure is an erasure of a user's rows up to a position.
type modelErasure struct {
	user int
	mark uint64
	done bool
}

// erase accepts one.
func (m *model) erase() {
	if len(m.pending()) > 1 || m.rng.IntN(3) > 0 {
		return
	}
	m.erasures = append(m.erasures, &modelErasure{user: 1 + m.rng.IntN(3), mark: m.next - 1})
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
	b := m.rows[first]
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

// rows tells blocks of one range apart: those that hold different rows.
func (o *object) rows() uint64 { return uint64(len(o.holds) + len(o.users)) }

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
			e.done = true
			m.erased++
		}
	}
}

func (w *worker) void() {
	w.reads, w.output = nil, nil
	w.job++
}

// makeOutput puts the rows of the inputs together, without what is erased, and is
// void if there is an erasure that it does not know.
func (m *model) makeOutput(w *worker, job *compactor.Job) {
	o := object{holds: map[uint64]bool{}, users: map[uint64]bool{}}
	for _, in := range w.reads {
		maps.Copy(o.holds, in.holds)
		maps.Copy(o.users, in.users)
	}
	maps.DeleteFunc(o.users, func(first uint64, _ bool) bool {
		return slices.ContainsFunc(w.pending, func(e *modelErasure) bool { return m.reaches(e, first) })
	})
	for _, e := range m.pending() {
		if e.mark >= job.Output.First && !slices.Contains(w.pending, e) {
			w.void()
			return
		}
	}
	w.output, w.checked = &o, m.now
}

// putOutput stores the output unless too much time went by since it was found that
// it may be.
func (m *model) putOutput(w *worker, job *compactor.Job) {
	defer w.void()
	if m.now.Sub(w.checked) >= m.policy.DeleteAfter/2 {
		return
	}
	name := job.Output
	name.Spans = w.output.rows()
	if there, ok := m.stored[name]; ok {
		require.Equal(m.t, there.users, w.output.users, "blocks of one name differ")
		return
	}
	w.output.at = m.now
	m.stored[name] = *w.output
	m.merges++
}

// drain lets one worker go on when nothing else happens any more: every erasure
// comes to its end.
func (m *model) drain(seed uint64) {
	m.open = append(m.open, batch{first: m.next, last: m.next, log: m.now, empty: true})
	for len(m.open) > 1 {
		m.commit()
	}
	w := &worker{}
	for step := 0; len(m.pending()) > 0; step++ {
		require.Less(m.t, step, 5000, "seed %d: an erasure does not end", seed)
		m.now = m.now.Add(time.Second)
		if step%20 == 0 {
			m.now = m.now.Add(m.policy.DeleteAfter)
			*w = worker{} // of a listing that was too old
		}
		m.work(w)
		if step%10 == 0 {
			m.check(seed)
		}
	}
	m.check(seed)
}

// checkErased looks for rows of erasures that are done.
func (m *model) checkErased(seed uint64) {
	for _, e := range m.erasures {
		if !e.done {
			continue
		}
		for n, o := range m.stored {
			if m.holdsErased(e, &o) {
				require.Fail(m.t, "what was erased is back", "seed %d: %s", seed, label(n))
			}
		}
	}
}
