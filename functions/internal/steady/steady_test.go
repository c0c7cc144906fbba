package steady_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/functions/internal/steady"
	"github.com/spanlake/spanlake/internal/wal"
)

// fakeLog answers publishes as a test says, in this order, each in an epoch of its
// own. After the last one there is no answer.
type fakeLog struct {
	answers []error
	ids     []string
	renewed int
}

func (l *fakeLog) Partitions() int       { return 1 }
func (l *fakeLog) MaxPayload() int       { return 1 << 20 }
func (l *fakeLog) Renew(error)           { l.renewed++ }
func (l *fakeLog) Stream(int) wal.Stream { return fakeStream{log: l, epoch: uint64(len(l.ids) + 1)} }

type fakeStream struct {
	wal.Stream

	log   *fakeLog
	epoch uint64
}

func (s fakeStream) Epoch() uint64 { return s.epoch }

func (s fakeStream) Publish(ctx context.Context, _ []byte, id string) (uint64, error) {
	l := s.log
	l.ids = append(l.ids, id)
	if len(l.ids) > len(l.answers) {
		<-ctx.Done()
		return 0, fmt.Errorf("%w: %w", wal.ErrUnknownOutcome, ctx.Err())
	}
	return s.epoch, l.answers[len(l.ids)-1]
}

// State answers likewise, and is silent after the last answer.
func (s fakeStream) State(ctx context.Context) (wal.State, error) {
	l := s.log
	l.ids = append(l.ids, "state")
	if len(l.ids) > len(l.answers) {
		<-ctx.Done()
		return wal.State{}, ctx.Err()
	}
	return wal.State{Last: s.epoch}, l.answers[len(l.ids)-1]
}

// ReadRange gives the first message of the range unless the answer is that the log
// cannot be reached.
func (s fakeStream) ReadRange(_ context.Context, first, _ uint64, handle func(wal.Message) error) error {
	l := s.log
	l.ids = append(l.ids, "read")
	err := l.answers[len(l.ids)-1]
	if errors.Is(err, wal.ErrUnavailable) && !errors.Is(err, errLater) {
		return err
	}
	return errors.Join(handle(wal.Message{Position: first}), err)
}

// errLater is a failure after the first message.
var errLater = errors.New("later")

// TestRead: a log that cannot be reached is waited for, and the connection given up
// if it says nothing.
func TestRead(t *testing.T) {
	ended := fmt.Errorf("%w: %w", wal.ErrUnavailable, wal.ErrEpochEnded)
	reset := fmt.Errorf("%w: %w", wal.ErrReset, wal.ErrUnavailable)
	later := fmt.Errorf("%w: %w", wal.ErrUnavailable, errLater)
	for _, test := range []struct {
		name    string
		answers []error
		err     error // of both
		state   int   // attempts
		read    int
		renewed int
	}{
		{"at once", []error{nil}, nil, 1, 1, 0},
		{"in the end", []error{wal.ErrUnavailable, wal.ErrUnavailable, nil}, nil, 3, 3, 0},
		{"another epoch is another stream", []error{ended}, wal.ErrEpochEnded, 1, 1, 0},
		{"void", []error{reset}, wal.ErrReset, 1, 1, 0},
		{"closed", []error{wal.ErrClosed}, wal.ErrClosed, 1, 1, 0},
		{"lost after the first message", []error{later}, wal.ErrReset, 0, 1, 0},
		{"silence", nil, wal.ErrUnavailable, 5, 0, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if test.state > 0 {
					log := &fakeLog{answers: test.answers}
					stream := steady.New(log).Stream(0)
					state, err := stream.State(t.Context())
					require.ErrorIs(t, err, test.err)
					if test.err == nil {
						require.Equal(t, stream.Epoch(), state.Last, "of the stream that was asked for")
					}
					require.Len(t, log.ids, test.state)
					require.Equal(t, test.renewed, log.renewed)
				}
				if test.read > 0 {
					log := &fakeLog{answers: test.answers}
					given := 0
					err := steady.New(log).Stream(0).ReadRange(t.Context(), 3, 4, func(wal.Message) error {
						given++
						return nil
					})
					require.ErrorIs(t, err, test.err)
					require.Len(t, log.ids, test.read)
					require.LessOrEqual(t, given, 1, "no message is given twice")
				}
			})
		})
	}
}

// TestReadEnds: who does not want an answer any more does not wait.
func TestReadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		log := &fakeLog{}
		_, err := steady.New(log).Stream(0).State(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, log.renewed)
	})
}

func TestPublish(t *testing.T) {
	ended := fmt.Errorf("%w: %w", wal.ErrUnavailable, wal.ErrEpochEnded)
	other := errors.New("other")
	for _, test := range []struct {
		name     string
		answers  []error
		position uint64 // 0: it fails
		errs     []error
		renewed  int
		attempts int
	}{
		{"at once", []error{nil}, 1, nil, 0, 1},
		{"in the end, in another epoch", []error{wal.ErrUnavailable, wal.ErrUnknownOutcome, ended, nil}, 4, nil, 0, 4},
		{"full is an answer", []error{wal.ErrFull}, 0, []error{wal.ErrFull}, 0, 1},
		{"full after what is unknown", []error{wal.ErrUnknownOutcome, wal.ErrFull}, 0, []error{wal.ErrFull, wal.ErrUnknownOutcome}, 0, 2},
		{"too large", []error{wal.ErrTooLarge}, 0, []error{wal.ErrTooLarge}, 0, 1},
		{"closed", []error{wal.ErrClosed}, 0, []error{wal.ErrClosed}, 0, 1},
		{"anything else", []error{other}, 0, []error{other}, 0, 1},
		{"silence: another connection each time", nil, 0, []error{wal.ErrUnknownOutcome, context.DeadlineExceeded}, 5, 5},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				log := &fakeLog{answers: test.answers}
				position, err := steady.New(log).Stream(0).Publish(ctx, []byte("x"), "")
				require.Equal(t, test.position, position)
				require.Equal(t, test.position == 0, err != nil)
				for _, want := range test.errs {
					require.ErrorIs(t, err, want)
				}
				require.Equal(t, test.renewed, log.renewed)
				require.Len(t, log.ids, test.attempts)
				require.NotEmpty(t, log.ids[0])
				for _, id := range log.ids {
					require.Equal(t, log.ids[0], id, "all attempts are one message")
				}
			})
		})
	}
}
