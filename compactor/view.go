package compactor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// floorAttempts is how often a floor is read that moves meanwhile.
const floorAttempts = 5

// view is what a worker has seen of a project, and what follows from it.
type view struct {
	project schema.ProjectID
	keeps   time.Duration    // the retention, before the listing
	listed  time.Time        // when the listing began
	pending *erasure.Pending // before the listing
	floors  []Floor          // likewise
	blocks  []Listed
	held    heldRows // for what is pending
	stale   bool     // something of the listing is gone
	plan    Plan
}

// floors reads the floors of all partitions. They must be read before blocks are
// listed, so that all up to them is in the listing.
func (c *Compactor) floors(ctx context.Context) ([]Floor, error) {
	floors := make([]Floor, c.log.Partitions())
	for p := range floors {
		var err error
		for range floorAttempts {
			if floors[p], err = c.floor(ctx, p); !errors.Is(err, wal.ErrReset) {
				break
			}
		}
		if err != nil {
			return nil, fmt.Errorf("read the floor of partition %d: %w", p, err)
		}
	}
	return floors, nil
}

// floor reads one. Returns wal.ErrReset if it has moved meanwhile.
func (c *Compactor) floor(ctx context.Context, partition int) (Floor, error) {
	stream, asked := c.log.Stream(partition), time.Now()
	state, err := stream.State(ctx)
	if err != nil {
		return Floor{}, err
	}
	f := Floor{Partition: partition, Partitions: c.log.Partitions(), Epoch: stream.Epoch(), Position: state.Floor(), Read: asked}
	if next := f.Position + 1; next <= state.Last {
		err = stream.ReadRange(ctx, next, next, func(m wal.Message) error {
			f.Next = m.Time
			return nil
		})
	}
	return f, err
}

// errSlow is for a listing that nothing may be decided by.
var errSlow = errors.New("listing took longer than covered blocks stay: raise -compactor.delete-after")

// view lists the blocks of a project and plans what to do with them. erasing says
// that it may have erasures.
func (c *Compactor) view(ctx context.Context, id schema.ProjectID, floors []Floor, erasing bool) (*view, error) {
	v := &view{project: id, floors: floors, listed: time.Now()}
	var err error
	if v.keeps, err = c.keeps(ctx, id); err != nil {
		return nil, err
	}
	var rules project.Rules
	if c.retention != nil {
		if rules, err = c.retention.Rules(ctx, id); err != nil {
			return nil, fmt.Errorf("ask for the rules: %w", err)
		}
	}
	if erasing {
		if v.pending, err = c.erasures.Pending(ctx, id, nil); err != nil {
			return nil, err
		}
	}
	if v.pending != nil {
		c.forgetProject(id) // whether something is left the listing must say
	}
	v.plan, err = c.look(ctx, id, floors, func(blocks []Listed) (Plan, error) {
		v.blocks = blocks
		if err := c.erasedIn(ctx, v); err != nil {
			return Plan{}, err
		}
		plan := NewPlan(c.cfg.policy(c.log.Windows(), v.keeps, rules), floors, v.blocks, time.Now())
		if err := c.siftedAlready(ctx, id, &plan); err != nil {
			return plan, err
		}
		err := c.planReprice(ctx, v, &plan)
		return plan, err
	})
	if err != nil {
		return nil, err
	}
	if clock.Since(v.listed) >= c.cfg.DeleteAfter {
		c.metrics.skipped.Inc()
		return nil, errSlow
	}
	return v, nil
}

// keeps is how long the data of a project is kept now, 0 for ever.
func (c *Compactor) keeps(ctx context.Context, project schema.ProjectID) (time.Duration, error) {
	if c.retention == nil {
		return 0, nil
	}
	retention, err := c.retention.Retention(ctx, project)
	if err != nil {
		return 0, fmt.Errorf("ask for the retention: %w", err)
	}
	return retention, nil
}

// delete removes what the plan says while the listing is fresh: the block that
// covers another one has been seen not longer ago than covered blocks stay. Blocks
// that have expired stay if the retention was changed meanwhile, maybe to save them.
func (c *Compactor) delete(ctx context.Context, v *view, s *Summary, run *Run) error {
	for _, d := range v.plan.Deletions {
		if clock.Since(v.listed) >= c.cfg.DeleteAfter {
			return nil // the next look has a fresh one
		}
		if run.over() {
			s.Unfinished = true
			return nil
		}
		if d.Expired {
			if keeps, err := c.keeps(ctx, v.project); err != nil || keeps != v.keeps {
				return err // the next look plans with it
			}
		}
		if err := c.bucket.Delete(ctx, d.Key()); err != nil {
			return fmt.Errorf("delete %s: %w", d.Key(), err)
		}
		reason := "covered"
		if d.Expired {
			reason = "expired"
			s.Expired++
		} else {
			s.Covered++
		}
		c.metrics.deleted.WithLabelValues(reason).Inc()
		c.logger.Debug("block deleted", slog.String("block", d.Key()), slog.String("reason", reason))
	}
	return nil
}
