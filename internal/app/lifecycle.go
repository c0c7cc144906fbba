package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// withLifecycle has a compactor look after the rules of a bucket that can have any.
func (a *App) withLifecycle(c *compactor.Compactor) *compactor.Compactor {
	if a.opened.lifecycle != nil {
		c.WithLifecycle(a.opened.lifecycle, a.opened.root, time.Duration(a.cfg.Retention.Default))
	}
	return c
}

// Enforced says who deletes the blocks of a project that have expired besides the
// compactor.
type Enforced struct {
	// Owner of the bucket's lifecycle rules, empty if it can have none.
	Owner compactor.LifecycleOwner `json:"lifecycle,omitempty"`
	// Rule deletes a block so many Days after it was stored. Empty: none does.
	Rule string `json:"lifecycle_rule,omitempty"`
	Days int    `json:"lifecycle_days,omitempty"`
	// Unknown is why the rules could not be read.
	Unknown string `json:"lifecycle_unknown,omitempty"`
}

// Enforcement reads the lifecycle rules of the bucket that a configuration names.
func Enforcement(ctx context.Context, cfg *Config, id schema.ProjectID) (Enforced, error) {
	place, err := cfg.bucketPlace()
	if err != nil || place.dir != "" {
		return Enforced{}, err
	}
	opened, err := place.open(ctx, fs.OpenExisting)
	if err != nil {
		return Enforced{}, err
	}
	defer opened.close()
	rules, err := opened.lifecycle.Lifecycle(ctx)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return Enforced{}, nil
	case err != nil:
		return Enforced{Owner: cfg.Compactor.Lifecycle, Unknown: err.Error()}, nil
	}
	first, _ := compactor.LifecyclePolicy{Root: opened.root}.First(rules, id)
	return Enforced{Owner: cfg.Compactor.Lifecycle, Rule: first.ID, Days: first.ExpireDays}, nil
}

// Text says it in a sentence or two.
func (e *Enforced) Text(kept project.Retention) string {
	const by = "The compactor deletes blocks"
	switch {
	case e.Owner == "":
		return by + ", and nothing else does: no lifecycle rules."
	case e.Unknown != "":
		return by + ". The bucket's lifecycle rules are not known: " + e.Unknown
	case e.Rule == "":
		return fmt.Sprintf("%s, and nothing else does: no lifecycle rule of the bucket is for them (-compactor.lifecycle=%s).", by, e.Owner)
	}
	text := fmt.Sprintf("%s. So does the bucket's lifecycle rule %q, %d days after they were stored (-compactor.lifecycle=%s).", by, e.Rule, e.Days, e.Owner)
	if kept == 0 || time.Duration(e.Days)*24*time.Hour < time.Duration(kept) {
		text += " THAT IS BEFORE THE RETENTION IS OVER."
	}
	return text
}
