package compactor_test

import (
	"time"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/schema"
)

// checkShape compares the name of a new object with what lies in its range. A block
// is of one batch, or of a window of the log that is over, and no merge or rewrite
// goes beyond what is purged.
func (m *model) checkShape(n schema.BlockName, o *object) {
	first := m.batches[n.First]
	switch {
	case first == nil || n.LogNanos != uint64(first.log.UnixNano()):
		m.fail("no batch begins where %s does, at that time", label(n))
	case n.Level > len(m.policy.Windows):
		m.fail("no window has the level of %s", label(n))
	case n.Level+n.Generation > 0 && n.Last > m.floor:
		m.fail("%s goes beyond the floor, %d", label(n), m.floor)
	case n.Level == 0 && n.Last != first.last:
		m.fail("%s is of a level for one batch", label(n))
	case n.Level > 0:
		m.checkWindow(n, o, m.policy.Windows[n.Level-1])
	}
}

// checkWindow: what a block has of several batches is of one window.
func (m *model) checkWindow(n schema.BlockName, o *object, size time.Duration) {
	start := time.Unix(0, int64(n.LogNanos)).Truncate(size)
	for first := range o.holds {
		if at := m.batches[first].log; at.Before(start) || !at.Before(start.Add(size)) {
			m.fail("batch %d in %s is of another window of %s", first, label(n), size)
		}
	}
}

// checkClosed: a merge is planned when the window that it is for is over, by what the
// log showed before the listing, or by the clock of then if it showed nothing, and the
// grace.
func (m *model) checkClosed(w *worker, job *compactor.Job) {
	for _, in := range job.Inputs {
		if in.Level == job.Output.Level { // it was over before
			return
		}
	}
	size := m.policy.Windows[job.Output.Level-1]
	end := time.Unix(0, int64(job.Output.LogNanos)).Truncate(size).Add(size)
	at := w.floor.Next
	if at.IsZero() {
		at = w.pages.began
	}
	if at.Add(-m.policy.Grace).Before(end) {
		m.fail("%s is planned before %s", label(job.Output), end.Format(time.TimeOnly))
	}
}
