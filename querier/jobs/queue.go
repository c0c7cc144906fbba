package jobs

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// ErrFull means that as many jobs of a project wait as may.
var ErrFull = errors.New("too many jobs wait")

// Limits are those of all jobs of a process.
type Limits struct {
	Running int   // at once, at least 1
	Bytes   int64 // that they may hold together, as they estimate it
	Waiting int   // of one project
}

// Queue lets jobs run within limits, of projects that want to in turn. A project
// has at most half of what there is, so that another one's job seldom waits.
// Safe for concurrent use.
type Queue struct {
	limits Limits

	mu       sync.Mutex
	running  int
	bytes    int64
	projects map[string]*project // that have jobs
	order    []*project          // that have waiting ones, the next first
	waiting  int
}

type project struct {
	name    string
	running int
	bytes   int64
	waiting []*ticket // the first came first
}

// ticket is a job that waits.
type ticket struct {
	bytes    int64
	admitted chan struct{} // closed once it may run
}

// NewQueue returns a queue without jobs.
func NewQueue(limits Limits) *Queue {
	return &Queue{limits: limits, projects: make(map[string]*project)}
}

// Enter waits until a job may run that holds about so many bytes; leave must be
// called when it is done. Returns ErrFull, or the error of ctx.
func (q *Queue) Enter(ctx context.Context, name string, bytes int64) (leave func(), err error) {
	// A job that is larger than a project's share runs when nothing else of it does.
	bytes = min(bytes, q.share(q.limits.Bytes))
	q.mu.Lock()
	p := q.projects[name]
	if p == nil {
		p = &project{name: name}
		q.projects[name] = p
	}
	if len(p.waiting) == 0 && q.mayStart(p, bytes) && q.fits(bytes) && len(q.order) == 0 {
		q.start(p, bytes)
		q.mu.Unlock()
		return func() { q.leave(p, bytes) }, nil
	}
	if len(p.waiting) >= q.limits.Waiting {
		q.forget(p)
		q.mu.Unlock()
		return nil, ErrFull
	}
	t := &ticket{bytes: bytes, admitted: make(chan struct{})}
	q.queue(p, t)
	q.admit()
	q.mu.Unlock()
	select {
	case <-t.admitted:
		return func() { q.leave(p, bytes) }, nil
	case <-ctx.Done():
		q.giveUp(p, t)
		return nil, ctx.Err()
	}
}

// share is a project's part.
func (q *Queue) share(of int64) int64 { return max((of+1)/2, 1) }

// Stats are how many jobs run and wait, and what the former hold.
func (q *Queue) Stats() (running, waiting int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running, q.waiting, q.bytes
}

// mayStart reports whether a project's share allows another job. REQUIRES: q.mu.
func (q *Queue) mayStart(p *project, bytes int64) bool {
	return int64(p.running) < q.share(int64(q.limits.Running)) && p.bytes+bytes <= q.share(q.limits.Bytes)
}

// fits reports whether there is room for a job. REQUIRES: q.mu.
func (q *Queue) fits(bytes int64) bool {
	return q.running < q.limits.Running && (q.bytes+bytes <= q.limits.Bytes || q.running == 0)
}

// start counts a job. REQUIRES: q.mu.
func (q *Queue) start(p *project, bytes int64) {
	q.running++
	p.running++
	q.bytes += bytes
	p.bytes += bytes
}

// queue puts a job at the end of its project's. REQUIRES: q.mu.
func (q *Queue) queue(p *project, t *ticket) {
	if len(p.waiting) == 0 {
		q.order = append(q.order, p)
	}
	p.waiting = append(p.waiting, t)
	q.waiting++
}

// admit starts what may start, a job of each project in turn. When there is no
// room for the next one nobody passes it: it would wait for good. REQUIRES: q.mu.
func (q *Queue) admit() {
	for i := 0; i < len(q.order); {
		p := q.order[i]
		t := p.waiting[0]
		if !q.mayStart(p, t.bytes) {
			i++
			continue
		}
		if !q.fits(t.bytes) {
			return
		}
		q.start(p, t.bytes)
		close(t.admitted)
		q.remove(p, 0)
		if len(p.waiting) > 0 { // the others of it come after those of others
			q.order = append(slices.Delete(q.order, i, i+1), p)
		}
		i = 0
	}
}

// remove takes a job out of those that wait. REQUIRES: q.mu.
func (q *Queue) remove(p *project, i int) {
	p.waiting = slices.Delete(p.waiting, i, i+1)
	q.waiting--
	if len(p.waiting) == 0 {
		q.order = slices.DeleteFunc(q.order, func(other *project) bool { return other == p })
	}
}

func (q *Queue) leave(p *project, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	p.running--
	q.bytes -= bytes
	p.bytes -= bytes
	q.admit()
	q.forget(p)
}

// giveUp is for a job that waits no longer. It may have been admitted just now.
func (q *Queue) giveUp(p *project, t *ticket) {
	q.mu.Lock()
	i := slices.Index(p.waiting, t)
	if i >= 0 {
		q.remove(p, i)
		q.admit() // it may have been in the way
		q.forget(p)
	}
	q.mu.Unlock()
	if i < 0 {
		q.leave(p, t.bytes)
	}
}

// forget lets go of a project without jobs. REQUIRES: q.mu.
func (q *Queue) forget(p *project) {
	if p.running == 0 && len(p.waiting) == 0 && q.projects[p.name] == p {
		delete(q.projects, p.name)
	}
}
