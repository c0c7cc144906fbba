package compactor_test

import (
	"slices"
	"time"
)

// try does something with the bucket, and reports whether the bucket said so: now
// and then it answers 503 and does nothing, and now and then the reply is lost.
func (m *model) try(do func()) bool {
	switch m.rng.IntN(40) {
	case 0:
		return false
	case 1:
		do()
		return false
	}
	do()
	return true
}

// flight is a request that nobody waits for any more, and when the bucket carries it
// out.
type flight struct {
	at time.Time
	do func()
}

// send puts a request on its way, which arrives at some time until then.
func (m *model) send(until time.Time, do func()) {
	m.flights = append(m.flights, flight{m.now.Add(time.Duration(m.rng.Int64N(int64(until.Sub(m.now))))), do})
}

// land carries out what has arrived.
func (m *model) land() {
	m.flights = slices.DeleteFunc(m.flights, func(f flight) bool {
		if m.now.Before(f.at) {
			return false
		}
		m.done.late++
		f.do()
		return true
	})
}
