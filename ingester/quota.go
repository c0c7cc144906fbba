package ingester

import (
	"fmt"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Projects tells what counts for a project.
type Projects interface {
	Project(id schema.ProjectID) (project.Project, error)
}

// quota measures what projects send, in this process, against their rates.
type quota struct {
	mu   sync.Mutex
	used map[schema.ProjectID]*rates
}

// rates are what a project may still send.
type rates struct {
	bytes, spans bucket
	live         liveTraces
}

// bucket holds up to a second's worth. Taking more than there is leaves a debt,
// which has to be paid off before the next one may take: so no request is too
// large to be ever taken, and in the long run the rate is kept.
type bucket struct {
	level float64
	at    time.Time // when level was that; zero: it is full
}

// maxRates bounds the projects that are remembered: in front of a port without
// authentication there are as many as a client makes up.
const maxRates = 10_000

func newQuota() *quota { return &quota{used: make(map[schema.ProjectID]*rates)} }

// fill adds what has come in since, and returns how long the bucket is in debt.
func (b *bucket) fill(rate int64, now time.Time) time.Duration {
	if b.at.IsZero() {
		b.level = float64(rate)
	} else {
		b.level = min(float64(rate), b.level+now.Sub(b.at).Seconds()*float64(rate))
	}
	b.at = now
	if b.level > 0 {
		return 0
	}
	return time.Duration(-b.level / float64(rate) * float64(time.Second))
}

// take charges the bytes of a request, if the project has any left, and spans
// too. Else it fails with a *RefusedError.
func (q *quota) take(p project.Project, bytes int, now time.Time) error {
	byteRate, spanRate := p.Limits.IngestBytesPerSecond, p.Limits.IngestSpansPerSecond
	if byteRate == 0 && spanRate == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	r := q.of(p.ID, now)
	if byteRate > 0 {
		if debt := r.bytes.fill(byteRate, now); r.bytes.level <= 0 {
			return tooFast(p.ID, fmt.Sprintf("%d bytes", byteRate), project.LimitIngestBytes, debt)
		}
	}
	if spanRate > 0 {
		if debt := r.spans.fill(spanRate, now); r.spans.level <= 0 {
			return tooFast(p.ID, fmt.Sprintf("%d spans", spanRate), project.LimitIngestSpans, debt)
		}
	}
	if byteRate > 0 {
		r.bytes.level -= float64(bytes)
	}
	return nil
}

// charge takes the spans of a request that take has let through.
func (q *quota) charge(p project.Project, spans int, now time.Time) {
	if p.Limits.IngestSpansPerSecond == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.of(p.ID, now).spans.level -= float64(spans)
}

// admitTraces notes the traces of a request if the project may have one more, or
// if none of them is new. Else it fails with a *RefusedError.
func (q *quota) admitTraces(p project.Project, traces []uint64, now time.Time) error {
	limit := p.Limits.LiveTraces
	if limit == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	live := &q.of(p.ID, now).live
	live.turn(now)
	if int64(live.count()) >= limit && live.brings(traces) {
		return &RefusedError{
			Err: fmt.Errorf("project %s has more than %d traces within a minute (%s): %s", p.ID, limit,
				project.LimitLiveTraces, project.Raise(p.ID, project.LimitLiveTraces)),
			RetryAfter: live.next(now), Overloaded: true,
		}
	}
	live.add(traces)
	return nil
}

// of returns the rates of a project. When there are too many, those are
// forgotten that have paid everything off. REQUIRES: q.mu.
func (q *quota) of(id schema.ProjectID, now time.Time) *rates {
	if r := q.used[id]; r != nil {
		return r
	}
	if len(q.used) >= maxRates {
		for other, r := range q.used {
			if now.Sub(r.bytes.at) > time.Second && r.bytes.level >= 0 && now.Sub(r.spans.at) > time.Second && r.spans.level >= 0 && r.live.idle(now) {
				delete(q.used, other)
			}
		}
	}
	r := new(rates)
	q.used[id] = r
	return r
}

// tooFast is the refusal of a project that sends too much. A client waits until
// the debt is paid off, in whole seconds.
func tooFast(id schema.ProjectID, what, limit string, debt time.Duration) error {
	after := max(debt.Truncate(time.Second)+time.Second, time.Second)
	return &RefusedError{
		Err:        fmt.Errorf("project %s sends more than %s a second (%s): %s", id, what, limit, project.Raise(id, limit)),
		RetryAfter: after, Overloaded: true,
	}
}

// rulesOf are what a project asks of spans that arrive now.
func rulesOf(p project.Project, now time.Time) otlp.Rules {
	rules := otlp.Rules{OldestEnd: p.Retention.Oldest(now), MaxAttributeBytes: int(p.Limits.AttributeBytes), ListTraces: p.Limits.LiveTraces > 0}
	if rules.OldestEnd > 0 {
		rules.Expired = fmt.Sprintf("project %s keeps spans for %s only", p.ID, p.Retention)
	}
	if rules.MaxAttributeBytes > 0 {
		rules.TooLarge = fmt.Sprintf("project %s takes %d at most (%s): %s",
			p.ID, rules.MaxAttributeBytes, project.LimitAttributeBytes, project.Raise(p.ID, project.LimitAttributeBytes))
	}
	return rules
}
