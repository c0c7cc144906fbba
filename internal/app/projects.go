package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
)

// newProjects reads the projects before anything is served, and then again and
// again.
func (a *App) newProjects() services.Service {
	logger := a.logger.With(slog.String("component", "projects"))
	var directory *project.Directory
	start := func(ctx context.Context) error {
		directory = project.NewDirectory(a.bucket, project.Options{
			Retention: a.cfg.Retention.Default, Limits: a.cfg.Limits, Logger: logger, Registerer: a.reg,
		})
		for {
			err := directory.Refresh(ctx)
			if err == nil {
				a.projects = directory
				a.access.Use(directory)
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			logger.Warn("projects cannot be read yet", slog.Any("err", err))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(bucketRetryDelay):
			}
		}
	}
	run := func(ctx context.Context) error {
		directory.Run(ctx, a.cfg.Projects.RefreshInterval)
		return nil
	}
	return services.NewBasicService(start, run, nil)
}

// newAdmin opens the API of projects.
func (a *App) newAdmin() services.Service {
	return services.NewIdleService(func(context.Context) error {
		a.newErasures()
		a.admin.open(newProjectsAPI(a.bucket, a.projects, a.log, &a.erasures))
		return nil
	}, func(error) error {
		a.closeGate(&a.admin, phaseAnswer)
		return nil
	})
}

// partitionLog is what is asked of the log about a deleted project.
type partitionLog interface {
	Partitions() int
	Stream(partition int) wal.Stream
}

// storedUpTo reports whether everything that was acknowledged up to a time is in
// blocks: in every partition, nothing is above the floor, or what is there came
// later.
func storedUpTo(ctx context.Context, log partitionLog, at time.Time) (bool, error) {
	if !time.Now().After(at) {
		return false, nil
	}
	for p := range log.Partitions() {
		stream := log.Stream(p)
		state, err := stream.State(ctx)
		if err != nil {
			return false, err
		}
		next := state.Floor() + 1
		if next > state.Last {
			continue
		}
		var first time.Time
		err = stream.ReadRange(ctx, next, next, func(m wal.Message) error {
			first = m.Time
			return nil
		})
		if err != nil {
			return false, err
		}
		if !first.After(at) {
			return false, nil
		}
	}
	return true, nil
}
