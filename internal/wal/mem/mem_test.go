package mem_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/internal/wal/waltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	waltest.Run(t, func(t *testing.T) wal.Stream {
		t.Helper()
		l := mem.New(mem.Options{MaxBytes: waltest.MaxBytes})
		t.Cleanup(l.Close)
		return l.Stream(0)
	})
}

func fill(t *testing.T, s wal.Stream, n int) {
	t.Helper()
	for range n {
		_, err := s.Publish(t.Context(), wal.CutMarker(), "")
		require.NoError(t, err)
	}
}

// readAll reads in the background of the bubble until Read returns.
func readAll(s wal.Stream) (got *[]uint64, result chan error) {
	got, result = new([]uint64), make(chan error, 1)
	go func() {
		result <- s.Read(context.Background(), func(m wal.Message) error {
			*got = append(*got, m.Position)
			return nil
		})
	}()
	return got, result
}

func TestEventsResetReaders(t *testing.T) {
	for _, c := range []struct {
		name  string
		event func(l *mem.Log)
		first uint64
		err   error
	}{
		{"reset", func(l *mem.Log) { l.Mem(0).Reset() }, 1, wal.ErrReset},
		{"restart", func(l *mem.Log) { l.Mem(0).Restart() }, 1, wal.ErrReset},
		{"half purge", func(l *mem.Log) { l.Mem(0).DropFirst(2) }, 3, wal.ErrReset},
		{"drop all", func(l *mem.Log) { l.Mem(0).DropFirst(99) }, 4, wal.ErrReset},
		{"restore", func(l *mem.Log) { l.Mem(0).Restore(l.Mem(0).Backup()) }, 1, wal.ErrReset},
		{"lost stream", func(l *mem.Log) { l.Lose(0) }, 1, wal.ErrEpochEnded},
		{"close", func(l *mem.Log) { l.Close() }, 1, wal.ErrClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := mem.New(mem.Options{})
				fill(t, l.Stream(0), 3)
				got, result := readAll(l.Stream(0))
				synctest.Wait()
				require.Equal(t, []uint64{1, 2, 3}, *got)
				c.event(l)
				require.ErrorIs(t, <-result, c.err)
				if st, err := l.Stream(0).State(t.Context()); l.Ready() == nil {
					require.NoError(t, err)
					require.Equal(t, c.first, st.First)
				}
			})
		})
	}
}

func TestLoseEndsTheEpoch(t *testing.T) {
	l := mem.New(mem.Options{Epoch: 7})
	old := l.Stream(0)
	fill(t, old, 3)
	l.Lose(0)
	require.Greater(t, l.Stream(0).Epoch(), old.Epoch())
	fill(t, l.Stream(0), 2)
	_, err := old.Publish(t.Context(), nil, "")
	require.ErrorIs(t, err, wal.ErrEpochEnded)
	require.ErrorIs(t, err, wal.ErrUnavailable)
	require.ErrorIs(t, old.Purge(t.Context(), 2), wal.ErrEpochEnded)
	st, err := l.Stream(0).State(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, st.First)
	require.EqualValues(t, 2, st.Last)
}

func TestRestartForgetsPurgedIDs(t *testing.T) {
	s := mem.New(mem.Options{}).Mem(0)
	for _, want := range []uint64{1, 1} {
		at, err := s.Publish(t.Context(), wal.CutMarker(), "cut1")
		require.NoError(t, err)
		require.Equal(t, want, at)
	}
	fill(t, s, 1)
	require.NoError(t, s.Purge(t.Context(), 2))
	at, err := s.Publish(t.Context(), wal.CutMarker(), "cut1")
	require.NoError(t, err)
	require.EqualValues(t, 1, at, "remembered after a purge")
	s.Restart()
	at, err = s.Publish(t.Context(), wal.CutMarker(), "cut1")
	require.NoError(t, err)
	require.EqualValues(t, 3, at, "forgotten after a purge and a restart")
}

func TestRestoreBringsTheEndBack(t *testing.T) {
	s := mem.New(mem.Options{}).Mem(0)
	fill(t, s, 2)
	b := s.Backup()
	fill(t, s, 3)
	s.Restore(b)
	st, err := s.State(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, st.Last)
	at, err := s.Publish(t.Context(), nil, "")
	require.NoError(t, err)
	require.EqualValues(t, 3, at)
}

func TestFaults(t *testing.T) {
	s := mem.New(mem.Options{}).Mem(0)
	boom := errors.New("boom")
	fail := func(method string) error {
		if method == "Publish" {
			return boom
		}
		return nil
	}
	last := func() uint64 {
		st, err := s.State(t.Context())
		require.NoError(t, err)
		return st.Last
	}
	s.SetFaults(mem.Faults{Before: fail})
	_, err := s.Publish(t.Context(), nil, "")
	require.ErrorIs(t, err, boom)
	require.Zero(t, last())
	s.SetFaults(mem.Faults{After: fail})
	_, err = s.Publish(t.Context(), nil, "")
	require.ErrorIs(t, err, boom)
	require.EqualValues(t, 1, last())
	s.SetFaults(mem.Faults{})
	fill(t, s, 1)
	require.EqualValues(t, 2, last())
}

func TestClock(t *testing.T) {
	at := time.Unix(1700000000, 0)
	s := mem.New(mem.Options{Now: func() time.Time { return at }}).Mem(0)
	fill(t, s, 1)
	require.Equal(t, at, waltest.Read(t, s, 1)[0].Time)
}
