package wal_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/waltest"
)

func TestContract(t *testing.T) {
	waltest.Run(t, func(t *testing.T) wal.Stream {
		t.Helper()
		return open(t, newWorld(t).options()).Stream(0)
	})
}

// TestContractOfLook is TestContract for a log that sees into its server.
func TestContractOfLook(t *testing.T) {
	waltest.Run(t, func(t *testing.T) wal.Stream {
		t.Helper()
		w := newWorld(t)
		o := w.options()
		o.Look = w.look
		s := open(t, o).Stream(0)
		_, err := s.State(t.Context())
		require.NoError(t, err)
		require.Positive(t, w.looks)
		return s
	})
}

// TestLookSeesWhatOthersWrite compares what is seen with what the server
// answers, while others publish, purge and end the stream.
func TestLookSeesWhatOthersWrite(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	asking := open(t, o).Stream(0)
	o.Look, o.Registerer = w.look, nil
	looking := open(t, o).Stream(0)
	same := func() wal.State {
		t.Helper()
		asked, err := asking.State(t.Context())
		require.NoError(t, err)
		seen, err := looking.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, asked, seen)
		return seen
	}
	require.True(t, same().Empty())
	for i := range 8 {
		publish(t, asking, entry("a", i%2 == 1))
		require.EqualValues(t, i+1, same().Last)
	}
	require.NoError(t, asking.Purge(t.Context(), 4))
	require.True(t, same().FirstIsCut)
	require.NoError(t, asking.FastForward(t.Context(), 100))
	require.EqualValues(t, 101, same().First)

	_, _, _, _, ok := w.look("no such stream")
	require.False(t, ok)
	js := w.jetStream()
	for _, name := range streamNames(t, js) {
		require.NoError(t, js.DeleteStream(t.Context(), name))
	}
	_, err := looking.State(t.Context())
	require.ErrorIs(t, err, wal.ErrUnavailable)
}

func TestLookAfterShutdown(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Look = w.look
	s := open(t, o).Stream(0)
	w.stop()
	_, err := s.State(t.Context())
	require.ErrorIs(t, err, wal.ErrUnavailable)
	_, _, _, _, ok := w.look("any")
	require.False(t, ok)
}

func TestRecordWinsOverConfiguration(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Partitions, o.Windows = 4, []time.Duration{time.Minute, time.Hour}
	first := open(t, o)
	require.Equal(t, 4, first.Partitions())

	again := w.options()
	again.Partitions = 8
	second := open(t, again)
	require.Equal(t, 4, second.Partitions())
	require.Equal(t, o.Windows, second.Windows())
	for p := range 4 {
		require.Equal(t, first.Stream(p).Epoch(), second.Stream(p).Epoch())
	}
	require.Less(t, first.MaxPayload(), 1<<20)
	require.Greater(t, first.MaxPayload(), 900<<10)
}

func TestOpenersAgree(t *testing.T) {
	const openers, partitions = 6, 4
	w := newWorld(t)
	logs := make([]*wal.Log, openers)
	var g errgroup.Group
	for i := range logs {
		g.Go(func() (err error) {
			o := w.options()
			o.Partitions = partitions
			logs[i], err = wal.Open(t.Context(), o)
			return err
		})
	}
	require.NoError(t, g.Wait())
	for _, l := range logs {
		t.Cleanup(l.Close)
		for p := range partitions {
			require.Equal(t, logs[0].Stream(p).Epoch(), l.Stream(p).Epoch())
		}
	}
	require.Len(t, streamNames(t, w.jetStream()), partitions, "no stream was made in vain")
}

func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	reader := w.options()
	reader.Covered, reader.ServerSyncAlways = nil, false

	require.ErrorIs(t, openOnce(t, reader), wal.ErrUnavailable, "a reader creates nothing")
	reader.Registerer = nil
	require.Empty(t, streamNames(t, w.jetStream()))

	publish(t, open(t, w.options()).Stream(0), entry("a", false))
	s := open(t, reader).Stream(0)
	require.Len(t, waltest.Read(t, s, 1), 1)
	_, err := s.Publish(t.Context(), nil, "")
	require.ErrorIs(t, err, wal.ErrReadOnly)
	require.ErrorIs(t, s.Purge(t.Context(), 1), wal.ErrReadOnly)
	require.ErrorIs(t, s.FastForward(t.Context(), 5), wal.ErrReadOnly)
	require.EqualValues(t, 1, state(t, s).Last)
}

func TestOptionsAreChecked(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(o *wal.Options)
		want string
	}{
		{"no server", func(o *wal.Options) { o.Dial = nil }, "neither URL nor Dial"},
		{"name", func(o *wal.Options) { o.Name = "a.b" }, "name"},
		{"partitions", func(o *wal.Options) { o.Partitions = 3 }, "power of two"},
		{"replicas", func(o *wal.Options) { o.Replicas = 9 }, "replicas"},
		{"bytes", func(o *wal.Options) { o.MaxBytesPerPartition = -1 }, "negative"},
		{"timeout", func(o *wal.Options) { o.Timeout = -1 }, "negative"},
		{"no windows", func(o *wal.Options) { o.Windows = []time.Duration{} }, "no merge windows"},
		{"odd window", func(o *wal.Options) { o.Windows = []time.Duration{7 * time.Minute} }, "divisor of a day"},
		{"window order", func(o *wal.Options) { o.Windows = []time.Duration{time.Hour, 10 * time.Minute} }, "multiple of"},
		{"window nesting", func(o *wal.Options) { o.Windows = []time.Duration{10 * time.Minute, 15 * time.Minute} }, "multiple of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := wal.Options{Dial: func() (net.Conn, error) { return nil, os.ErrNotExist }}
			c.set(&o)
			_, err := wal.Open(t.Context(), o)
			require.ErrorContains(t, err, c.want)
		})
	}
}

// outage stops the server and waits until the log has noticed.
func (w *world) outage(l *wal.Log) {
	w.t.Helper()
	w.stop()
	eventually(w.t, func() bool { return l.Ready() != nil })
}

func TestOutageAndRestart(t *testing.T) {
	w := newWorld(t)
	l := open(t, w.options())
	s := l.Stream(0)
	for range 10 {
		publish(t, s, entry("before", false))
	}
	w.outage(l)
	_, err := s.Publish(t.Context(), entry("during", false), "")
	require.ErrorIs(t, err, wal.ErrUnavailable)
	require.NotErrorIs(t, err, wal.ErrUnknownOutcome)
	_, err = s.State(t.Context())
	require.ErrorIs(t, err, wal.ErrUnavailable)
	require.ErrorIs(t, s.Purge(t.Context(), 3), wal.ErrUnavailable)
	require.ErrorIs(t, l.Ready(), wal.ErrUnavailable)

	w.start()
	eventually(t, func() bool { return l.Ready() == nil })
	require.Same(t, s, l.Stream(0), "the epoch survives a restart")
	require.EqualValues(t, 11, publish(t, s, entry("after", false)))
	require.Len(t, waltest.Read(t, s, 11), 11)
}

func TestRestartResetsReaders(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	l := open(t, o)
	s := l.Stream(0)
	for range 5 {
		publish(t, s, entry("x", false))
	}
	var got []uint64
	err := s.Read(t.Context(), func(m wal.Message) error {
		if got = append(got, m.Position); len(got) == 5 {
			w.stop()
		}
		return nil
	})
	require.ErrorIs(t, err, wal.ErrReset)
	require.Equal(t, []uint64{1, 2, 3, 4, 5}, got)
	require.Equal(t, 1, counter(t, o, "spanlake_wal_resets_total", "session"))

	eventually(t, func() bool { return l.Ready() != nil })
	w.start()
	again := waltest.Read(t, s, 5) // waits for the session
	require.EqualValues(t, 1, again[0].Position)
}

func TestNothingIsPublishedBeforeTheEndCheck(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	var listing func() // what happens while blocks are listed
	covered := o.Covered
	o.Covered = func(ctx context.Context, epochs []uint64, from time.Time) ([]uint64, error) {
		if listing != nil {
			listing()
		}
		return covered(ctx, epochs, from)
	}
	l := open(t, o)
	s := l.Stream(0)
	publish(t, s, entry("a", false))
	w.outage(l)
	calls := w.coveredCalls()
	refused := make(chan error, 16)
	listing = func() {
		_, err := s.Publish(t.Context(), entry("early", false), "")
		refused <- err
	}
	w.start()
	eventually(t, func() bool { return l.Ready() == nil })
	require.Greater(t, w.coveredCalls(), calls)
	require.ErrorIs(t, <-refused, wal.ErrUnavailable)
	require.EqualValues(t, 1, state(t, s).Last)
}

func TestRestoredBackupIsMovedForward(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	l := open(t, o)
	s := l.Stream(0)
	require.Zero(t, w.coveredFrom(), "the log is empty: whatever it was before")
	for range 3 {
		publish(t, s, entry("old", false))
	}
	first := state(t, s).FirstTime
	w.outage(l)
	backup := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, os.CopyFS(backup, os.DirFS(w.dir)))
	w.start()
	eventually(t, func() bool { return l.Ready() == nil })
	for range 5 {
		publish(t, s, entry("new", true))
	}
	w.setCovered(8)

	w.outage(l)
	w.dir = backup
	w.start()
	eventually(t, func() bool { return l.Ready() == nil })
	st := state(t, s)
	require.EqualValues(t, 9, st.Floor())
	require.EqualValues(t, 9, st.Last)
	require.True(t, first.Equal(w.coveredFrom()), "%s %s", first, w.coveredFrom())
	require.EqualValues(t, 10, publish(t, s, entry("later", false)))
	require.Equal(t, 1, alarms(t, o, "end_of_log"))
}

func TestHalfDoneFastForwardIsMended(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	l := open(t, o)
	s := l.Stream(0)
	publish(t, s, entry("a", false))
	js := w.jetStream()
	stream, err := js.Stream(t.Context(), streamNames(t, js)[0])
	require.NoError(t, err)
	require.NoError(t, stream.Purge(t.Context(), jetstream.WithPurgeSequence(50)))
	l.Close()

	s = open(t, w.options()).Stream(0)
	require.EqualValues(t, 50, state(t, s).Floor(), "the log begins with a kept cut again")
	require.EqualValues(t, 51, publish(t, s, entry("b", true)))
	require.EqualValues(t, 50, state(t, s).Floor())
}

func TestDeletedStreamGetsANewEpoch(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	l := open(t, o)
	old := l.Stream(0)
	for range 3 {
		publish(t, old, entry("lost", false))
	}
	js := w.jetStream()
	require.NoError(t, js.DeleteStream(t.Context(), streamNames(t, js)[0]))
	_, err := old.Publish(t.Context(), entry("nowhere", false), "")
	require.ErrorIs(t, err, wal.ErrUnavailable)
	eventually(t, func() bool { return l.Ready() == nil && l.Stream(0).Epoch() != old.Epoch() })

	fresh := l.Stream(0)
	require.Greater(t, fresh.Epoch(), old.Epoch())
	require.Equal(t, 1, alarms(t, o, "lost_stream"))
	for range 5 {
		publish(t, fresh, entry("kept", true))
	}
	require.ErrorIs(t, old.Purge(t.Context(), 3), wal.ErrEpochEnded)
	_, err = old.Publish(t.Context(), nil, "")
	require.ErrorIs(t, err, wal.ErrEpochEnded)
	err = old.Read(t.Context(), func(wal.Message) error { return nil })
	require.ErrorIs(t, err, wal.ErrReset)
	require.ErrorIs(t, err, wal.ErrEpochEnded)
	require.EqualValues(t, 1, state(t, fresh).First)
	require.Len(t, waltest.Read(t, fresh, 5), 5)
}

func TestDeletedStreamResetsAnIdleReader(t *testing.T) {
	w := newWorld(t)
	l := open(t, w.options())
	old := l.Stream(0)
	publish(t, old, entry("lost", false))
	js := w.jetStream()
	err := old.Read(t.Context(), func(wal.Message) error {
		return js.DeleteStream(t.Context(), streamNames(t, js)[0])
	})
	require.ErrorIs(t, err, wal.ErrReset)
	// Whoever reads on finds the new stream, though nobody publishes.
	eventually(t, func() bool {
		err := old.Read(t.Context(), func(wal.Message) error { return nil })
		return errors.Is(err, wal.ErrEpochEnded)
	})
	require.Greater(t, l.Stream(0).Epoch(), old.Epoch())
}

// An opener that has not noticed yet still holds the old name.
func TestOldSessionCannotTouchTheNewStream(t *testing.T) {
	w := newWorld(t)
	stale := open(t, w.options())
	old := stale.Stream(0)
	publish(t, old, entry("lost", false))
	js := w.jetStream()
	require.NoError(t, js.DeleteStream(t.Context(), streamNames(t, js)[0]))

	fresh := open(t, w.options()).Stream(0)
	require.Greater(t, fresh.Epoch(), old.Epoch())
	for range 3 {
		publish(t, fresh, entry("kept", true))
	}
	require.ErrorIs(t, old.Purge(t.Context(), 1), wal.ErrUnavailable)
	require.EqualValues(t, 1, state(t, fresh).First)
	eventually(t, func() bool { return stale.Ready() == nil && stale.Stream(0).Epoch() == fresh.Epoch() })
}

func TestLostControlRecordIsRefused(t *testing.T) {
	w := newWorld(t)
	l := open(t, w.options())
	publish(t, l.Stream(0), entry("kept", false))
	l.Close()
	require.NoError(t, w.jetStream().DeleteKeyValue(t.Context(), "spanlake-control"))
	_, err := wal.Open(t.Context(), w.options())
	require.ErrorIs(t, err, wal.ErrConflict)
	require.ErrorContains(t, err, "control record")
}

func TestStreamLargerThanTheServer(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.MaxBytesPerPartition = 1 << 40
	_, err := wal.Open(t.Context(), o)
	require.ErrorIs(t, err, wal.ErrConflict)
	require.ErrorContains(t, err, "max_file_store")
}

func TestSizeLimitFollowsTheConfiguration(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	open(t, o).Close()
	o = w.options()
	o.MaxBytesPerPartition = 2 * waltest.MaxBytes
	require.EqualValues(t, 2*waltest.MaxBytes, state(t, open(t, o).Stream(0)).MaxBytes)
}

func TestHoleIsReportedAndPassed(t *testing.T) {
	w := newWorld(t)
	js := w.jetStream()
	weak := w.options()
	weak.AllowWeakSync = true
	l := open(t, weak)
	s := l.Stream(0)
	for range 6 {
		publish(t, s, entry("x", false))
	}
	name := streamNames(t, js)[0]
	l.Close()

	// A stream that allows deleting takes the place of the log's own.
	stream, err := js.Stream(t.Context(), name)
	require.NoError(t, err)
	cfg := stream.CachedInfo().Config
	require.NoError(t, js.DeleteStream(t.Context(), name))
	cfg.DenyDelete = false
	stream, err = js.CreateStream(t.Context(), cfg)
	require.NoError(t, err)

	_, err = wal.Open(t.Context(), w.options())
	require.ErrorIs(t, err, wal.ErrWeak)
	require.ErrorContains(t, err, "messages can be deleted")

	weak = w.options()
	weak.AllowWeakSync = true
	s = open(t, weak).Stream(0)
	for range 6 {
		publish(t, s, entry("x", false))
	}
	require.NoError(t, stream.DeleteMsg(t.Context(), 3))
	require.NoError(t, stream.DeleteMsg(t.Context(), 4))
	var positions []uint64
	for _, m := range waltest.Read(t, s, 4) {
		positions = append(positions, m.Position)
	}
	require.Equal(t, []uint64{1, 2, 5, 6}, positions)
	require.Equal(t, 1, alarms(t, weak, "hole"))
	require.Equal(t, 1, alarms(t, weak, "weak"))
}

// TestRenew gives a connection up: the log is back by another, after all checks.
func TestRenew(t *testing.T) {
	w := newWorld(t)
	l := open(t, w.options())
	publish(t, l.Stream(0), entry("a", false))
	checked := w.coveredCalls()
	l.Renew(errors.New("no answer"))
	l.Renew(errors.New("again"))
	if err := l.Ready(); err != nil { // it may be back already
		require.ErrorIs(t, err, wal.ErrUnavailable)
		require.ErrorContains(t, err, "no answer")
	}
	eventually(t, func() bool { return l.Ready() == nil && w.coveredCalls() > checked })
	require.EqualValues(t, 2, publish(t, l.Stream(0), entry("b", false)))
}

func TestClose(t *testing.T) {
	w := newWorld(t)
	l := open(t, w.options())
	s := l.Stream(0)
	publish(t, s, entry("a", false))
	err := s.Read(t.Context(), func(wal.Message) error {
		l.Close()
		return nil
	})
	require.ErrorIs(t, err, wal.ErrReset)
	l.Close()
	require.ErrorIs(t, l.Ready(), wal.ErrClosed)
	_, err = s.Publish(t.Context(), nil, "")
	require.ErrorIs(t, err, wal.ErrClosed)
	require.ErrorIs(t, s.Read(t.Context(), func(wal.Message) error { return nil }), wal.ErrClosed)
}

// TestCoveredOnce: what blocks cover is asked once for all partitions.
func TestCoveredOnce(t *testing.T) {
	w := newWorld(t)
	o := w.options()
	o.Partitions = 4
	open(t, o)
	require.Equal(t, 1, w.coveredCalls())
}
