package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
)

// RetentionConfig is what counts for projects that set nothing.
type RetentionConfig struct {
	Default project.Retention `yaml:"default"`
}

// ProjectsConfig is how projects are looked up.
type ProjectsConfig struct {
	RefreshInterval time.Duration `yaml:"refresh_interval"`
}

func (c *Config) registerProjectFlags(f *flag.FlagSet) {
	f.TextVar(&c.Retention.Default, "retention.default", project.Retention(0), "How long the spans of projects are kept that set no retention of their own: a `duration` such as 36h, 90d or 1y, or unlimited.")
	f.DurationVar(&c.Projects.RefreshInterval, "projects.refresh-interval", project.RefreshInterval, "How often settings and keys of projects are looked for in the bucket: so long a change may take to be seen.")
	limit := func(dst *int64, name, usage string) {
		f.Int64Var(dst, "limits."+name, 0, usage+" 0 means no limit. A project's settings count more.")
	}
	limit(&c.Limits.IngestBytesPerSecond, "ingest-bytes-per-second", "Bytes that each process receives for a project in a second, after decompression.")
	limit(&c.Limits.IngestSpansPerSecond, "ingest-spans-per-second", "Spans that each process receives for a project in a second.")
	limit(&c.Limits.LiveTraces, "live-traces", "Traces of a project of which each process has received spans within the last minute.")
	limit(&c.Limits.AttributeBytes, "attribute-bytes", "Size of the largest attribute of a span, or of its scope or resource, with its key.")
	limit(&c.Limits.ConcurrentQueries, "concurrent-queries", "Queries that each process answers at once for a project.")
	limit(&c.Limits.QueryBytes, "query-bytes", "Bytes of blocks that one query may read from the bucket.")
}

func (c *Config) validateProjects() error {
	var errs []error
	if r := c.Retention.Default; r != 0 && (r < project.MinRetention || r > project.MaxRetention) {
		errs = append(errs, fmt.Errorf("retention.default must be from %s to %s, or unlimited", project.MinRetention, project.MaxRetention))
	}
	if d := c.Projects.RefreshInterval; d <= 0 || d > project.MaxStale/2 {
		errs = append(errs, fmt.Errorf("projects.refresh-interval must be positive and at most %s", project.MaxStale/2))
	}
	for name, value := range c.Limits.All() {
		if value < 0 {
			errs = append(errs, fmt.Errorf("limits.%s must not be negative", name))
		}
	}
	return errors.Join(errs...)
}

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
				a.access.projects.Store(directory)
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
		a.admin.open(newProjectsAPI(project.NewRegistry(a.bucket), a.projects, a.log, &a.erasures))
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
