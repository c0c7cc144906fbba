package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
)

const task = "compact"

// function is what lives as long as an execution environment.
type function struct {
	*host.Host

	cfg      config
	log      *host.Log
	projects *project.Directory

	mu        sync.Mutex           // one invocation at a time
	compactor *compactor.Compactor // nil before the first; it knows what need not be listed again
}

// result is the answer to an event.
type result struct {
	Task string `json:"task"`
	compactor.Summary
}

// newFunction opens the bucket, and the log for as long as that takes.
func newFunction(ctx context.Context, cfg config, logger *slog.Logger) (*function, error) {
	h, err := host.New(ctx, &cfg.host, logger)
	if err != nil {
		return nil, err
	}
	free, err := freeBytes(&cfg.compactor)
	if err != nil {
		return nil, err
	}
	if fit(&cfg.compactor, free) {
		logger.Warn("merges are as large as the spool permits: give the function more ephemeral storage",
			slog.Uint64("free_bytes", free), slog.Uint64("max_bytes", uint64(cfg.compactor.MaxBytes)))
	}
	f := &function{Host: h, cfg: cfg}
	f.projects = project.NewDirectory(h.Bucket, project.Options{
		Retention: cfg.retention.Default, Logger: logger, Registerer: prometheus.NewRegistry(),
	})
	f.log = h.OpenLog(ctx, wal.Options{URL: cfg.host.NATS.URL, Login: cfg.host.NATS.Login()}) // it is only read
	return f, nil
}

// handle merges and deletes blocks until nothing is to do, or there is no time.
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
	// Nothing may be deleted by settings from before the environment was frozen.
	if err := f.projects.Refresh(ctx); err != nil {
		return r, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.compactor == nil {
		f.compactor = compactor.New(f.cfg.compactor, log, f.Bucket, f.projects, f.Logger, prometheus.NewRegistry())
		f.compactor.WithLifecycle(f.Store, f.Root, time.Duration(f.cfg.retention.Default))
	}
	r.Summary, err = f.compactor.UntilDone(ctx, compactor.Run{Until: until})
	if err != nil {
		return r, fmt.Errorf("%d merges are done, and what is left is as it was: %w", r.Merges, err)
	}
	return r, nil
}
