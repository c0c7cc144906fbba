package host

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestAwaitNamesTheReason: whoever waits in vain hears what is wrong with the log.
func TestAwaitNamesTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := l.Answering(ctx)
		require.ErrorIs(t, err, wal.ErrUnavailable)
		require.ErrorContains(t, err, "it is being opened")
		l.reason = errors.New("a person has to look")
		_, err = l.Await(ctx)
		require.ErrorContains(t, err, "a person has to look")
	})
}

// TestOpenLog: a log that is away is waited for, and closed in the end.
func TestOpenLog(t *testing.T) {
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), MaxStoreBytes: 1 << 30})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Shutdown()) }()
	h := &Host{Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(t.Context())
	l := h.OpenLog(ctx, wal.Options{
		Dial: server.Dial, ServerSyncAlways: true, Partitions: 1,
		Covered: func(_ context.Context, epochs []uint64, _ time.Time) ([]uint64, error) {
			return make([]uint64, len(epochs)), nil
		},
	})
	log, err := l.Answering(t.Context())
	require.NoError(t, err)
	log.Renew(errors.New("frozen"))
	_, err = l.Answering(t.Context())
	require.NoError(t, err)
	cancel()
	<-l.ended
	require.ErrorIs(t, log.Ready(), wal.ErrClosed)
}

// frozen is a log that answers after a number of attempts, each of which fails with
// an error, or when that is nil is silent.
type frozen struct {
	failures []error
	renewed  int
}

func (f *frozen) Stream(int) wal.Stream { return frozenStream{frozen: f} }
func (f *frozen) Renew(error)           { f.renewed++ }

type frozenStream struct {
	wal.Stream

	frozen *frozen
}

func (s frozenStream) State(ctx context.Context) (wal.State, error) {
	f := s.frozen
	if len(f.failures) == 0 {
		return wal.State{}, nil
	}
	err := f.failures[0]
	f.failures = f.failures[1:]
	if err == nil {
		<-ctx.Done()
		err = ctx.Err()
	}
	return wal.State{}, err
}

func TestAsk(t *testing.T) {
	away := errors.New("away")
	for _, test := range []struct {
		name     string
		failures []error
		renewed  int
		took     time.Duration
		fails    string
	}{
		{"at once", nil, 0, 0, ""},
		{"silence: another connection", []error{nil}, 1, answerTime + askAgain, ""},
		{"there is none for a moment", []error{nil, away, away}, 1, answerTime + 3*askAgain, ""},
		{"never", []error{nil, nil, nil, nil, nil, nil, nil}, 5, 10 * time.Second, context.DeadlineExceeded.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				log, begun := &frozen{failures: test.failures}, time.Now()
				err := newLog().ask(ctx, log)
				if test.fails != "" {
					require.ErrorIs(t, err, wal.ErrUnavailable)
					require.ErrorContains(t, err, test.fails)
				} else {
					require.NoError(t, err)
				}
				require.Equal(t, test.renewed, log.renewed)
				require.Equal(t, test.took, time.Since(begun))
			})
		})
	}
}

func TestWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			timeout time.Duration // 0: none
			until   time.Duration
		}{{15 * time.Minute, 14 * time.Minute}, {65 * time.Second, 5 * time.Second}, {0, 14 * time.Minute}} {
			ctx := t.Context()
			if test.timeout > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, test.timeout)
				defer cancel()
			}
			work, until, end, err := Work(ctx)
			require.NoError(t, err)
			defer end()
			require.Equal(t, test.until, time.Until(until))
			deadline, ok := work.Deadline()
			require.True(t, ok)
			require.Equal(t, test.until+55*time.Second, time.Until(deadline))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 65*time.Second-1)
		defer cancel()
		_, _, _, err := Work(ctx)
		require.ErrorContains(t, err, "give the function a timeout of 2m0s or more")
	})
}
