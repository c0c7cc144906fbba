package ingester

import "time"

// liveWindow is half of the time for which a trace is live after its last span: up
// to that, or up to twice as long.
const liveWindow = 30 * time.Second

// liveTraces are the traces of which spans came in during this window of time and
// the one before, by their hashes.
type liveTraces struct {
	begun      time.Time // of this window
	now, prior map[uint64]struct{}
	onlyPrior  int // those of prior that are not in now
}

// turn begins the window of a time.
func (l *liveTraces) turn(at time.Time) {
	switch gone := at.Sub(l.begun); {
	case l.now == nil || gone >= 2*liveWindow:
		*l = liveTraces{begun: at, now: make(map[uint64]struct{})}
	case gone >= liveWindow:
		*l = liveTraces{begun: l.begun.Add(liveWindow), now: make(map[uint64]struct{}), prior: l.now, onlyPrior: len(l.now)}
	}
}

// idle reports whether no trace is live.
func (l *liveTraces) idle(at time.Time) bool { return l.now == nil || at.Sub(l.begun) >= 2*liveWindow }

func (l *liveTraces) count() int { return len(l.now) + l.onlyPrior }

// brings reports whether one of the traces is not live.
func (l *liveTraces) brings(traces []uint64) bool {
	for _, t := range traces {
		_, now := l.now[t]
		if _, prior := l.prior[t]; !now && !prior {
			return true
		}
	}
	return false
}

func (l *liveTraces) add(traces []uint64) {
	for _, t := range traces {
		if _, ok := l.now[t]; ok {
			continue
		}
		l.now[t] = struct{}{}
		if _, ok := l.prior[t]; ok {
			l.onlyPrior--
		}
	}
}

// next is how long it takes, in whole seconds, until traces are live no more.
func (l *liveTraces) next(at time.Time) time.Duration {
	return max(l.begun.Add(liveWindow).Sub(at).Truncate(time.Second)+time.Second, time.Second)
}
