package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/project"
)

const (
	// maxBodyBytes fits as base64 into the 6 MB that an event may have, with room
	// for its headers.
	maxBodyBytes = 4 << 20
	// maxAnswerTime is a little less than the 30 s after which API Gateway hangs up.
	maxAnswerTime = 28 * time.Second
)

// function is what lives as long as an execution environment.
type function struct {
	*host.Host

	cfg      config
	access   *host.Access
	handler  http.Handler
	receiver *opener
}

// newFunction opens the bucket, which asks nothing of it yet.
func newFunction(ctx context.Context, cfg config, logger *slog.Logger) (*function, error) {
	h, err := host.New(ctx, &cfg.host, logger)
	if err != nil {
		return nil, err
	}
	f := &function{Host: h, cfg: cfg, access: host.NewAccess(&cfg.access, h.Bucket, logger)}
	f.receiver = newOpener(f)
	f.handler = f.access.Protect(project.ScopeIngest, http.HandlerFunc(f.receive), refuse)
	return f, nil
}

// start begins to open the log, which may take until the first invocations or
// longer: the function must not fail because it is away. It goes on until ctx ends.
func (f *function) start(ctx context.Context) { f.receiver.start(ctx) }

// handle answers an event.
func (f *function) handle(ctx context.Context, raw json.RawMessage) (json.RawMessage, error) {
	f.Thaw()
	ctx, cancel := host.Answer(ctx, maxAnswerTime)
	defer cancel()
	return event.Serve(ctx, f.handler, raw)
}

// receive hands the request to the receiver, once there is one.
func (f *function) receive(w http.ResponseWriter, req *http.Request) {
	handler, err := f.receiver.await(req.Context(), f.cfg.ingester.PublishTimeout)
	if err != nil {
		refuse(w, req, err)
		return
	}
	handler.ServeHTTP(w, req)
}

// refuse says when to come back.
func refuse(w http.ResponseWriter, req *http.Request, err error) {
	ingester.Refuse(w, req, &ingester.RefusedError{Err: err, RetryAfter: time.Second})
}
