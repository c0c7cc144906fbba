package wal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Log is an open log. It is safe for concurrent use.
type Log struct {
	opts    Options
	metrics *metrics
	stop    context.CancelFunc
	stopped chan struct{} // closed when the supervisor has ended

	mu      sync.Mutex
	session *session      // nil while there is none
	down    error         // why there is none; ErrClosed for good
	changed chan struct{} // closed and replaced when session or down change
	streams []*stream     // the newest epoch of each partition
	record  record        // set by the first session, constant from then on
	payload int
}

// Open connects to the log, creates it if it does not exist and Options.Covered
// is set, and makes all checks. While the server cannot be reached, or a log
// that is only read does not exist yet, it tries again until ctx ends; ctx has
// no meaning after Open has returned. Returns ErrWeak for weak settings,
// ErrConflict for a log that needs a person, and else the context's error,
// joined with what it was waiting for.
func Open(ctx context.Context, opts Options) (*Log, error) {
	opts.setDefaults()
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &Log{
		opts:    opts,
		metrics: newMetrics(opts.Registerer),
		stopped: make(chan struct{}),
		changed: make(chan struct{}),
	}
	first, err := l.openFirst(ctx)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	supervisorCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	go l.supervise(supervisorCtx, first)
	return l, nil
}

// openFirst makes the first session, patiently where patience can help.
func (l *Log) openFirst(ctx context.Context) (*session, error) {
	var wait backoff
	for {
		s, err := l.connect(ctx)
		if err == nil {
			l.install(s)
			return s, nil
		}
		if errors.Is(err, ErrWeak) || errors.Is(err, ErrConflict) {
			return nil, err
		}
		if ctx.Err() != nil { // then err need not say so: the client library hides it
			return nil, fmt.Errorf("%w: %w", ctx.Err(), err)
		}
		l.opts.Logger.Warn("log is not ready, trying again", slog.Any("err", err))
		if waitErr := wait.next(ctx); waitErr != nil {
			return nil, fmt.Errorf("%w: %w", waitErr, err)
		}
	}
}

// supervise replaces sessions that have ended until ctx does.
func (l *Log) supervise(ctx context.Context, s *session) {
	defer close(l.stopped)
	var wait backoff
	for {
		if s != nil {
			wait = backoff{}
			l.outlive(ctx, s)
		}
		if wait.next(ctx) != nil {
			l.uninstall(ErrClosed)
			return
		}
		var err error
		if s, err = l.connect(ctx); err != nil {
			l.opts.Logger.Warn("log is not ready, trying again", slog.Any("err", err))
			l.uninstall(err)
			continue
		}
		l.install(s)
		l.opts.Logger.Info("log session is ready")
	}
}

// outlive waits for the session's end, or ends it when ctx does.
func (l *Log) outlive(ctx context.Context, s *session) {
	select {
	case <-s.done:
		l.opts.Logger.Warn("log session has ended", slog.Any("err", s.cause()))
	case <-ctx.Done():
		s.end(ErrClosed)
	}
	l.uninstall(s.cause())
}

// install makes s the session. Partitions whose epoch changed get new streams.
func (l *Log) install(s *session) {
	l.metrics.sessions.Inc()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.record = s.record
	l.payload = s.maxPayload
	if l.streams == nil {
		l.streams = make([]*stream, s.record.Partitions)
	}
	for p, epoch := range s.epochs {
		if l.streams[p] == nil || l.streams[p].epoch != epoch {
			l.streams[p] = newStream(l, p, epoch)
		}
	}
	l.session, l.down = s, nil
	l.broadcast()
}

// uninstall leaves the log without a session.
func (l *Log) uninstall(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session, l.down = nil, reason
	l.broadcast()
}

// broadcast wakes those who wait for a change. REQUIRES: l.mu.
func (l *Log) broadcast() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// current returns the session, or ErrUnavailable with the reason for having none.
func (l *Log) current() (*session, error) {
	s, _, down := l.look()
	if s == nil {
		return nil, unavailable(down)
	}
	return s, nil
}

func (l *Log) look() (s *session, changed <-chan struct{}, down error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session, l.changed, l.down
}

// await returns the session as soon as there is one. Returns ErrClosed or the
// context's error.
func (l *Log) await(ctx context.Context) (*session, error) {
	for {
		s, changed, down := l.look()
		switch {
		case s != nil:
			return s, nil
		case errors.Is(down, ErrClosed):
			return nil, down
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// unavailable wraps the reason for having no session. ErrClosed stays itself.
func unavailable(reason error) error {
	switch {
	case errors.Is(reason, ErrClosed), errors.Is(reason, ErrUnavailable):
		return reason
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, reason)
	}
}

// Partitions is the number of partitions, as stored with the log.
func (l *Log) Partitions() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.record.Partitions
}

// Windows is the merge window tree, as stored with the log. The caller owns it.
func (l *Log) Windows() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.record.Windows)
}

// MaxPayload is the size in bytes of the largest payload that Publish takes,
// by the server of the newest session.
func (l *Log) MaxPayload() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.payload
}

// Stream returns the newest epoch of partition p, 0 to Partitions-1. Ask again
// before each use that begins anew: a lost stream is replaced by another.
func (l *Log) Stream(p int) Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streams[p]
}

// Ready returns nil while the log is connected, verified and checked, and the
// reason (ErrUnavailable or ErrClosed) otherwise.
func (l *Log) Ready() error {
	_, err := l.current()
	return err
}

// Renew gives up the connection, if there is one, for another: for whoever has
// found it silent earlier than its pings do. Publishes on their way get
// ErrUnknownOutcome; the ones that follow are ErrUnavailable for a moment.
func (l *Log) Renew(reason error) {
	if s, err := l.current(); err == nil {
		s.end(fmt.Errorf("%w: %w", ErrUnavailable, reason))
	}
}

// Close ends the session. Publishes on their way get ErrUnknownOutcome, readers
// return. It returns when nothing of the log is running any more.
func (l *Log) Close() {
	l.stop()
	<-l.stopped
}
