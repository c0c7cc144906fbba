package app

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"time"

	"github.com/grafana/dskit/services"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/protocols"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/embedded"
	"github.com/spanlake/spanlake/internal/wire/workers"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// newLog opens the log, with the server that holds it unless that is elsewhere.
func (a *App) newLog() services.Service {
	var server *embedded.Server
	closeServer := func() error {
		if server == nil {
			return nil
		}
		return server.Shutdown()
	}
	start := func(ctx context.Context) (err error) {
		opts := a.logOptions()
		if a.cfg.NATS.URL == "" {
			if server, err = embedded.Start(a.serverOptions()); err != nil {
				return err
			}
			opts.Dial, opts.Look, opts.ServerSyncAlways = server.Dial, server.Look, true
		}
		if a.log, err = wal.Open(ctx, opts); err != nil {
			return errors.Join(err, closeServer())
		}
		return nil
	}
	stop := func(error) error {
		if a.log != nil {
			a.log.Close()
		}
		return closeServer()
	}
	return services.NewIdleService(start, stop)
}

func (a *App) logOptions() wal.Options {
	opts := a.cfg.Log.Options(&a.cfg.NATS)
	opts.Partitions = a.cfg.partitions(runtime.GOMAXPROCS(0))
	opts.Logger = a.logger.With(slog.String("component", "log"))
	opts.Registerer = a.reg
	if a.cfg.receives() { // others only read
		opts.Covered = func(ctx context.Context, epochs []uint64, from time.Time) ([]uint64, error) {
			return catalog.Highest(ctx, a.bucket, epochs, from)
		}
	}
	return opts
}

// partitions is how many partitions a new log gets. In one process as many as
// blocks are encoded at once: more would only hold more open batches in memory,
// and cut requests into smaller messages, of which each is synced.
func (c *Config) partitions(processors int) int {
	switch {
	case c.Log.Partitions != 0:
		return c.Log.Partitions
	case c.NATS.URL != "":
		return wal.DefaultPartitions
	}
	n := 1
	for n < wal.DefaultPartitions && 4*n <= processors {
		n *= 2
	}
	return n
}

// serverOptions bound the server by what its streams may hold, not by what is
// free on the disk at the moment: a start must not fail for a full disk when
// the spans that are in the log could be stored and removed. An existing log
// may have any number of partitions.
func (a *App) serverOptions() embedded.Options {
	perPartition := min(uint64(a.cfg.Log.MaxBytes), math.MaxInt64/(2*schema.MaxPartitions))
	return embedded.Options{
		Dir:           a.cfg.natsDir(),
		MaxStoreBytes: int64(perPartition) * 2 * schema.MaxPartitions, //nolint:gosec // bounded above
		Logger:        a.logger.With(slog.String("component", "log")),
	}
}

// newLive makes what reads the log's tail; the builder or follower module runs it.
func (a *App) newLive() services.Service {
	return services.NewIdleService(func(context.Context) error {
		a.catalog = catalog.New(a.bucket, a.log, a.logger.With(slog.String("component", "catalog")), a.reg)
		// What an erasure has left nothing of was replaced longer ago.
		a.catalog.Expire(a.cfg.Compactor.DeleteAfter / 2)
		build := ingester.NewBuilder
		if a.cfg.Target == TargetQuerier {
			build = ingester.NewFollower
		}
		a.live = build(a.cfg.Ingester, a.log, a.bucket, a.projects.Prices, a.logger.With(slog.String("component", "builder")), a.reg)
		return nil
	}, nil)
}

func (a *App) newBuilder() services.Service {
	return late(func(context.Context) (services.Service, error) { return a.stopping.bounded(phaseStore, a.live), nil })
}

// newFlush lets POST /flush reach the builder while that runs.
func (a *App) newFlush() services.Service {
	return services.NewIdleService(func(context.Context) error {
		a.flushes.open(flushHandler(a.live))
		return nil
	}, func(error) error {
		a.closeGate(&a.flushes, phaseReceive)
		return nil
	})
}

// newQuerier opens the query API, and at the end waits for the last answers.
func (a *App) newQuerier() services.Service {
	return services.NewIdleService(func(ctx context.Context) error {
		a.querier = querier.New(a.cfg.Querier, a.catalog, a.live, a.projects, a.erasures.watch, a.bucket, a.log.Partitions(),
			querier.NewBuildInfo(a.cfg.Version, a.cfg.Revision), a.logger.With(slog.String("component", "querier")), a.reg)
		if a.onShared != nil {
			a.querier.OnShared(a.onShared)
		}
		if a.cfg.Target == TargetQuerier {
			var err error
			if a.workers, err = workers.Connect(ctx, a.workersOptions()); err != nil {
				return err
			}
			a.querier.ShareWith(a.workers, 2)
		}
		a.queries.open(protocols.Queries(a.querier))
		a.eraser.Store(a.querier)
		return nil
	}, func(error) error {
		a.eraser.Store(nil)
		a.closeGate(&a.queries, phaseAnswer)
		if a.workers != nil {
			a.workers.Close()
		}
		return nil
	})
}

// workersOptions are for a connection of its own: that of the log ends whenever
// something about the log has to be checked anew.
func (a *App) workersOptions() workers.Options {
	return workers.Options{
		URL: a.cfg.NATS.URL, Login: a.cfg.NATS.Login(), Name: wal.DefaultName,
		Logger: a.logger.With(slog.String("component", "workers")),
	}
}

// newWorker does jobs of other queriers. It stops before this one.
func (a *App) newWorker() services.Service {
	return services.NewBasicService(nil, func(ctx context.Context) error {
		return a.workers.Serve(ctx, a.querier.Work)
	}, nil)
}

func (a *App) closeGate(g *gate, p phase) {
	ctx, cancel := a.stopping.until(context.Background(), p)
	defer cancel()
	g.close(ctx)
}
