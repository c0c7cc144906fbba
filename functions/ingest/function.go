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
	return event.Serve(ctx, http.HandlerFunc(f.receive), raw)
}

// receive hands the request to the protocols, once there is a receiver: these know who
// may do what, and how to say so.
func (f *function) receive(w http.ResponseWriter, req *http.Request) {
	handler, err := f.receiver.await(req.Context(), f.cfg.ingester.PublishTimeout)
	if err != nil {
		// It says when to come back.
		ingester.Refuse(w, req, &ingester.RefusedError{Err: err, RetryAfter: time.Second})
		return
	}
	handler.ServeHTTP(w, req)
}
