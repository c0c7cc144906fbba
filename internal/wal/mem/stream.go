package mem

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/spanlake/spanlake/internal/wal"
)

var _ wal.Stream = (*Stream)(nil)

// overheadBytes is what a stored message takes besides its payload.
const overheadBytes = 64

// Stream is one partition in memory.
type Stream struct {
	opts  Options
	epoch uint64

	mu       sync.Mutex
	messages []wal.Message // ascending, without gaps
	last     uint64
	bytes    uint64
	maxBytes uint64
	ids      map[string]uint64 // remembered message ids and their positions
	resets   int               // counts events after which readers must start again
	ended    error             // why the stream is of no more use
	changed  chan struct{}     // closed and replaced at every change
	faults   Faults
}

// Faults make requests fail. Each function, if set, is called without locks
// with the method's name and returns the error that the method shall return, or nil.
type Faults struct {
	// Before is asked before anything is done.
	Before func(method string) error
	// After is asked when it is done: the caller does not learn that it was.
	After func(method string) error
}

func newStream(opts Options, epoch uint64) *Stream {
	return &Stream{
		opts:  opts,
		epoch: epoch,

		maxBytes: opts.MaxBytes,
		ids:      map[string]uint64{},
		changed:  make(chan struct{}),
	}
}

// Epoch implements wal.Stream.
func (s *Stream) Epoch() uint64 { return s.epoch }

// Publish implements wal.Stream.
func (s *Stream) Publish(ctx context.Context, payload []byte, id string) (position uint64, err error) {
	err = s.do(ctx, "Publish", func() error {
		position, err = s.publish(payload, id)
		return err
	})
	if err != nil {
		return 0, err
	}
	return position, nil
}

func (s *Stream) publish(payload []byte, id string) (uint64, error) {
	if len(payload) > s.opts.MaxPayload {
		return 0, fmt.Errorf("%w: %d bytes", wal.ErrTooLarge, len(payload))
	}
	if at, ok := s.ids[id]; ok && id != "" {
		return at, nil
	}
	size := uint64(len(payload)) + overheadBytes
	if s.bytes+size > s.maxBytes {
		return 0, wal.ErrFull
	}
	s.bytes += size
	s.last++
	s.messages = append(s.messages, wal.Message{
		Position: s.last, Time: s.opts.Now(), Payload: slices.Clone(payload),
	})
	if id != "" {
		s.ids[id] = s.last
	}
	return s.last, nil
}

// MakeRoom implements wal.Stream.
func (s *Stream) MakeRoom(ctx context.Context) error {
	return s.do(ctx, "MakeRoom", func() error {
		if s.bytes+wal.MarkerRoom/2 > s.maxBytes {
			s.maxBytes += wal.MarkerRoom
		}
		return nil
	})
}

// State implements wal.Stream.
func (s *Stream) State(ctx context.Context) (state wal.State, err error) {
	err = s.do(ctx, "State", func() error {
		state = wal.State{First: s.first(), Last: s.last, Bytes: s.bytes, MaxBytes: s.maxBytes}
		if len(s.messages) > 0 {
			state.FirstIsCut, state.FirstTime = wal.IsCut(s.messages[0].Payload), s.messages[0].Time
		}
		return nil
	})
	return state, err
}

// first is the position of the first message. REQUIRES: s.mu.
func (s *Stream) first() uint64 { return s.last - uint64(len(s.messages)) + 1 }

// Purge implements wal.Stream.
func (s *Stream) Purge(ctx context.Context, before uint64) error {
	return s.do(ctx, "Purge", func() error {
		if before > s.last {
			return fmt.Errorf("%w: purge before %d, the log ends at %d", wal.ErrReset, before, s.last)
		}
		if before > s.first() {
			s.drop(int(before - s.first())) //nolint:gosec // fewer than there are messages
		}
		return nil
	})
}

// FastForward implements wal.Stream.
func (s *Stream) FastForward(ctx context.Context, last uint64) error {
	return s.do(ctx, "FastForward", func() error {
		if s.last < last {
			s.drop(len(s.messages))
			s.last = last
		}
		if len(s.messages) > 0 || s.last == 0 {
			return nil
		}
		_, err := s.publish(wal.CutMarker(), "")
		return err
	})
}

// drop removes the first n messages. REQUIRES: s.mu.
func (s *Stream) drop(n int) {
	for _, m := range s.messages[:n] {
		s.bytes -= uint64(len(m.Payload)) + overheadBytes
	}
	s.messages = slices.Clone(s.messages[n:])
}

// do runs one request under the lock and wakes the readers.
func (s *Stream) do(ctx context.Context, method string, f func() error) error {
	s.mu.Lock()
	faults := s.faults
	s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", wal.ErrUnavailable, err)
	}
	if faults.Before != nil {
		if err := faults.Before(method); err != nil {
			return err
		}
	}
	if err := s.locked(f); err != nil {
		return err
	}
	if faults.After != nil {
		return faults.After(method)
	}
	return nil
}

func (s *Stream) locked(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.gone(wal.ErrUnavailable); err != nil {
		return err
	}
	err := f()
	s.broadcast()
	return err
}

// gone is why the stream has ended, as kind if it is not closed. REQUIRES: s.mu.
func (s *Stream) gone(kind error) error {
	if s.ended == nil || errors.Is(s.ended, wal.ErrClosed) {
		return s.ended
	}
	return fmt.Errorf("%w: %w", kind, s.ended)
}

// broadcast wakes the readers. REQUIRES: s.mu.
func (s *Stream) broadcast() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Read implements wal.Stream.
func (s *Stream) Read(ctx context.Context, handle func(wal.Message) error) error {
	s.mu.Lock()
	next, resets := s.first(), s.resets
	s.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, changed, err := s.at(next, resets)
		if err != nil {
			return err
		}
		if changed == nil {
			if err := handle(m); err != nil {
				return err
			}
			next++
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ReadRange implements wal.Stream.
func (s *Stream) ReadRange(ctx context.Context, first, last uint64, handle func(wal.Message) error) error {
	if first > last {
		return nil
	}
	var resets int
	if err := s.do(ctx, "ReadRange", func() error {
		resets = s.resets
		if first < s.first() || last > s.last {
			return fmt.Errorf("%w: asked for %d to %d, the log has %d to %d", wal.ErrReset, first, last, s.first(), s.last)
		}
		return nil
	}); err != nil {
		return err
	}
	for position := first; position <= last; position++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		m, _, err := s.at(position, resets)
		if err != nil {
			return err
		}
		if err := handle(m); err != nil {
			return err
		}
	}
	return nil
}

// at returns the message at a position, or a channel to wait on while it does
// not exist.
func (s *Stream) at(position uint64, resets int) (wal.Message, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch err := s.gone(wal.ErrReset); {
	case err != nil:
		return wal.Message{}, nil, err
	case resets != s.resets:
		return wal.Message{}, nil, fmt.Errorf("%w: injected", wal.ErrReset)
	case position < s.first():
		return wal.Message{}, nil, fmt.Errorf("%w: %d was purged", wal.ErrReset, position)
	case position > s.last:
		return wal.Message{}, s.changed, nil
	}
	m := s.messages[position-s.first()]
	m.Payload = slices.Clone(m.Payload)
	return m, nil, nil
}

// Reset makes every reader return wal.ErrReset.
func (s *Stream) Reset() { s.happen(func() {}) }

// Restart is a restart of the server: readers reset, and only the ids of
// messages that are still stored are remembered.
func (s *Stream) Restart() {
	s.happen(func() {
		maps.DeleteFunc(s.ids, func(_ string, position uint64) bool { return position < s.first() })
	})
}

// DropFirst removes the first n messages, or as many as there are, whatever
// they are: a purge that a crash left half done. Readers reset.
func (s *Stream) DropFirst(n int) {
	s.happen(func() { s.drop(min(n, len(s.messages))) })
}

// Backup is a copy of a stream's content.
type Backup struct {
	messages []wal.Message
	last     uint64
	bytes    uint64
	ids      map[string]uint64
}

// Backup copies the stream's content.
func (s *Stream) Backup() Backup {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Backup{slices.Clone(s.messages), s.last, s.bytes, maps.Clone(s.ids)}
}

// Restore brings the content of an earlier moment back. Readers reset.
func (s *Stream) Restore(b Backup) {
	s.happen(func() {
		s.messages, s.last, s.bytes, s.ids = slices.Clone(b.messages), b.last, b.bytes, maps.Clone(b.ids)
	})
}

// SetFaults replaces the faults; the zero value heals.
func (s *Stream) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

// happen changes the stream so that readers must start again.
func (s *Stream) happen(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.resets++
	s.broadcast()
}

// end makes the stream useless for a reason.
func (s *Stream) end(reason error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.ended = reason
		s.broadcast()
	}
}
