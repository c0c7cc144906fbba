package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/project"
)

const (
	task = "flush"
	// sweepInterval is how often an environment looks for claims of the log that are
	// spent, which live for an hour.
	sweepInterval = time.Hour
)

// function is what lives as long as an execution environment.
type function struct {
	*host.Host

	cfg      config
	log      *host.Log
	projects *project.Directory // what their models cost

	mu    sync.Mutex
	swept time.Time // by the wall clock, since the other one may stand still; zero: never
}

// result is the answer to an event.
type result struct {
	Task       string `json:"task"`
	Partitions int    `json:"partitions"`
	// Blocks with Spans in Bytes were stored.
	Blocks int   `json:"blocks"`
	Spans  int   `json:"spans"`
	Bytes  int64 `json:"bytes"`
}

// newFunction opens the bucket, and the log for as long as that takes.
func newFunction(ctx context.Context, cfg config, logger *slog.Logger) (*function, error) {
	h, err := host.New(ctx, &cfg.host, logger)
	if err != nil {
		return nil, err
	}
	return &function{
		Host: h, cfg: cfg, log: h.OpenLog(ctx, h.Writing(cfg.log.Options(&cfg.host.NATS))),
		projects: project.NewDirectory(h.Bucket, project.Options{Logger: logger, Registerer: prometheus.NewRegistry()}),
	}, nil
}

// handle has all that was acknowledged before the event stored. An error says what
// is left for the next one.
func (f *function) handle(ctx context.Context, raw json.RawMessage) (result, error) {
	f.Thaw()
	r := result{Task: task}
	if err := event.Task(raw, task); err != nil {
		return r, err
	}
	ctx, until, end, err := host.Work(ctx)
	if err != nil {
		return r, err
	}
	defer end()
	log, err := f.log.Answering(ctx)
	if err != nil {
		return r, err
	}
	if err := f.projects.Refresh(ctx); err != nil {
		return r, err
	}
	sweep := f.sweeps()
	// Reading the log begins with its first message each time: what was read before
	// the environment was frozen others may have stored.
	stored, err := ingester.NewBuilder(f.cfg.ingester, log, f.Bucket, f.projects.Prices, f.Logger, nil).Once(ctx, until, sweep)
	r.Partitions, r.Blocks, r.Spans, r.Bytes = log.Partitions(), stored.Blocks, stored.Spans, stored.Bytes
	if err != nil {
		return r, fmt.Errorf("%d blocks with %d spans are stored, and the rest is in the log: %w", r.Blocks, r.Spans, err)
	}
	if sweep {
		f.noteSweep()
	}
	return r, nil
}

// sweeps reports whether it is time to look for claims.
func (f *function) sweeps() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	age := time.Now().Round(0).Sub(f.swept)
	return age < 0 || age >= sweepInterval
}

func (f *function) noteSweep() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.swept = time.Now().Round(0)
}
