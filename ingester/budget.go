package ingester

import "sync/atomic"

// budget is a bound on bytes. A single request larger than the whole is still
// admitted when nothing else is, so that no limit can lock everything out.
type budget struct {
	limit int64
	used  atomic.Int64
}

func newBudget(limit int64) *budget { return &budget{limit: limit} }

func (b *budget) take(n int64) bool {
	if used := b.used.Add(n); used > b.limit && used != n {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) { b.used.Add(-n) }

func (b *budget) taken() int64 { return b.used.Load() }
