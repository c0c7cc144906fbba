package ingester_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
)

// A builder that is stopped tries to store what it has until it is told not
// to, and then all of it is still in the log.
func TestAbortedBuilderLeavesTheLog(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	tried := make(chan struct{}, 100)
	w.bucket = &gate{w.bucket, func(key string) error {
		if !strings.HasPrefix(key, "blocks/") {
			return nil
		}
		select {
		case tried <- struct{}{}:
		default:
		}
		return errors.New("bucket is away")
	}}
	r, b := w.receiver(), w.builder()
	w.send(r, "p", 1, 2)
	b.StopAsync()
	<-tried
	<-tried // and again
	b.Abort()
	b.Abort() // does nothing
	w.stop(b)
	state := w.state(0)
	require.EqualValues(t, 1, state.First)
	require.EqualValues(t, 2, state.Last, "the message and the cut of the flush")
}

// stuckLog takes messages and never acknowledges one.
type stuckLog struct {
	*logmem.Log

	published chan struct{}
}

func (l *stuckLog) Stream(partition int) wal.Stream {
	return &stuckStream{l.Log.Stream(partition), l.published}
}

type stuckStream struct {
	wal.Stream

	published chan struct{}
}

func (s *stuckStream) Publish(ctx context.Context, _ []byte, _ string) (uint64, error) {
	s.published <- struct{}{}
	<-ctx.Done()
	return 0, fmt.Errorf("%w: %w", wal.ErrUnknownOutcome, ctx.Err())
}

// A receiver that is stopped waits for its acknowledgements until it is told
// not to, and no client takes that for one.
func TestAbortedReceiverAnswers(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	log := &stuckLog{w.log, make(chan struct{})}
	r := ingester.NewReceiver(w.cfg, log, w.bucket, anyProject{}, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	w.start(r)
	received := make(chan error)
	go func() {
		_, err := r.Receive(context.Background(), "p", request(1))
		received <- err
	}()
	<-log.published
	r.StopAsync()
	select {
	case err := <-received:
		require.Fail(t, "answered", err)
	default:
	}
	r.Abort()
	err := <-received
	var refused *ingester.RefusedError
	require.ErrorAs(t, err, &refused)
	require.ErrorIs(t, err, wal.ErrUnknownOutcome)
	require.ErrorIs(t, err, context.Canceled, "not a timeout")
	w.stop(r)
}
