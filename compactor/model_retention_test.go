package compactor_test

import (
	"time"

	projects "github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// anyRetention is for ever, from an hour to nearly a day, or days.
func (m *model) anyRetention() projects.Retention {
	switch m.rng.IntN(4) {
	case 0:
		return 0
	case 1:
		return projects.Retention(time.Duration(1+m.rng.IntN(20)) * 24 * time.Hour)
	}
	return projects.Retention(time.Duration(60+m.rng.IntN(1200)) * time.Minute)
}

// setRetention shortens or lengthens it.
func (m *model) setRetention() {
	if m.rng.IntN(3) == 0 {
		m.retention = m.anyRetention()
		m.lives = m.anyRules()
	}
}

// mayBeGone reports whether the retention lets a batch go: its rows have ended, or
// were received, that long ago. A client's clock keeps nothing alive.
func (m *model) mayBeGone(b *batch) bool {
	oldest := m.retention.Oldest(m.now)
	return b.end < oldest || uint64(b.log.UnixNano()) < oldest
}

// checkRows compares what queries show now of some blocks with batches that must be
// there: every row that has not expired, to the second, once. What was deleted rightly
// when it had expired may be there, but not twice.
func (m *model) checkRows(visible []schema.BlockName, object func(schema.BlockName) *object, stored []*batch) {
	oldest := m.retention.Oldest(m.now)
	seen, short := make([]uint8, m.next), make([]uint8, m.next)
	for _, n := range visible {
		if n.MaxEnd < oldest {
			continue // told by its name
		}
		o := object(n)
		for first := range o.holds {
			if m.batches[first].end >= oldest {
				seen[first]++
			}
		}
		for first := range o.short {
			short[first]++
		}
	}
	for _, b := range stored {
		stays := !b.gone && !m.mayBeGone(b)
		if n := seen[b.first]; n > 1 || n == 0 && stays {
			m.fail("batch %d is visible %d times", b.first, n)
		}
		if n := short[b.first]; n > 1 || n == 0 && b.short && stays && !b.letGo {
			m.fail("what rules let go of batch %d is visible %d times", b.first, n)
		}
	}
}

// outlive lets time go by until all has expired. Nothing that has may stay for longer
// than the window that it was merged for. Of a project that was deleted nothing stays:
// its retention is the shortest that there is.
func (m *model) outlive() {
	switch {
	case m.broken != nil:
		return
	case m.rng.IntN(2) == 0:
		m.retention = projects.MinRetention
	case m.retention == 0:
		m.retention = projects.Retention(10 * time.Hour)
	}
	m.lives = lives{}
	windows := m.policy.Windows
	m.now = m.now.Add(time.Duration(m.retention) + max(windows[len(windows)-1], time.Duration(m.retention)/8) + 21*time.Minute)
	w := &worker{}
	for step := 0; w.listed.IsZero() || len(w.plan.Deletions) > 0; step++ { // until there is nothing to do
		if step == 5000 {
			m.fail("deletions do not end")
		}
		m.now = m.now.Add(time.Second)
		m.work(w)
		if m.check(); m.broken != nil {
			return
		}
	}
	if len(m.stored) > 0 {
		m.fail("%d blocks have outlived a retention of %s", len(m.stored), m.retention)
	}
}
