package host

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/functions/internal/env"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/settings"
)

// AccessConfig is the part of the service's keys that a function needs which answers
// requests: who may do what, and what counts for projects.
type AccessConfig struct {
	Auth      settings.Auth
	Retention settings.Retention
	Projects  settings.Projects
	Limits    project.Limits
}

// RegisterFlags registers every key and sets its default.
func (c *AccessConfig) RegisterFlags(f *flag.FlagSet) {
	c.Auth.RegisterFlags(f)
	c.Retention.RegisterFlags(f)
	c.Projects.RegisterFlags(f)
	settings.RegisterLimits(&c.Limits, f)
}

// Validate names everything that cannot work.
func (c *AccessConfig) Validate() error {
	var errs []error
	if c.Auth.Mode == access.ModeNone && !c.Auth.Insecure {
		errs = append(errs, fmt.Errorf("%s is none: whoever knows the function's URL could do everything. Ask for keys with %[1]s=keys, or set %s=true if something in front authenticates",
			env.Name("auth.mode"), env.Name("auth.insecure")))
	}
	return errors.Join(append(errs, c.Auth.Validate(), c.Retention.Validate(), c.Projects.Validate(), settings.ValidateLimits(&c.Limits))...)
}

// Access knows the projects, and who may do what in them. Safe for concurrent use.
type Access struct {
	Projects *project.Directory

	guard    *access.Guard
	mode     string
	interval time.Duration // between looks at the projects
	logger   *slog.Logger

	mu        sync.Mutex
	refreshed time.Time // when Projects was, zero: never
}

// NewAccess returns what has not read the projects yet.
func NewAccess(cfg *AccessConfig, bucket objstore.Bucket, logger *slog.Logger) *Access {
	reg := prometheus.NewRegistry()
	a := &Access{guard: access.New(cfg.Auth.Mode, reg), mode: cfg.Auth.Mode, interval: cfg.Projects.RefreshInterval, logger: logger}
	a.Projects = project.NewDirectory(bucket, project.Options{
		Retention: cfg.Retention.Default, Limits: cfg.Limits, Logger: logger, Registerer: reg,
	})
	a.guard.Use(a.Projects)
	return a
}

// ProtectWith lets requests with a scope through to next, as access.Guard does. Before,
// it reads the projects if they are as old as the service would let them become:
// nobody does so while an environment is frozen. When the bucket is away the last
// ones count, for as long as they do in the service.
func (a *Access) ProtectWith(scope project.Scope, tell func(w http.ResponseWriter, status int, message string), next http.Handler) http.Handler {
	protected := a.guard.ProtectWith(scope, tell, next)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := a.refresh(req.Context()); err != nil {
			access.Refuse(w, req, err, tell)
			return
		}
		protected.ServeHTTP(w, req)
	})
}

func (a *Access) refresh(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := !a.refreshed.IsZero()
	if known && clock.Since(a.refreshed) < a.interval {
		return nil
	}
	now := time.Now()
	err := a.Projects.Refresh(ctx)
	if err == nil {
		a.refreshed = now
		return nil
	}
	a.logger.Warn("projects are as they were", slog.Any("err", err))
	if a.mode == access.ModeKeys && (!known || clock.Since(a.refreshed) > project.MaxStale) {
		return project.ErrUnavailable
	}
	return nil
}
