package ingester

import (
	"context"
	"sync"
	"time"
)

// memory is the budget for rows of all partitions: of open batches, of closed
// ones that wait for their blocks, and of stored ones kept for queries, which
// go first. When these are not enough, a partition stops reading before its
// next message; the log keeps it, and queries read it there.
//
// Storing a closed batch frees memory, so while one waits nobody reads on. If
// none does, only reading to the end of a batch can free any: one partition
// gets the pass for that, of those that wait the one with the largest open
// batch, which is the nearest to its cut and frees the most. Memory thus stays
// within the limit, that one batch, and the message that each partition was
// adding when the limit was reached.
type memory struct {
	limit   int64
	metrics *builderMetrics
	// stuck has a value when somebody waits and no closed batch will free
	// memory. Capacity 1.
	stuck chan struct{}

	mu      sync.Mutex
	used    int64
	closed  int                // batches that wait for their blocks
	waiting map[*partition]int // who has stopped reading, with the bytes of the open batch
	pass    *partition         // who may read on although memory is full
	changed chan struct{}      // closed and replaced when somebody may read on
}

func newMemory(limit int64, m *builderMetrics) *memory {
	m.memoryLimit.Set(float64(limit))
	return &memory{
		limit: limit, metrics: m, stuck: make(chan struct{}, 1),
		waiting: make(map[*partition]int), changed: make(chan struct{}),
	}
}

// checkInterval is how often a partition that has stopped reading makes sure
// that the log still has what it was about to read.
const checkInterval = 5 * time.Second

// admit returns when p may add a message to its open batch of so many bytes.
// Before it waits it calls stops, and while it does, from time to time, check,
// whose error ends it.
func (m *memory) admit(ctx context.Context, p *partition, open int, stops func(), check func() error) error {
	m.enter(p, open)
	defer m.leave(p)
	if _, admitted := m.look(p); admitted {
		return nil
	}
	stops()
	m.metrics.stops.Inc()
	ticker := time.NewTicker(checkInterval)
	defer ticker.Stop()
	for began := time.Now(); ; {
		changed, admitted := m.look(p)
		if admitted {
			return nil
		}
		var err error
		select {
		case <-changed:
		case <-ticker.C:
			err = check()
		case <-ctx.Done():
			err = ctx.Err()
		}
		now := time.Now()
		m.metrics.stoppedSeconds.Add(now.Sub(began).Seconds())
		began = now
		if err != nil {
			return err
		}
	}
}

// look returns whether p may read on, else what to wait for.
func (m *memory) look(p *partition) (changed <-chan struct{}, admitted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.admits(p) {
		return nil, true
	}
	if m.closed == 0 {
		select {
		case m.stuck <- struct{}{}:
		default: // it is known already
		}
	}
	return m.changed, false
}

// admits decides whether p may read on. REQUIRES: m.mu.
func (m *memory) admits(p *partition) bool {
	switch {
	case m.used < m.limit:
		m.pass = nil
		return true
	case m.pass == p:
		return true
	case m.pass != nil, m.closed > 0:
		return false
	}
	open, waits := m.waiting[p]
	for _, other := range m.waiting {
		waits = waits && other <= open
	}
	if waits {
		m.pass = p
	}
	return waits
}

func (m *memory) enter(p *partition, open int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting[p] = open
}

func (m *memory) leave(p *partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.waiting, p)
}

// isStuck reports whether somebody waits although no closed batch will free
// memory.
func (m *memory) isStuck() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.waiting) > 0 && m.closed == 0
}

// isFull reports whether stored batches have to go.
func (m *memory) isFull() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used >= m.limit
}

// take adds to what is used. It is called after the fact, since how large a
// message becomes is known only when it is decoded.
func (m *memory) take(n int) { m.change(int64(n), 0, nil) }

// give takes away from what is used.
func (m *memory) give(n int) { m.change(-int64(n), 0, nil) }

// batchClosed notes that p's batch has ended, which gives the pass back.
func (m *memory) batchClosed(p *partition) { m.change(0, 1, p) }

// batchDone notes that a closed batch was stored, or is void.
func (m *memory) batchDone() { m.change(0, -1, nil) }

// begins takes the pass from a partition that begins anew.
func (m *memory) begins(p *partition) { m.change(0, 0, p) }

func (m *memory) change(used int64, closed int, done *partition) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used += used
	m.closed += closed
	m.metrics.memoryBytes.Set(float64(m.used))
	if done != nil && m.pass == done {
		m.pass = nil
	}
	if used <= 0 && len(m.waiting) > 0 {
		close(m.changed)
		m.changed = make(chan struct{})
	}
}
