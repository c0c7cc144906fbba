package wal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"
)

const (
	// dialTimeout bounds one attempt to connect.
	dialTimeout = 5 * time.Second
	// pingInterval and maxPings find a server that has gone without a word
	// within half a minute.
	pingInterval = 10 * time.Second
	maxPings     = 2
	// parallelChecks bounds the partitions that are checked at once when a
	// session is made; each takes a few round trips.
	parallelChecks = 8
	// headroomBytes is what a message's subject and headers may take of the
	// server's max_payload.
	headroomBytes = 512
)

// session is one connection with all checks made. Once ended it stays ended:
// nothing is ever sent on a connection that was not checked.
type session struct {
	nc *nats.Conn
	js jetstream.JetStream

	record     record
	epochs     []uint64 // by partition
	maxPayload int

	once   sync.Once
	reason error         // set before done is closed
	done   chan struct{} // closed when the session has ended
}

// end ends the session for a reason; only the first counts. Requests on their
// way fail.
func (s *session) end(reason error) {
	s.once.Do(func() {
		s.reason = reason
		close(s.done)
		s.nc.Close()
	})
}

// cause is why the session ended. REQUIRES: s.done is closed.
func (s *session) cause() error { return s.reason }

// connect makes a session. Errors are ErrWeak, ErrConflict, or ErrUnavailable.
func (l *Log) connect(ctx context.Context) (*session, error) {
	s := &session{done: make(chan struct{})}
	opts, err := l.opts.Login.Options(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if s.nc, err = nats.Connect(l.opts.URL, append(opts, l.natsOptions(ctx, s)...)...); err != nil {
		l.opts.Login.Note(err)
		return nil, fmt.Errorf("%w: connect: %w", ErrUnavailable, err)
	}
	if err := l.prepare(ctx, s); err != nil {
		s.end(err)
		return nil, err
	}
	select {
	case <-s.done: // it was lost while it was checked
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, s.cause())
	default:
		return s, nil
	}
}

func (l *Log) natsOptions(ctx context.Context, s *session) []nats.Option {
	lost := func(nc *nats.Conn) {
		l.opts.Login.Note(nc.LastError())
		s.end(fmt.Errorf("%w: connection lost: %w", ErrUnavailable, errors.Join(nats.ErrConnectionClosed, nc.LastError())))
	}
	opts := []nats.Option{
		nats.Name(l.opts.Name),
		nats.NoReconnect(),
		nats.Timeout(dialTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(maxPings),
		nats.ClosedHandler(lost),
	}
	if l.opts.Dial != nil {
		opts = append(opts, nats.InProcessServer(inProcess(l.opts.Dial)))
	} else {
		opts = append(opts, nats.SetCustomDialer(dialer(func(network, address string) (net.Conn, error) {
			d := net.Dialer{Timeout: dialTimeout}
			return d.DialContext(ctx, network, address)
		})))
	}
	if l.opts.TLS != nil {
		opts = append(opts, nats.Secure(l.opts.TLS))
	}
	return opts
}

// inProcess adapts Options.Dial to the client library.
type inProcess func() (net.Conn, error)

// InProcessConn returns a new connection.
func (f inProcess) InProcessConn() (net.Conn, error) { return f() }

// dialer makes dialling end with a context.
type dialer func(network, address string) (net.Conn, error)

// Dial connects.
func (f dialer) Dial(network, address string) (net.Conn, error) { return f(network, address) }

// prepare makes all checks of a new connection, in the order that makes each
// one safe: settings before anything is created, the end of the log last.
func (l *Log) prepare(ctx context.Context, s *session) error {
	var err error
	if s.js, err = jetstream.New(s.nc, jetstream.WithDefaultTimeout(l.opts.Timeout)); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	s.maxPayload = max(int(s.nc.MaxPayload())-headroomBytes, 0)
	if err := l.watchElections(s); err != nil {
		return err
	}
	if err := l.checkServer(ctx, s); err != nil {
		return err
	}
	c, err := l.openControl(ctx, s)
	if err != nil {
		return err
	}
	if s.record, err = c.agree(ctx); err != nil {
		return err
	}
	s.epochs = make([]uint64, s.record.Partitions)
	firsts := make([]time.Time, len(s.epochs))
	if err := l.inPartitions(ctx, s, func(ctx context.Context, p int) (err error) {
		firsts[p], err = l.preparePartition(ctx, s, c, p)
		return err
	}); err != nil || l.opts.readOnly() {
		return err
	}
	// What was published beyond the end of a partition came after its first message,
	// and so did the first message of its batch: that was not purged yet. In this order:
	// a block that is listed covers positions that the log had before, and the log's
	// end only grows.
	covered, err := l.opts.Covered(ctx, s.epochs, slices.MinFunc(firsts, time.Time.Compare))
	if err != nil {
		return fmt.Errorf("%w: find the covered positions: %w", ErrUnavailable, err)
	}
	return l.inPartitions(ctx, s, func(ctx context.Context, p int) error {
		return l.checkEnd(ctx, s, newStream(l, p, s.epochs[p]), covered[p])
	})
}

// inPartitions does something in all partitions, in some at once.
func (l *Log) inPartitions(ctx context.Context, s *session, do func(ctx context.Context, p int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelChecks)
	for p := range s.epochs {
		g.Go(func() error {
			if err := do(ctx, p); err != nil {
				return fmt.Errorf("partition %d: %w", p, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// preparePartition finds the epoch of a partition. For who writes it checks the
// stream, and returns when its first message was published, zero if there is none.
func (l *Log) preparePartition(ctx context.Context, s *session, c *control, p int) (first time.Time, err error) {
	epoch, info, err := c.ensure(ctx, p)
	if err != nil {
		return first, err
	}
	s.epochs[p] = epoch
	if l.opts.readOnly() {
		return first, nil
	}
	st := newStream(l, p, epoch)
	if err := l.checkStream(ctx, s, st, info); err != nil {
		return first, err
	}
	js, _, err := st.look(ctx, s)
	if err != nil {
		return first, err
	}
	return firstTimeOf(js.CachedInfo()), nil
}

// checkEnd compares the log's end with what blocks cover (rule 6). A log that
// ends below was restored from an older copy: its positions would be given a
// second time, and their spans be hidden under the blocks of the first.
func (l *Log) checkEnd(ctx context.Context, s *session, st *stream, covered uint64) error {
	_, state, err := st.look(ctx, s)
	if err != nil {
		return err
	}
	if state.Last < covered {
		l.alarm(alarmEndOfLog, "log ends below what blocks cover, moving it forward; was it restored from a backup?",
			slog.Int("partition", st.partition), slog.Uint64("epoch", st.epoch),
			slog.Uint64("last", state.Last), slog.Uint64("covered", covered))
	}
	return st.fastForwardIn(ctx, s, covered)
}

// watchElections ends the session when a stream of this log gets a new leader:
// that one may have lost the log's end, which is checked when a session is
// made, and readers' cursors may lie past it.
func (l *Log) watchElections(s *session) error {
	const subject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."
	_, err := s.nc.Subscribe(subject+"*", func(m *nats.Msg) {
		name := strings.TrimPrefix(m.Subject, subject)
		if _, _, ours := parseStreamName(l.opts.Name, name); ours {
			s.end(fmt.Errorf("%w: a new leader was elected for %s", ErrUnavailable, name))
		}
	})
	if err != nil {
		return fmt.Errorf("%w: subscribe to elections: %w", ErrUnavailable, err)
	}
	return nil
}
