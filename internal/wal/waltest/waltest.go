// Package waltest is the contract suite of wal.Stream: every implementation
// must pass it.
package waltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/wal"
)

// MaxBytes is the limit of the streams that Run is given.
const MaxBytes = 1 << 20

// patience ends a test that waits for something that does not come.
const patience = 30 * time.Second

// Run runs the contract suite. open returns a new, empty stream of MaxBytes
// that takes payloads of at least 100 KB and at most 16 MB; it closes what it
// opened by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) wal.Stream) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(t *testing.T, s wal.Stream)
	}{
		{"a new log is empty", testNew},
		{"positions count from one", testPositions},
		{"reading delivers what is and what comes", testRead},
		{"readers are independent", testReaders},
		{"the handler's and the context's errors end reading", testReadErrors},
		{"a range is read once", testRange},
		{"a range that is not there resets", testRangeGone},
		{"the handler's and the context's errors end reading a range", testRangeErrors},
		{"a purge keeps the cut", testPurge},
		{"a purge beyond the end is refused", testPurgeBeyond},
		{"the floor follows the kept cut", testFloor},
		{"one id is stored once", testID},
		{"a full log refuses and recovers", testFull},
		{"a cut marker gets into a full log", testMakeRoom},
		{"a large payload is refused", testTooLarge},
		{"an ended context publishes nothing", testContext},
		{"fast-forward moves the end", testFastForward},
		{"fast-forward resets readers", testFastForwardReader},
		{"concurrent publishes are all read", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func data(i int) []byte {
	return wal.AppendPayload(nil, []wal.Entry{{Project: "default", Wire: fmt.Appendf(nil, "message %d", i)}}, false)
}

func cut(i int) []byte {
	return wal.AppendPayload(nil, []wal.Entry{{Project: "default", Wire: fmt.Appendf(nil, "message %d", i)}}, true)
}

func publish(t *testing.T, s wal.Stream, payload []byte) uint64 {
	t.Helper()
	position, err := s.Publish(t.Context(), payload, "")
	require.NoError(t, err)
	return position
}

func state(t *testing.T, s wal.Stream) wal.State {
	t.Helper()
	st, err := s.State(t.Context())
	require.NoError(t, err)
	return st
}

var errEnough = errors.New("enough")

// Read reads n messages from the log's first on and returns them. After a reset
// it starts again, as every reader must.
func Read(t *testing.T, s wal.Stream, n int) []wal.Message {
	t.Helper()
	if n == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		var got []wal.Message
		err := s.Read(ctx, func(m wal.Message) error {
			if got = append(got, m); len(got) == n {
				return errEnough
			}
			return nil
		})
		if !errors.Is(err, wal.ErrReset) || errors.Is(err, wal.ErrEpochEnded) {
			require.ErrorIs(t, err, errEnough)
			return got
		}
	}
}

func testNew(t *testing.T, s wal.Stream) {
	t.Helper()
	require.NotZero(t, s.Epoch())
	st := state(t, s)
	require.Equal(t, wal.State{First: 1, MaxBytes: MaxBytes}, st)
	require.True(t, st.Empty())
	require.Zero(t, st.Floor())
	require.NoError(t, s.Purge(t.Context(), 0))
	require.NoError(t, s.FastForward(t.Context(), 0))
	require.Equal(t, st, state(t, s))
}

func testPositions(t *testing.T, s wal.Stream) {
	t.Helper()
	for i := range 5 {
		require.EqualValues(t, i+1, publish(t, s, data(i)))
	}
	st := state(t, s)
	require.EqualValues(t, 1, st.First)
	require.EqualValues(t, 5, st.Last)
	require.False(t, st.FirstIsCut)
	require.False(t, st.FirstTime.IsZero())
	require.False(t, st.Empty())
	require.Positive(t, st.Bytes)
}

func testRead(t *testing.T, s wal.Stream) {
	t.Helper()
	const before, after = 20, 20
	for i := range before {
		publish(t, s, data(i))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	next := 0
	err := s.Read(ctx, func(m wal.Message) error {
		require.EqualValues(t, next+1, m.Position)
		require.Equal(t, data(next), m.Payload)
		require.False(t, m.Time.IsZero())
		next++
		switch {
		case next == before+after:
			return errEnough
		case next >= before:
			publish(t, s, data(next))
		}
		return nil
	})
	require.ErrorIs(t, err, errEnough)
}

func testReaders(t *testing.T, s wal.Stream) {
	t.Helper()
	for i := range 10 {
		publish(t, s, data(i))
	}
	first := Read(t, s, 7)
	require.Len(t, Read(t, s, 10), 10)
	require.Equal(t, first, Read(t, s, 7))
}

func testReadErrors(t *testing.T, s wal.Stream) {
	t.Helper()
	publish(t, s, data(0))
	own := errors.New("own")
	require.Equal(t, own, s.Read(t.Context(), func(wal.Message) error { return own }))

	ctx, cancel := context.WithCancel(t.Context())
	err := s.Read(ctx, func(wal.Message) error {
		cancel()
		return nil
	})
	require.Equal(t, context.Canceled, err)
	require.Equal(t, context.Canceled, s.Read(ctx, func(wal.Message) error { return nil }))
}

// readRange returns the positions that ReadRange delivers.
func readRange(t *testing.T, s wal.Stream, first, last uint64) ([]uint64, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var got []uint64
	err := s.ReadRange(ctx, first, last, func(m wal.Message) error {
		require.Equal(t, data(int(m.Position)-1), m.Payload)
		require.False(t, m.Time.IsZero())
		got = append(got, m.Position)
		return nil
	})
	return got, err
}

func testRange(t *testing.T, s wal.Stream) {
	t.Helper()
	const messages = 20
	for i := range messages {
		publish(t, s, data(i))
	}
	for _, r := range [][2]uint64{{1, messages}, {1, 1}, {messages, messages}, {3, 11}, {5, 4}} {
		var want []uint64
		for position := r[0]; position <= r[1]; position++ {
			want = append(want, position)
		}
		got, err := readRange(t, s, r[0], r[1])
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func testRangeGone(t *testing.T, s wal.Stream) {
	t.Helper()
	_, err := readRange(t, s, 1, 1)
	require.ErrorIs(t, err, wal.ErrReset, "nothing is there yet")
	for i := range 6 {
		publish(t, s, data(i))
	}
	require.NoError(t, s.Purge(t.Context(), 4))
	_, err = readRange(t, s, 3, 6)
	require.ErrorIs(t, err, wal.ErrReset)
	_, err = readRange(t, s, 5, 7)
	require.ErrorIs(t, err, wal.ErrReset)
	got, err := readRange(t, s, 4, 6)
	require.NoError(t, err)
	require.Equal(t, []uint64{4, 5, 6}, got)
}

func testRangeErrors(t *testing.T, s wal.Stream) {
	t.Helper()
	publish(t, s, data(0))
	publish(t, s, data(1))
	own := errors.New("own")
	require.Equal(t, own, s.ReadRange(t.Context(), 1, 2, func(wal.Message) error { return own }))
	ctx, cancel := context.WithCancel(t.Context())
	err := s.ReadRange(ctx, 1, 2, func(wal.Message) error {
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
}

func testPurge(t *testing.T, s wal.Stream) {
	t.Helper()
	for i := range 4 {
		publish(t, s, data(i))
	}
	publish(t, s, cut(4))
	publish(t, s, data(5))
	require.NoError(t, s.Purge(t.Context(), 5))
	st := state(t, s)
	require.EqualValues(t, 5, st.First)
	require.EqualValues(t, 6, st.Last)
	require.True(t, st.FirstIsCut)
	got := Read(t, s, 2)
	require.True(t, got[0].Time.Equal(st.FirstTime))
	require.EqualValues(t, 5, got[0].Position)
	require.True(t, wal.IsCut(got[0].Payload))
	for _, before := range []uint64{0, 1, 3, 5} {
		require.NoError(t, s.Purge(t.Context(), before))
		require.Equal(t, st, state(t, s))
	}
}

func testPurgeBeyond(t *testing.T, s wal.Stream) {
	t.Helper()
	publish(t, s, data(0))
	publish(t, s, data(1))
	before := state(t, s)
	require.ErrorIs(t, s.Purge(t.Context(), 3), wal.ErrReset)
	require.ErrorIs(t, s.Purge(t.Context(), 100), wal.ErrReset)
	require.Equal(t, before, state(t, s))
	require.EqualValues(t, 3, publish(t, s, data(2)))
}

func testFloor(t *testing.T, s wal.Stream) {
	t.Helper()
	publish(t, s, cut(0))
	require.True(t, state(t, s).FirstIsCut)
	require.Zero(t, state(t, s).Floor(), "number one is never a kept cut")
	publish(t, s, data(1))
	publish(t, s, cut(2))
	require.Zero(t, state(t, s).Floor())
	require.NoError(t, s.Purge(t.Context(), 3))
	require.EqualValues(t, 3, state(t, s).Floor())
	publish(t, s, data(3))
	publish(t, s, data(4))
	require.NoError(t, s.Purge(t.Context(), 4))
	require.EqualValues(t, 3, state(t, s).Floor(), "the first message is not a cut")
	publish(t, s, wal.CutMarker())
	require.NoError(t, s.Purge(t.Context(), 6))
	require.EqualValues(t, 6, state(t, s).Floor())
}

func testID(t *testing.T, s wal.Stream) {
	t.Helper()
	publish(t, s, data(0))
	id := wal.CutID(1)
	at, err := s.Publish(t.Context(), wal.CutMarker(), id)
	require.NoError(t, err)
	require.EqualValues(t, 2, at)
	publish(t, s, data(2))
	again, err := s.Publish(t.Context(), wal.CutMarker(), id)
	require.NoError(t, err)
	require.Equal(t, at, again)
	other, err := s.Publish(t.Context(), wal.CutMarker(), wal.CutID(3))
	require.NoError(t, err)
	require.EqualValues(t, 4, other)
	require.EqualValues(t, 4, state(t, s).Last)
}

func testFull(t *testing.T, s wal.Stream) {
	t.Helper()
	payload := make([]byte, 100_000)
	var stored uint64
	for stored < MaxBytes/100_000+1 {
		_, err := s.Publish(t.Context(), payload, "")
		if err != nil {
			require.ErrorIs(t, err, wal.ErrFull)
			break
		}
		stored++
	}
	require.Positive(t, stored)
	require.LessOrEqual(t, stored, uint64(MaxBytes/100_000))
	st := state(t, s)
	require.Equal(t, stored, st.Last)
	require.LessOrEqual(t, st.Bytes, st.MaxBytes)
	_, err := s.Publish(t.Context(), payload, "")
	require.ErrorIs(t, err, wal.ErrFull)

	require.NoError(t, s.Purge(t.Context(), stored))
	require.Equal(t, stored+1, publish(t, s, payload))
	require.Less(t, state(t, s).Bytes, st.Bytes)
}

func testMakeRoom(t *testing.T, s wal.Stream) {
	t.Helper()
	require.NoError(t, s.MakeRoom(t.Context()))
	require.EqualValues(t, MaxBytes, state(t, s).MaxBytes, "there was room")
	for _, size := range []int{100_000, 1_000, 0} { // the last ones as small as a marker
		for err := error(nil); err == nil; {
			_, err = s.Publish(t.Context(), make([]byte, size+len(wal.CutMarker())), "")
		}
	}
	full := state(t, s)
	_, err := s.Publish(t.Context(), wal.CutMarker(), wal.CutID(1))
	require.ErrorIs(t, err, wal.ErrFull)
	require.NoError(t, s.MakeRoom(t.Context()))
	position, err := s.Publish(t.Context(), wal.CutMarker(), wal.CutID(1))
	require.NoError(t, err)
	require.Equal(t, full.Last+1, position)
	require.LessOrEqual(t, state(t, s).MaxBytes, full.MaxBytes+wal.MarkerRoom)
	again, err := s.Publish(t.Context(), wal.CutMarker(), wal.CutID(1))
	require.NoError(t, err)
	require.Equal(t, position, again)
}

func testTooLarge(t *testing.T, s wal.Stream) {
	t.Helper()
	_, err := s.Publish(t.Context(), make([]byte, 17<<20), "")
	require.ErrorIs(t, err, wal.ErrTooLarge)
	require.True(t, state(t, s).Empty())
}

func testContext(t *testing.T, s wal.Stream) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Publish(ctx, data(0), "")
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, wal.ErrUnknownOutcome)
	require.True(t, state(t, s).Empty())
}

func testFastForward(t *testing.T, s wal.Stream) {
	t.Helper()
	for i := range 3 {
		publish(t, s, data(i))
	}
	before := state(t, s)
	require.NoError(t, s.FastForward(t.Context(), 2))
	require.NoError(t, s.FastForward(t.Context(), 3))
	require.Equal(t, before, state(t, s), "the log does not end below")

	require.NoError(t, s.FastForward(t.Context(), 100))
	st := state(t, s)
	require.EqualValues(t, 101, st.First)
	require.EqualValues(t, 101, st.Last)
	require.EqualValues(t, 101, st.Floor(), "everything up to here is in blocks")
	require.NoError(t, s.FastForward(t.Context(), 100))
	require.Equal(t, st, state(t, s))

	require.EqualValues(t, 102, publish(t, s, cut(3)))
	require.EqualValues(t, 101, state(t, s).Floor(), "the new cut is not taken for a kept one")
	got := Read(t, s, 2)
	require.EqualValues(t, 101, got[0].Position)
	require.Equal(t, wal.CutMarker(), got[0].Payload)
	require.True(t, bytes.Equal(cut(3), got[1].Payload))
}

func testFastForwardReader(t *testing.T, s wal.Stream) {
	t.Helper()
	publish(t, s, data(0))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err := s.Read(ctx, func(m wal.Message) error {
		require.EqualValues(t, 1, m.Position)
		return s.FastForward(ctx, 10)
	})
	require.ErrorIs(t, err, wal.ErrReset)
	require.EqualValues(t, 11, Read(t, s, 1)[0].Position)
}

func testConcurrent(t *testing.T, s wal.Stream) {
	t.Helper()
	const publishers, each = 4, 25
	var g errgroup.Group
	for p := range publishers {
		g.Go(func() error {
			for i := range each {
				if _, err := s.Publish(t.Context(), data(p*each+i), ""); err != nil {
					return err
				}
			}
			return nil
		})
	}
	seen := map[string]bool{}
	for i, m := range Read(t, s, publishers*each) {
		require.EqualValues(t, i+1, m.Position)
		seen[string(m.Payload)] = true
	}
	require.Len(t, seen, publishers*each)
	require.NoError(t, g.Wait())
}
