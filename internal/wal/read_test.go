package wal

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wal/embedded"
)

// fakeMsg is a message as a cursor delivers it.
type fakeMsg struct {
	jetstream.Msg

	meta jetstream.MsgMetadata
	err  error
}

func (m fakeMsg) Metadata() (*jetstream.MsgMetadata, error) { return &m.meta, m.err }

func (m fakeMsg) Data() []byte { return []byte("data") }

func delivery(position, number, times uint64) fakeMsg {
	return fakeMsg{meta: jetstream.MsgMetadata{
		Sequence:     jetstream.SequencePair{Stream: position, Consumer: number},
		NumDelivered: times,
	}}
}

// logOf returns an open log on a server of its own, with n messages.
func logOf(t *testing.T, n int) (*session, *stream) {
	t.Helper()
	server, err := embedded.Start(embedded.Options{Dir: t.TempDir(), MaxStoreBytes: 64 << 20})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Shutdown()) })
	l, err := Open(t.Context(), Options{
		Dial: server.Dial, Partitions: 1, MaxBytesPerPartition: 1 << 20, ServerSyncAlways: true,
		Covered: func(_ context.Context, epochs []uint64, _ time.Time) ([]uint64, error) {
			return make([]uint64, len(epochs)), nil
		},
	})
	require.NoError(t, err)
	t.Cleanup(l.Close)
	for range n {
		_, err := l.Stream(0).Publish(t.Context(), CutMarker(), "")
		require.NoError(t, err)
	}
	s, err := l.current()
	require.NoError(t, err)
	return s, l.streams[0]
}

func TestReaderProvesEveryMessage(t *testing.T) {
	s, st := logOf(t, 6)
	require.NoError(t, st.Purge(t.Context(), 5)) // 5 and 6 are left
	for _, c := range []struct {
		name string
		msg  fakeMsg
		ok   bool
	}{
		{"the next one", delivery(3, 3, 1), true},
		{"a message is missing", delivery(5, 3, 1), false},
		{"it went back", delivery(2, 3, 1), false},
		{"the cursor was made anew", delivery(3, 1, 1), false},
		{"the cursor lost a message", delivery(3, 4, 1), false},
		{"delivered again", delivery(3, 3, 2), false},
		{"no metadata", fakeMsg{err: errors.New("none")}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reader{stream: st, session: s, next: 3, delivered: 2}
			var got []uint64
			err := r.deliver(t.Context(), c.msg, func(m Message) error {
				got = append(got, m.Position)
				return nil
			})
			if c.ok {
				require.NoError(t, err)
				require.Equal(t, []uint64{3}, got)
				return
			}
			require.ErrorIs(t, err, ErrReset)
			require.Empty(t, got)
		})
	}
}

func TestReaderBeyondTheEnd(t *testing.T) {
	s, st := logOf(t, 6)
	for _, c := range []struct {
		name string
		next uint64
		ok   bool
	}{
		{"behind", 3, true},
		{"at the end", 7, true},
		{"past the end of a restored log", 8, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reader{stream: st, session: s, next: c.next}
			err := r.check(t.Context())
			if c.ok {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrReset)
		})
	}
}

func TestElectionEndsTheSession(t *testing.T) {
	s, st := logOf(t, 1)
	const subject = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED."
	require.NoError(t, s.nc.Publish(subject+"someone-elses", nil))
	require.NoError(t, s.nc.Flush())
	select {
	case <-s.done:
		require.Fail(t, "another stream's election ended the session")
	default:
	}
	require.NoError(t, s.nc.Publish(subject+st.name, nil))
	<-s.done
	require.ErrorContains(t, s.cause(), "leader")
}
