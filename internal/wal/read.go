package wal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// checkInterval is how often a reader makes sure that the log still ends
	// where it stands or later.
	checkInterval = 5 * time.Second
	// pullMessages and pullBytes bound what is on its way to one reader.
	pullMessages = 512
	pullBytes    = 4 << 20
	// consumerLife is how long the server keeps a reader's cursor that asks for
	// nothing: a builder may stop reading for a while when its memory is full.
	consumerLife = 30 * time.Minute
	// goodbyeTimeout bounds the wait for deleting a cursor at a reader's end.
	goodbyeTimeout = time.Second
)

// Reasons of resets, the labels of spanlake_wal_resets_total.
const (
	resetGap       = "gap"       // a message was not the next one
	resetConsumer  = "consumer"  // the cursor at the server failed, or was made anew
	resetHeartbeat = "heartbeat" // the server went silent
	resetSession   = "session"   // the session ended or the log could not be asked
	resetTruncated = "truncated" // the log ends below where the caller stands
	resetEpoch     = "epoch"     // the stream was replaced
)

// reset counts a reset and returns its error.
func (st *stream) reset(reason string, err error) error {
	st.log.metrics.resets.WithLabelValues(reason).Inc()
	return fmt.Errorf("%w (%s): %w", ErrReset, reason, err)
}

// Read implements Stream.
func (st *stream) Read(ctx context.Context, handle func(Message) error) error {
	s, err := st.log.await(ctx)
	if err != nil {
		return err
	}
	if s.epochs[st.partition] != st.epoch {
		return st.reset(resetEpoch, ErrEpochEnded)
	}
	_, state, err := st.look(ctx, s)
	if err != nil {
		return st.readError(ctx, err)
	}
	return st.follow(ctx, reader{stream: st, session: s, next: state.First, last: math.MaxUint64}, handle)
}

// ReadRange implements Stream.
func (st *stream) ReadRange(ctx context.Context, first, last uint64, handle func(Message) error) error {
	if first > last {
		return nil
	}
	s, err := st.session()
	if err != nil {
		return err
	}
	_, state, err := st.look(ctx, s)
	if err != nil {
		return err
	}
	if first < state.First || last > state.Last {
		return st.reset(resetTruncated, fmt.Errorf("asked for %d to %d, the log has %d to %d", first, last, state.First, state.Last))
	}
	return st.follow(ctx, reader{stream: st, session: s, next: first, last: last}, handle)
}

// follow reads from r.next to r.last. The cursor is a consumer of its own, held
// in the server's memory, that acknowledges nothing and is never resumed.
func (st *stream) follow(ctx context.Context, r reader, handle func(Message) error) error {
	s := r.session
	consumer, err := s.js.CreateConsumer(ctx, st.name, jetstream.ConsumerConfig{
		DeliverPolicy:     jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:       max(r.next, 1),
		AckPolicy:         jetstream.AckNonePolicy,
		ReplayPolicy:      jetstream.ReplayInstantPolicy,
		MemoryStorage:     true,
		Replicas:          1,
		InactiveThreshold: consumerLife,
	})
	if err != nil {
		return st.readError(ctx, st.requestError(ctx, s, "create cursor", err))
	}
	defer st.goodbye(ctx, s, consumer.CachedInfo().Name)
	it, err := consumer.Messages(
		jetstream.PullMaxMessagesWithBytesLimit(int(min(r.last-r.next, pullMessages-1))+1, max(pullBytes, 2*(s.maxPayload+headroomBytes))), //nolint:gosec // bounded
		jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return st.readError(ctx, st.requestError(ctx, s, "start cursor", err))
	}
	defer it.Stop()
	defer context.AfterFunc(ctx, it.Stop)()
	r.checked = time.Now()
	return r.run(ctx, it, handle)
}

// readError is for errors before the first message: those of the context as
// they are, all others resets.
func (st *stream) readError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return st.reset(resetSession, err)
}

// goodbye deletes the cursor rather than leave it to expire.
func (st *stream) goodbye(ctx context.Context, s *session, consumer string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbyeTimeout)
	defer cancel()
	if s.nc.IsClosed() {
		return
	}
	if err := s.js.DeleteConsumer(ctx, st.name, consumer); err != nil {
		st.log.opts.Logger.Debug("cursor was left to expire", slog.String("stream", st.name), slog.Any("err", err))
	}
}

// reader is one Read or ReadRange.
type reader struct {
	stream    *stream
	session   *session
	next      uint64 // the position that must come next
	last      uint64 // where to end; the highest number for a reader without end
	delivered uint64 // messages that the cursor has delivered
	checked   time.Time
}

func (r *reader) run(ctx context.Context, it jetstream.MessagesContext, handle func(Message) error) error {
	for r.next <= r.last {
		msg, err := it.Next(jetstream.NextMaxWait(checkInterval))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err == nil:
			err = r.deliver(ctx, msg, handle)
		case !errors.Is(err, nats.ErrTimeout):
			return r.failure(err)
		case r.last != math.MaxUint64:
			return r.stream.reset(resetGap, fmt.Errorf("position %d does not come", r.next))
		default:
			err = nil // nothing came
		}
		if err == nil && time.Since(r.checked) >= checkInterval {
			err = r.check(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// deliver hands on a message if it is the next one in the stream, by both its
// position and its number within the cursor's life: a cursor that the server
// made anew counts from 1.
func (r *reader) deliver(ctx context.Context, msg jetstream.Msg, handle func(Message) error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return r.stream.reset(resetConsumer, err)
	}
	r.delivered++
	if meta.Sequence.Consumer != r.delivered || meta.NumDelivered != 1 {
		return r.stream.reset(resetConsumer, fmt.Errorf("the cursor delivered %d as number %d", r.delivered, meta.Sequence.Consumer))
	}
	if position := meta.Sequence.Stream; position != r.next {
		if err := r.judgeGap(ctx, position); err != nil {
			return err
		}
		if r.next = position; position > r.last {
			return nil // what was left of the range is missing from the log
		}
	}
	r.next++
	return handle(Message{Position: meta.Sequence.Stream, Time: meta.Timestamp, Payload: msg.Data()})
}

// judgeGap returns nil if the messages from r.next to below position are
// missing from the log itself while earlier ones are still there. No purge does
// that and reading again would only find the same hole: it is data loss, and
// reading must go on. Anything else resets.
func (r *reader) judgeGap(ctx context.Context, position uint64) error {
	st := r.stream
	gap := fmt.Errorf("expected %d, have %d", r.next, position)
	if position < r.next {
		return st.reset(resetGap, gap)
	}
	js, state, err := st.look(ctx, r.session)
	if err != nil {
		return st.reset(resetGap, errors.Join(gap, err))
	}
	lost := uint64(js.CachedInfo().State.NumDeleted) >= position-r.next //nolint:gosec // a count
	if state.First >= r.next || !lost {
		return st.reset(resetGap, gap)
	}
	// Both ends of the gap: the server says how many are missing, not which.
	for _, missing := range []uint64{r.next, position - 1} {
		if _, err := js.GetMsg(ctx, missing); !errors.Is(err, jetstream.ErrMsgNotFound) {
			return st.reset(resetGap, gap)
		}
	}
	st.log.alarm(alarmHole, "messages are missing within the log",
		slog.Int("partition", st.partition), slog.Uint64("epoch", st.epoch),
		slog.Uint64("first", r.next), slog.Uint64("last", position-1))
	return nil
}

// check makes sure that the log does not end below what was read. A cursor
// past the end would skip, without a sign, whatever is written there next.
func (r *reader) check(ctx context.Context) error {
	r.checked = time.Now()
	_, state, err := r.stream.look(ctx, r.session)
	if err != nil {
		return r.stream.readError(ctx, err)
	}
	if state.Last+1 < r.next {
		return r.stream.reset(resetTruncated, fmt.Errorf("read up to %d, the log ends at %d", r.next-1, state.Last))
	}
	return nil
}

// failure maps the cursor's errors.
func (r *reader) failure(err error) error {
	reason := resetConsumer
	switch {
	case r.session.nc.IsClosed():
		reason = resetSession
	case errors.Is(err, jetstream.ErrNoHeartbeat):
		reason = resetHeartbeat
	}
	return r.stream.reset(reason, err)
}
