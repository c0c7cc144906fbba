package ingester

import (
	"math"
	"sync"
	"time"
)

// rate estimates how fast the log takes bytes, as an exponentially weighted
// mean over publishes.
type rate struct {
	mu             sync.Mutex
	bytesPerSecond float64
}

// assumedRate stands in until something was published: a slow disk's.
const assumedRate = 4 << 20

func (r *rate) add(bytes int, took time.Duration) {
	if took <= 0 {
		return
	}
	sample := float64(bytes) / took.Seconds()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytesPerSecond == 0 {
		r.bytesPerSecond = sample
		return
	}
	const weight = 0.1 // about the last twenty publishes
	r.bytesPerSecond += weight * (sample - r.bytesPerSecond)
}

func (r *rate) estimate() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytesPerSecond == 0 {
		return assumedRate
	}
	return r.bytesPerSecond
}

// drainTime is when a refused client should come back: the time that the
// backlog takes at the given rate, in whole seconds from 1 to 60. Exporters
// give up after a few tries, so it must not be shorter than the backlog.
func drainTime(backlogBytes uint64, bytesPerSecond float64) time.Duration {
	seconds := math.Ceil(float64(backlogBytes) / bytesPerSecond)
	return time.Duration(min(max(seconds, 1), 60)) * time.Second
}
