package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

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

func TestSteadyPublish(t *testing.T) {
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
				position, err := steadyLog{log}.Stream(0).Publish(ctx, []byte("x"), "")
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
