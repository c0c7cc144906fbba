package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/schema"
)

// compacts reports whether this process merges blocks.
func (a *App) compacts() bool {
	return a.cfg.Target == TargetCompactor || a.cfg.Target == TargetAll && a.cfg.Compactor.Enabled
}

// newCompactor makes what merges and deletes blocks. It is stopped before the log
// and the bucket are closed; a merge that it is at is given up.
func (a *App) newCompactor() services.Service {
	return late(func(context.Context) (services.Service, error) { return a.compactor(), nil })
}

func (a *App) compactor() *compactor.Compactor {
	return a.withLifecycle(compactor.New(a.cfg.Compactor, a.log, a.bucket, a.projects, a.logger.With(slog.String("component", "compactor")), a.reg))
}

// CompactOnce opens the bucket and the log of a configuration, beside processes
// that use them, and merges and deletes blocks until there is nothing left to
// merge. Progress is told as by compactor.Run. A log inside of another process
// cannot be opened: then the data folder is in use.
func CompactOnce(ctx context.Context, cfg Config, logger *slog.Logger, progress func(project schema.ProjectID, done, total int64)) (sum compactor.Summary, err error) {
	cfg.Target = TargetCompactor
	reg := prometheus.NewRegistry()
	a := &App{cfg: cfg, logger: logger, reg: reg, access: access.New(cfg.Auth.Mode, reg)}
	parts := []services.Service{a.newBucket(), a.newProjects(), a.newLog()}
	if cfg.NATS.URL == "" {
		if _, err := os.Stat(cfg.natsDir()); err != nil {
			return sum, fmt.Errorf("there is no log: %w: choose another -data-dir, or set -nats.url", err)
		}
		parts = append([]services.Service{newFolder(cfg.DataDir)}, parts...)
	}
	for _, s := range parts {
		if err := startInner(ctx, s); err != nil {
			return sum, err
		}
		defer func() {
			err = errors.Join(err, services.StopAndAwaitTerminated(context.WithoutCancel(ctx), s))
		}()
	}
	return a.compactor().UntilDone(ctx, compactor.Run{Progress: progress})
}
