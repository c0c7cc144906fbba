package compactor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// LifecycleOwner says who writes the lifecycle rules of the bucket, of which there
// is one document: two that write it would undo each other's changes.
type LifecycleOwner string

// The owners of lifecycle rules.
const (
	// LifecycleCompactor: the compactor keeps its own rules in step with the
	// projects, and leaves all others as they are.
	LifecycleCompactor LifecycleOwner = "compactor"
	// LifecycleTerraform: somebody else writes them, the compactor says what
	// differs.
	LifecycleTerraform LifecycleOwner = "terraform"
	// LifecycleOff: nobody looks at them.
	LifecycleOff LifecycleOwner = "off"
)

// LifecycleBucket is a bucket that can have lifecycle rules.
type LifecycleBucket interface {
	// Lifecycle returns all rules. Returns errors.ErrUnsupported if there
	// cannot be any.
	Lifecycle(ctx context.Context) ([]objstore.LifecycleRule, error)
	// SetLifecycle makes own the rules whose ids begin with prefix, and leaves
	// all others as they are.
	SetLifecycle(ctx context.Context, prefix string, own []objstore.LifecycleRule) error
}

const (
	// lifecycleInterval is how often rules are looked at that ought to be right.
	lifecycleInterval = time.Hour
	lifecycleLease    = "compactor.lifecycle"
	// shownFindings is how many are logged.
	shownFindings = 5
)

// lifecycle is what a Compactor does about the rules of its bucket.
type lifecycle struct {
	bucket LifecycleBucket
	policy LifecyclePolicy
	owner  LifecycleOwner

	looked   time.Time // when they were right, or cannot be
	kept     []Kept    // for what was to be kept then
	reported string    // what was last said of them
}

// WithLifecycle has the compactor look after the lifecycle rules of a bucket, as
// the configuration says. REQUIRES: it was not started.
func (c *Compactor) WithLifecycle(bucket LifecycleBucket, root string, fallback time.Duration) {
	if c.cfg.Lifecycle == LifecycleOff {
		return
	}
	c.lifecycle = &lifecycle{
		bucket: bucket, owner: c.cfg.Lifecycle,
		policy: LifecyclePolicy{Root: root, Default: fallback, Grace: c.cfg.LifecycleGrace},
	}
}

// keepLifecycle looks at the rules if they may be wrong. Nothing depends on them,
// and blocks are merged and deleted without: what goes wrong is logged, once.
func (c *Compactor) keepLifecycle(ctx context.Context, projects []schema.ProjectID) {
	l := c.lifecycle
	if l == nil {
		return
	}
	kept, err := c.kept(ctx, projects)
	if err == nil && slices.Equal(kept, l.kept) && clock.Since(l.looked) < lifecycleInterval {
		return
	}
	if err == nil {
		err = c.lookAtLifecycle(ctx, kept)
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, errLifecycleBusy):
		return
	case errors.Is(err, errors.ErrUnsupported):
		c.reportLifecycle(ctx, slog.LevelInfo, "the bucket has no lifecycle rules, what has expired goes while a compactor runs", err.Error())
	case err != nil:
		c.metrics.lifecycleFailures.Inc()
		c.reportLifecycle(ctx, slog.LevelWarn, "lifecycle rules are as they were", err.Error())
		return // again in the next look
	}
	l.looked, l.kept = time.Now(), kept
}

// kept is how long each project is kept. One whose settings cannot be used is kept
// for ever until they can.
func (c *Compactor) kept(ctx context.Context, projects []schema.ProjectID) ([]Kept, error) {
	kept := make([]Kept, len(projects))
	for i, p := range projects {
		kept[i].Project = p
		if c.retention == nil {
			continue
		}
		retention, err := c.retention.Retention(ctx, p)
		if errors.Is(err, project.ErrSettings) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ask for the retention of project %s: %w", p, err)
		}
		kept[i].Retention = retention
	}
	return kept, nil
}

// lookAtLifecycle reads the rules, and writes them if they are ours and wrong.
func (c *Compactor) lookAtLifecycle(ctx context.Context, kept []Kept) error {
	l := c.lifecycle
	rules, err := l.bucket.Lifecycle(ctx)
	if err != nil {
		return err
	}
	if l.owner == LifecycleTerraform {
		c.reportFindings(ctx, append(l.policy.Early(rules, kept), l.policy.Late(rules, kept)...))
		return nil
	}
	own, foreign := splitOwned(rules, l.policy.owned())
	want, without := l.policy.LifecycleRules(kept, len(foreign))
	c.metrics.lifecycleWithout.Set(float64(without))
	if !sameRules(own, want) {
		if err := c.writeLifecycle(ctx, want); err != nil {
			return err
		}
	}
	c.reportFindings(ctx, l.policy.Early(foreign, kept))
	return nil
}

// errLifecycleBusy: what the other one makes of the rules the next look sees.
var errLifecycleBusy = errors.New("another compactor writes the lifecycle rules")

// writeLifecycle replaces our rules, unless somebody else is at it.
func (c *Compactor) writeLifecycle(ctx context.Context, want []objstore.LifecycleRule) error {
	held := lease{c: c, name: lifecycleLease}
	switch ok, err := held.take(ctx); {
	case err != nil:
		return err
	case !ok:
		return errLifecycleBusy
	}
	defer held.giveBack(ctx)
	if err := c.lifecycle.bucket.SetLifecycle(ctx, c.lifecycle.policy.owned(), want); err != nil {
		return err
	}
	c.metrics.lifecycleWrites.Inc()
	c.logger.Info("lifecycle rules of the bucket written", slog.Int("rules", len(want)))
	return nil
}

func splitOwned(rules []objstore.LifecycleRule, owned string) (own, foreign []objstore.LifecycleRule) {
	for _, r := range rules {
		if strings.HasPrefix(r.ID, owned) {
			own = append(own, r)
		} else {
			foreign = append(foreign, r)
		}
	}
	return own, foreign
}

// sameRules compares in any order: a server may keep another one.
func sameRules(a, b []objstore.LifecycleRule) bool {
	byID := func(a, b objstore.LifecycleRule) int { return strings.Compare(a.ID, b.ID) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byID), slices.SortedFunc(slices.Values(b), byID))
}

// reportFindings tells an operator what is wrong with the rules of others.
func (c *Compactor) reportFindings(ctx context.Context, findings []string) {
	c.metrics.lifecycleDifferences.Set(float64(len(findings)))
	if len(findings) == 0 {
		c.lifecycle.reported = ""
		return
	}
	text := strings.Join(findings[:min(len(findings), shownFindings)], "; ")
	if more := len(findings) - shownFindings; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	c.reportLifecycle(ctx, slog.LevelWarn, "lifecycle rules of the bucket are not what the projects need", text)
}

// reportLifecycle logs what was not said last time.
func (c *Compactor) reportLifecycle(ctx context.Context, level slog.Level, message, text string) {
	if c.lifecycle.reported == text {
		return
	}
	c.lifecycle.reported = text
	c.logger.Log(ctx, level, message, slog.String("what", text)) //nolint:sloglint // both are constants of the caller
}
