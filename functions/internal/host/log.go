package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/wal"
)

const (
	// openAgain is how long to wait after the log was found in a state that a person
	// has to mend.
	openAgain = 5 * time.Second
	// answerTime is how long the log's server may take until the connection is given
	// up. One that the network has dropped while the environment was frozen says
	// nothing, and the log's own pings find out after half a minute.
	answerTime = 2 * time.Second
	// patience is how long to wait for a log that is away: an invocation costs what
	// it takes, and its schedule comes again.
	patience = 15 * time.Second
	// askAgain is between attempts while there is no connection.
	askAgain = 25 * time.Millisecond
)

// Log is a log that is opened in the background, which may take until the first
// invocations or longer: a function must not fail because it is away.
type Log struct {
	opened chan struct{} // closed when log is set
	ended  chan struct{} // closed when nothing runs any more
	log    *wal.Log

	mu     sync.Mutex
	reason error // why it was not opened at the last attempt
}

// OpenLog begins to open a log, and goes on until that is done or ctx ends. It is
// closed when ctx ends.
func (h *Host) OpenLog(ctx context.Context, opts wal.Options) *Log {
	opts.Logger = h.Logger
	l := newLog()
	go func() {
		defer close(l.ended)
		if l.log = l.open(ctx, opts); l.log == nil {
			return
		}
		defer l.log.Close()
		close(l.opened)
		<-ctx.Done()
	}()
	return l
}

func newLog() *Log {
	return &Log{opened: make(chan struct{}), ended: make(chan struct{}), reason: errors.New("it is being opened")}
}

// open returns nil when ctx has ended.
func (l *Log) open(ctx context.Context, opts wal.Options) *wal.Log {
	for {
		log, err := wal.Open(ctx, opts)
		if err == nil {
			return log
		}
		if ctx.Err() != nil {
			return nil
		}
		opts.Logger.Error("log cannot be opened", slog.Any("err", err))
		l.mu.Lock()
		l.reason = err
		l.mu.Unlock()
		select {
		case <-time.After(openAgain):
		case <-ctx.Done():
			return nil
		}
	}
}

// Await returns the log as soon as it is open, or fails with wal.ErrUnavailable
// when ctx ends before.
func (l *Log) Await(ctx context.Context) (*wal.Log, error) {
	select {
	case <-l.opened:
		return l.log, nil
	case <-ctx.Done():
		return nil, l.unavailable(nil)
	}
}

// unavailable is the error for a log that could not be waited for any longer.
func (l *Log) unavailable(reason error) error {
	if reason == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		reason = l.reason
	}
	return fmt.Errorf("%w: %w", wal.ErrUnavailable, reason)
}

// Answering returns the log as soon as it answers: with another connection if it
// has to, since one that was lost while the environment was frozen is found out
// only by using it. Returns wal.ErrUnavailable if it does not for a while.
func (l *Log) Answering(ctx context.Context) (*wal.Log, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	log, err := l.Await(ctx)
	if err != nil {
		return nil, err
	}
	return log, l.ask(ctx, log)
}

// asked is what is asked of a log.
type asked interface {
	Stream(partition int) wal.Stream
	Renew(reason error)
}

func (l *Log) ask(ctx context.Context, log asked) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, answerTime)
		_, err := log.Stream(0).State(attempt)
		silent := attempt.Err() != nil
		cancel()
		if err == nil {
			return nil
		}
		if silent {
			log.Renew(fmt.Errorf("no answer within %s", answerTime))
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return l.unavailable(err)
		}
	}
}
