package wal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

var _ Stream = (*stream)(nil)

// stream is a partition in one epoch. It lives on through sessions.
type stream struct {
	log       *Log
	partition int
	epoch     uint64
	name      string
	subject   string

	// first remembers whether the log's first message is a cut, so that State
	// need not fetch that message each time.
	first atomic.Pointer[firstMessage]
}

type firstMessage struct {
	session  *session // a restored log may have another message there
	position uint64
	cut      bool
	time     time.Time
}

func newStream(l *Log, partition int, epoch uint64) *stream {
	return &stream{
		log:       l,
		partition: partition,
		epoch:     epoch,
		name:      streamName(l.opts.Name, partition, epoch),
		subject:   streamSubject(l.opts.Name, partition, epoch),
	}
}

// Epoch implements Stream.
func (st *stream) Epoch() uint64 { return st.epoch }

// session returns the current session if it is one of the stream's epoch.
func (st *stream) session() (*session, error) {
	s, err := st.log.current()
	if err != nil {
		return nil, err
	}
	if s.epochs[st.partition] != st.epoch {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ErrEpochEnded)
	}
	return s, nil
}

// writable is session for what changes the log.
func (st *stream) writable() (*session, error) {
	if st.log.opts.readOnly() {
		return nil, ErrReadOnly
	}
	return st.session()
}

// Publish implements Stream.
func (st *stream) Publish(ctx context.Context, payload []byte, id string) (uint64, error) {
	began := time.Now()
	position, err := st.publish(ctx, payload, id)
	m := st.log.metrics
	m.publishes.WithLabelValues(publishResult(err)).Inc()
	if err != nil {
		return 0, fmt.Errorf("publish to partition %d: %w", st.partition, err)
	}
	m.publishDuration.Observe(time.Since(began).Seconds())
	m.publishBytes.Add(float64(len(payload)))
	return position, nil
}

func (st *stream) publish(ctx context.Context, payload []byte, id string) (uint64, error) {
	s, err := st.writable()
	if err != nil {
		return 0, err
	}
	if len(payload) > s.maxPayload {
		return 0, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(payload), s.maxPayload)
	}
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return st.publishIn(ctx, s, payload, id)
}

func (st *stream) publishIn(ctx context.Context, s *session, payload []byte, id string, more ...jetstream.PublishOpt) (uint64, error) {
	opts := append(more, jetstream.WithExpectStream(st.name), jetstream.WithRetryAttempts(0))
	if id != "" {
		opts = append(opts, jetstream.WithMsgID(id))
	}
	ack, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: st.subject, Data: payload}, opts...)
	if err != nil {
		return 0, st.publishError(s, err)
	}
	return ack.Sequence, nil
}

// MarkerRoom is by how much MakeRoom raises the limit, in bytes: a few times
// what a cut marker takes with its headers.
const MarkerRoom = 4 << 10

// MakeRoom implements Stream.
func (st *stream) MakeRoom(ctx context.Context) error {
	s, err := st.writable()
	if err == nil {
		err = st.makeRoomIn(ctx, s)
	}
	if err != nil {
		return fmt.Errorf("make room in partition %d: %w", st.partition, err)
	}
	return nil
}

func (st *stream) makeRoomIn(ctx context.Context, s *session) error {
	js, state, err := st.look(ctx, s)
	if err != nil || state.Bytes+MarkerRoom/2 <= state.MaxBytes {
		return err
	}
	config := js.CachedInfo().Config
	config.MaxBytes += MarkerRoom
	if _, err := s.js.UpdateStream(ctx, config); err != nil {
		return st.requestError(ctx, s, "raise the size limit", err)
	}
	return nil
}

// State implements Stream.
func (st *stream) State(ctx context.Context) (State, error) {
	s, err := st.session()
	if err == nil {
		var state State
		if state, err = st.stateIn(ctx, s); err == nil {
			return state, nil
		}
	}
	return State{}, fmt.Errorf("state of partition %d: %w", st.partition, err)
}

// maxMoves bounds how often the first message may be purged while State looks
// at it. Purges come seconds apart.
const maxMoves = 10

func (st *stream) stateIn(ctx context.Context, s *session) (State, error) {
	for range maxMoves {
		state, err := st.glance(ctx, s)
		if err != nil || state.Empty() {
			return state, err
		}
		state.FirstIsCut, state.FirstTime, err = st.firstMessage(ctx, s, state.First)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue // purged in between
		}
		if err != nil {
			return State{}, st.requestError(ctx, s, "read first message", err)
		}
		return state, nil
	}
	return State{}, fmt.Errorf("%w: the first message keeps moving", ErrUnavailable)
}

// glance returns the state, all but FirstIsCut and FirstTime: without a request if the server
// is in this process.
func (st *stream) glance(ctx context.Context, s *session) (State, error) {
	if look := st.log.opts.Look; look != nil {
		if first, last, bytes, maxBytes, ok := look(st.name); ok {
			return State{First: first, Last: last, Bytes: bytes, MaxBytes: maxBytes}, ctx.Err()
		}
	}
	_, state, err := st.look(ctx, s)
	return state, err
}

// look asks the leader for the state, all but FirstIsCut and FirstTime.
func (st *stream) look(ctx context.Context, s *session) (jetstream.Stream, State, error) {
	js, err := s.js.Stream(ctx, st.name)
	if err != nil {
		return nil, State{}, st.requestError(ctx, s, "ask for state", err)
	}
	return js, stateOf(js.CachedInfo()), nil
}

// stateOf converts the server's description, all but FirstIsCut and FirstTime.
func stateOf(info *jetstream.StreamInfo) State {
	state := State{
		First:    info.State.FirstSeq,
		Last:     info.State.LastSeq,
		Bytes:    info.State.Bytes,
		MaxBytes: uint64(max(info.Config.MaxBytes, 0)),
	}
	if info.State.Msgs == 0 {
		state.First = state.Last + 1
	}
	return state
}

// firstTimeOf is when the first message was published, zero when there is none.
func firstTimeOf(info *jetstream.StreamInfo) time.Time {
	if info.State.Msgs == 0 {
		return time.Time{}
	}
	return info.State.FirstTime
}

// firstMessage says of the message at a position whether it is a cut, and when it
// was published.
func (st *stream) firstMessage(ctx context.Context, s *session, position uint64) (bool, time.Time, error) {
	if f := st.first.Load(); f != nil && f.session == s && f.position == position {
		return f.cut, f.time, nil
	}
	js, err := s.js.Stream(ctx, st.name)
	if err != nil {
		return false, time.Time{}, err
	}
	m, err := js.GetMsg(ctx, position)
	if err != nil {
		return false, time.Time{}, err
	}
	f := &firstMessage{session: s, position: position, cut: IsCut(m.Data), time: m.Time}
	st.first.Store(f)
	return f.cut, f.time, nil
}

// Purge implements Stream.
func (st *stream) Purge(ctx context.Context, before uint64) error {
	s, err := st.writable()
	if err == nil {
		err = st.purgeIn(ctx, s, before)
	}
	if err != nil {
		return fmt.Errorf("purge partition %d before %d: %w", st.partition, before, err)
	}
	return nil
}

func (st *stream) purgeIn(ctx context.Context, s *session, before uint64) error {
	js, state, err := st.look(ctx, s)
	if err != nil {
		return err
	}
	switch {
	case before > state.Last:
		// A purge beyond the end would move the log forward.
		return st.reset(resetTruncated, fmt.Errorf("the log ends at %d", state.Last))
	case before <= state.First:
		return nil
	}
	if err := js.Purge(ctx, jetstream.WithPurgeSequence(before)); err != nil {
		return st.requestError(ctx, s, "purge", err)
	}
	return nil
}

// FastForward implements Stream.
func (st *stream) FastForward(ctx context.Context, last uint64) error {
	s, err := st.writable()
	if err == nil {
		err = st.fastForwardIn(ctx, s, last)
	}
	if err != nil {
		return fmt.Errorf("move partition %d forward to %d: %w", st.partition, last, err)
	}
	return nil
}

// fastForwardIn also mends what a crash between its two steps left: a log that
// had messages but has no kept cut.
func (st *stream) fastForwardIn(ctx context.Context, s *session, last uint64) error {
	js, state, err := st.look(ctx, s)
	if err != nil {
		return err
	}
	if state.Last < last {
		if err := js.Purge(ctx, jetstream.WithPurgeSequence(last+1)); err != nil {
			return st.requestError(ctx, s, "purge beyond the end", err)
		}
		if _, state, err = st.look(ctx, s); err != nil {
			return err
		}
		if state.Last < last {
			return fmt.Errorf("%w: the log still ends at %d", ErrUnavailable, state.Last)
		}
	}
	if !state.Empty() || state.Last == 0 {
		return nil
	}
	// Only into the empty log: someone else may be mending it too.
	_, err = st.publishIn(ctx, s, CutMarker(), "", jetstream.WithExpectLastSequence(state.Last))
	if isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence) {
		return nil
	}
	return err
}
