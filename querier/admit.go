package querier

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// slots count the queries that this process answers for each project.
type slots struct {
	mu   sync.Mutex
	busy map[schema.ProjectID]int64
}

// take takes a slot of each project, or none. The caller gives them back.
func (s *slots) take(list []project.Project) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list {
		if limit := p.Limits.ConcurrentQueries; limit > 0 && s.busy[p.ID] >= limit {
			return &busyError{fmt.Sprintf("project %s has %d queries in this process already, as many as it may (%s): %s",
				p.ID, limit, project.LimitConcurrentQueries, project.Raise(p.ID, project.LimitConcurrentQueries))}
		}
	}
	if s.busy == nil {
		s.busy = make(map[schema.ProjectID]int64)
	}
	for _, p := range list {
		s.busy[p.ID]++
	}
	return nil
}

func (s *slots) give(list []project.Project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range list {
		if s.busy[p.ID]--; s.busy[p.ID] == 0 {
			delete(s.busy, p.ID)
		}
	}
}

// permitted runs a query of projects within their limits, of which the lowest
// counts, and settles what has expired for all of it.
func (q *Querier) permitted(ctx context.Context, ids []schema.ProjectID, run func() error) error {
	list, err := q.settingsOf(ids)
	if err != nil {
		return err
	}
	if err := q.slots.take(list); err != nil {
		return err
	}
	defer q.slots.give(list)
	used := usageOf(ctx)
	used.oldest = oldestOf(list, time.Now())
	for _, p := range list {
		if limit := p.Limits.QueryBytes; limit > 0 && (used.maxBytes == 0 || limit < used.maxBytes) {
			used.maxBytes, used.limited = limit, p.ID
		}
	}
	return run()
}
