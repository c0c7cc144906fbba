package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/project"
)

const (
	// maxBodyBytes fits as base64 into the 6 MB that an event may have, with room
	// for its headers.
	maxBodyBytes = 4 << 20
	// maxAnswerTime is a little less than the 30 s after which API Gateway hangs up.
	maxAnswerTime = 28 * time.Second
	// answerMargin is kept of a function's own timeout to say that it is over.
	answerMargin = 500 * time.Millisecond
)

// function is what lives as long as an execution environment, which is frozen
// between invocations: nothing in it relies on a ticker.
type function struct {
	cfg      config
	logger   *slog.Logger
	bucket   objstore.Bucket
	projects *project.Directory
	handler  http.Handler
	receiver *opener

	mu        sync.Mutex
	refreshed time.Time // when projects was, by the wall clock; zero: never
}

// newFunction opens the bucket, which asks nothing of it yet.
func newFunction(ctx context.Context, cfg config, logger *slog.Logger) (*function, error) {
	opts, prefix, err := s3.ParseURL(cfg.bucket)
	if err != nil {
		return nil, err
	}
	opened, err := s3.Open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", opts.Bucket, err)
	}
	f := &function{cfg: cfg, logger: logger}
	f.bucket = objstore.Retry(objstore.Prefixed(opened, prefix), objstore.RetryOptions{})
	reg := prometheus.NewRegistry()
	f.projects = project.NewDirectory(f.bucket, project.Options{
		Retention: cfg.retention.Default, Limits: cfg.limits, Logger: logger, Registerer: reg,
	})
	guard := access.New(cfg.auth.Mode, reg)
	guard.Use(f.projects)
	f.receiver = newOpener(f)
	f.handler = guard.Protect(project.ScopeIngest, http.HandlerFunc(f.receive))
	return f, nil
}

// start begins to open the log and reads the projects, both of which may take
// until the first invocations or longer: the function must not fail because they
// are away. It goes on until ctx ends.
func (f *function) start(ctx context.Context) { f.receiver.start(ctx) }

// handle answers an event.
func (f *function) handle(ctx context.Context, raw json.RawMessage) (events.APIGatewayV2HTTPResponse, error) {
	end := time.Now().Add(maxAnswerTime)
	if deadline, ok := ctx.Deadline(); ok && deadline.Add(-answerMargin).Before(end) {
		end = deadline.Add(-answerMargin)
	}
	ctx, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	return event.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := f.refresh(ctx); err != nil {
			ingester.Refuse(w, req, &ingester.RefusedError{Err: err, RetryAfter: time.Second})
			return
		}
		f.handler.ServeHTTP(w, req)
	}), raw)
}

// refresh reads the projects if they are as old as the service would let them
// become. When the bucket is away the last ones count, for as long as they do in
// the service; that is judged by the wall clock, since the other one may stand
// still while the environment is frozen.
func (f *function) refresh(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now().Round(0)
	age := now.Sub(f.refreshed)
	if age >= 0 && age < f.cfg.projects.RefreshInterval {
		return nil
	}
	err := f.projects.Refresh(ctx)
	if err == nil {
		f.refreshed = now
		return nil
	}
	f.logger.Warn("projects are as they were", slog.Any("err", err))
	if f.cfg.auth.Mode == access.ModeKeys && (age < 0 || age > project.MaxStale) {
		return project.ErrUnavailable
	}
	return nil
}

// receive hands the request to the receiver, once there is one.
func (f *function) receive(w http.ResponseWriter, req *http.Request) {
	handler, err := f.receiver.await(req.Context(), f.cfg.ingester.PublishTimeout)
	if err != nil {
		ingester.Refuse(w, req, &ingester.RefusedError{Err: err, RetryAfter: time.Second})
		return
	}
	handler.ServeHTTP(w, req)
}
