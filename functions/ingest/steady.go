package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/wal"
)

const (
	// attemptTime is how long an acknowledgement may take until the connection is
	// given up. One that the network has dropped while the environment was frozen
	// says nothing, and the log's own pings find out after half a minute.
	attemptTime = 2 * time.Second
	// attemptPause is between attempts while there is no connection.
	attemptPause = 25 * time.Millisecond
)

// renewable is what steadyLog needs of a log.
type renewable interface {
	ingester.Log
	Renew(reason error)
}

// steadyLog is a log that is published to again and again, as long as there is
// time: an environment that was frozen finds out only by using its connection that
// it is gone.
type steadyLog struct{ renewable }

// Stream returns the partition's newest stream.
func (l steadyLog) Stream(partition int) wal.Stream {
	return steadyStream{l.renewable.Stream(partition), l.renewable, partition}
}

// steadyStream publishes to whatever the partition's newest stream has become.
type steadyStream struct {
	wal.Stream

	log       renewable
	partition int
}

// Publish implements wal.Stream. All attempts have one id, so that the server
// stores the message once.
func (s steadyStream) Publish(ctx context.Context, payload []byte, id string) (uint64, error) {
	if id == "" {
		id = rand.Text()
	}
	unknown := false // an attempt may have stored the message
	for {
		position, err := s.attempt(ctx, payload, id)
		if err == nil {
			return position, nil
		}
		unknown = unknown || errors.Is(err, wal.ErrUnknownOutcome)
		if again(err) && pause(ctx) {
			continue
		}
		if unknown && !errors.Is(err, wal.ErrUnknownOutcome) {
			err = fmt.Errorf("%w: %w", wal.ErrUnknownOutcome, err)
		}
		return 0, err
	}
}

func (s steadyStream) attempt(ctx context.Context, payload []byte, id string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	position, err := s.log.Stream(s.partition).Publish(ctx, payload, id)
	if errors.Is(err, wal.ErrUnknownOutcome) && ctx.Err() != nil {
		s.log.Renew(fmt.Errorf("no acknowledgement within %s", attemptTime))
	}
	return position, err
}

// again reports whether another attempt may succeed.
func again(err error) bool {
	return (errors.Is(err, wal.ErrUnavailable) || errors.Is(err, wal.ErrUnknownOutcome)) && !errors.Is(err, wal.ErrClosed)
}

// pause is false if ctx has ended by its end.
func pause(ctx context.Context) bool {
	timer := time.NewTimer(attemptPause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
