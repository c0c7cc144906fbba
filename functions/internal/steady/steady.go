// Package steady makes a log usable for an environment that was frozen, which finds
// out only by using its connection that it is gone: what did not get through is
// repeated over the next one, as long as there is time.
package steady

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/internal/wal"
)

const (
	// attemptTime is how long an answer may take until the connection is given up.
	// One that the network has dropped while the environment was frozen says
	// nothing, and the log's own pings find out after half a minute.
	attemptTime = 2 * time.Second
	// attemptPause is between attempts while there is no connection.
	attemptPause = 25 * time.Millisecond
	// readPatience is how long a log that cannot be reached is waited for before it
	// is read.
	readPatience = 10 * time.Second
)

// Renewable is what Log needs of a log. A *wal.Log is one.
type Renewable interface {
	Partitions() int
	MaxPayload() int
	Stream(partition int) wal.Stream
	Renew(reason error)
}

// Log is a log of which publishes and reads are repeated.
type Log struct{ Renewable }

// New returns the log as one of which publishes and reads are repeated.
func New(log Renewable) Log { return Log{log} }

// Stream returns the partition's newest stream.
func (l Log) Stream(partition int) wal.Stream {
	return stream{l.Renewable.Stream(partition), l.Renewable, partition}
}

// stream publishes to whatever the partition's newest stream has become. It reads
// one and the same: its epoch is what positions are of.
type stream struct {
	wal.Stream

	log       Renewable
	partition int
}

// Publish implements wal.Stream. All attempts have one id, so that the server
// stores the message once.
func (s stream) Publish(ctx context.Context, payload []byte, id string) (uint64, error) {
	if id == "" {
		id = rand.Text()
	}
	unknown := false // an attempt may have stored the message
	for {
		position, err := s.publish(ctx, payload, id)
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

func (s stream) publish(ctx context.Context, payload []byte, id string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	position, err := s.log.Stream(s.partition).Publish(ctx, payload, id)
	if errors.Is(err, wal.ErrUnknownOutcome) && ctx.Err() != nil {
		s.log.Renew(fmt.Errorf("no acknowledgement within %s", attemptTime))
	}
	return position, err
}

// State implements wal.Stream.
func (s stream) State(ctx context.Context) (state wal.State, err error) {
	err = read(ctx, func() error {
		state, err = s.state(ctx)
		return err
	})
	return state, err
}

func (s stream) state(ctx context.Context) (wal.State, error) {
	attempt, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	state, err := s.Stream.State(attempt)
	if err != nil && attempt.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w: no answer within %s: %w", wal.ErrUnavailable, attemptTime, err)
		s.log.Renew(err)
	}
	return state, err
}

// ReadRange implements wal.Stream.
func (s stream) ReadRange(ctx context.Context, first, last uint64, handle func(wal.Message) error) error {
	return read(ctx, func() error {
		given := false
		err := s.Stream.ReadRange(ctx, first, last, func(m wal.Message) error {
			given = true
			return handle(m)
		})
		if given && again(err) {
			return fmt.Errorf("%w: %w", wal.ErrReset, err) // what was given is void
		}
		return err
	})
}

// read makes attempts while the log cannot be reached.
func read(ctx context.Context, attempt func() error) error {
	patient, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	for {
		err := attempt()
		if err == nil || !again(err) || errors.Is(err, wal.ErrReset) || errors.Is(err, wal.ErrEpochEnded) || !pause(patient) {
			return err
		}
	}
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
