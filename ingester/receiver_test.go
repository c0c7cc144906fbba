package ingester_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// P1: success is said only after the log's acknowledgement, and what failed is
// said to have failed.
func TestNoAcknowledgementWithoutTheLog(t *testing.T) {
	failures := []struct {
		name       string
		fault      error
		overloaded bool
	}{
		{"full", wal.ErrFull, true},
		{"away", wal.ErrUnavailable, false},
		{"unknown outcome", wal.ErrUnknownOutcome, false},
	}
	for _, tc := range failures {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, logmem.Options{})
			r := w.receiver()
			w.log.Mem(0).SetFaults(logmem.Faults{Before: func(method string) error {
				if method == "Publish" {
					return tc.fault
				}
				return nil
			}})
			_, err := r.Receive(t.Context(), "p", request(1))
			var refused *ingester.RefusedError
			require.ErrorAs(t, err, &refused)
			require.ErrorIs(t, err, tc.fault)
			require.Equal(t, tc.overloaded, refused.Overloaded)
			require.GreaterOrEqual(t, refused.RetryAfter, time.Second)
			w.log.Mem(0).SetFaults(logmem.Faults{})
			w.send(r, "p", 2)
			require.Equal(t, []int{2}, w.seen(w.builder(), "p"))
		})
	}
}

// A full log answers, frees itself by blocks, and then takes spans again.
func TestFullLogRecovers(t *testing.T) {
	w := newWorld(t, logmem.Options{MaxBytes: 4096})
	w.cfg.CutBytes = 1024
	r := w.receiver()
	var refused *ingester.RefusedError
	acknowledged := 0
	for {
		_, err := r.Receive(t.Context(), "p", request(acknowledged))
		if err != nil {
			require.ErrorAs(t, err, &refused)
			break
		}
		acknowledged++
	}
	require.ErrorIs(t, refused, wal.ErrFull)
	require.Greater(t, acknowledged, 5)
	b := w.builder()
	// No marker is due: only the cuts on data can free it.
	require.Eventually(t, func() bool {
		_, err := r.Receive(t.Context(), "p", request(acknowledged))
		return err == nil
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, upTo(acknowledged+1), w.seen(b, "p"))
}

// Several receivers can fill a log before any of them has seen enough for a
// cut, as can one that is killed again and again: then the log is one open
// batch, and a marker must get in all the same.
func TestFullLogWithoutCutRecovers(t *testing.T) {
	w := newWorld(t, logmem.Options{MaxBytes: 4096})
	w.cfg.CutBytes, w.cfg.CutAge = 2048, 10*time.Millisecond
	receivers := []*ingester.Receiver{w.receiver(), w.receiver(), w.receiver()}
	acknowledged := 0
	for {
		_, err := receivers[acknowledged%len(receivers)].Receive(t.Context(), "p", request(acknowledged))
		if err != nil {
			require.ErrorIs(t, err, wal.ErrFull)
			break
		}
		acknowledged++
	}
	for err := error(nil); err == nil; {
		_, err = w.log.Mem(0).Publish(t.Context(), wal.AppendPayload(nil, nil, false), "") // as small as a marker
	}
	b := w.builder()
	require.Eventually(t, func() bool {
		_, err := receivers[0].Receive(t.Context(), "p", request(acknowledged))
		return err == nil
	}, 10*time.Second, time.Millisecond)
	require.Equal(t, upTo(acknowledged+1), w.seen(b, "p"))
}

// While a publish is in flight, requests gather, and one message answers all.
func TestGroupCommit(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r := w.receiver()
	publishing := make(chan struct{})
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	var first sync.Once
	w.log.Mem(0).SetFaults(logmem.Faults{Before: func(method string) error {
		if method == "Publish" {
			first.Do(func() { close(publishing); <-released })
		}
		return nil
	}})
	var requests sync.WaitGroup
	errs := make(chan error, 50)
	receive := func(n int) {
		requests.Go(func() {
			_, err := r.Receive(context.Background(), "p", request(n))
			errs <- err
		})
	}
	receive(0)
	<-publishing
	for n := 1; n < 50; n++ {
		receive(n)
	}
	require.Eventually(t, func() bool { return ingester.QueuedCommits(r) == 49 }, 10*time.Second, time.Millisecond)
	release()
	requests.Wait()
	for range 50 {
		require.NoError(t, <-errs)
	}
	require.EqualValues(t, 2, w.state(0).Last, "one message for the first request, one for all others")
	require.Equal(t, upTo(50), w.seen(w.builder(), "p"))
}

// A message stays within the limit: what is gathered is cut between requests,
// and a large request between its spans.
func TestMessagesStayWithinTheLimit(t *testing.T) {
	w := newWorld(t, logmem.Options{MaxPayload: 4096})
	w.cfg.MaxMessageBytes = 2048
	r, b := w.receiver(), w.builder()
	w.send(r, "p", upTo(500)...)
	require.Equal(t, upTo(500), w.seen(b, "p"))
	require.Greater(t, w.state(0).Last, uint64(5))
}

// Partitions that take spans equally fast are not cut at the same time.
func TestCutsOfPartitionsAlternate(t *testing.T) {
	const partitions, messages = 4, 64
	w := newWorld(t, logmem.Options{Partitions: partitions})
	numbers := make([][]int, partitions)
	for n := 1000; n < 1000+2*partitions*messages; n++ { // all as long
		p := traceID(n).Partition(partitions)
		numbers[p] = append(numbers[p], n)
	}
	w.cfg.CutBytes = flagext.Bytes(len(request(1000)) * messages / 2)
	r := w.receiver()
	firsts := map[uint64]bool{}
	for p := range partitions {
		for _, n := range numbers[p][:messages] {
			w.send(r, "p", n)
		}
		var cuts []uint64
		require.NoError(t, w.log.Stream(p).ReadRange(t.Context(), 1, messages, func(m wal.Message) error {
			if wal.IsCut(m.Payload) {
				cuts = append(cuts, m.Position)
			}
			return nil
		}))
		require.GreaterOrEqual(t, len(cuts), 2)
		require.InDelta(t, messages/2, cuts[1]-cuts[0], 1, "later ones are as far apart as ever")
		firsts[cuts[0]] = true
	}
	require.Len(t, firsts, partitions)
}

// Receivers that begin at phases spread over a batch cut after a batch together,
// however little each of them sends.
func TestCutPhase(t *testing.T) {
	const receivers = 32
	w := newWorld(t, logmem.Options{})
	w.cfg.CutBytes = flagext.Bytes(len(request(1000)) * receivers / 2)
	for n := range receivers {
		w.cfg.CutPhase = n * int(w.cfg.CutBytes) / receivers
		w.send(w.receiver(), "p", 1000+n)
	}
	cuts := 0
	require.NoError(t, w.log.Stream(0).ReadRange(t.Context(), 1, receivers, func(m wal.Message) error {
		if wal.IsCut(m.Payload) {
			cuts++
		}
		return nil
	}))
	require.InDelta(t, 2, cuts, 1)
}

// Requests of all sizes come back whole and in order, one by one as they grow,
// and what a query holds does not change while more arrives.
func TestRowsOfAllSizes(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	sent := 0
	var views []catalog.Segment
	var lengths []int
	for _, n := range []int{1, 14, 1, 1, 3, 40, 5000, 1, 2047, 2048, 2049} {
		w.send(r, "p", upTo(sent + n)[sent:]...)
		sent += n
		require.Equal(t, upTo(sent), w.seen(b, "p"))
		tail, err := b.Tail(t.Context(), "p", 0, 0)
		require.NoError(t, err)
		require.Len(t, tail.Segments, 1)
		views, lengths = append(views, tail.Segments[0]), append(lengths, sent)
	}
	for i, view := range views {
		rows, err := scan(t, view)
		require.NoError(t, err)
		require.Equal(t, upTo(lengths[i]), rows)
		for _, n := range []int{0, lengths[i] - 1, lengths[i], sent - 1} {
			rows, err := view.Traces(t.Context(), []schema.TraceID{traceID(n)}, vec.AllColumns())
			require.NoError(t, err)
			if n >= lengths[i] {
				require.Empty(t, rows)
				continue
			}
			require.Len(t, rows, 1)
			require.Equal(t, n, number(t, &rows[0]))
		}
	}
}

func TestMalformedRequest(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	_, err := w.receiver().Receive(t.Context(), "p", []byte{0x0a, 0xff})
	require.ErrorIs(t, err, otlp.ErrMalformed)
	require.True(t, w.state(0).Empty())
}

// An invalid span does not take the rest of its request with it.
func TestInvalidSpansAreReported(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	spans := appendField(nil, 2, span(1, "span 1"))
	spans = appendField(spans, 2, appendField(appendField(nil, 1, []byte("short")), 5, []byte("GET /broken")))
	result, err := r.Receive(t.Context(), "p", appendField(nil, 1, appendField(nil, 2, spans)))
	require.NoError(t, err)
	require.Equal(t, 1, result.Rejected)
	require.Contains(t, result.Reason, "GET /broken")
	require.Contains(t, result.Reason, "trace id")
	require.Equal(t, []int{1}, w.seen(b, "p"))
}

func TestStoppedReceiverRefuses(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r := w.receiver()
	w.stop(r)
	_, err := r.Receive(t.Context(), "p", request(1))
	var refused *ingester.RefusedError
	require.ErrorAs(t, err, &refused)
	require.False(t, refused.Overloaded)
}

// A caller that goes away neither blocks the committer nor gets an answer that
// is not true, and the memory of its request may be used again at once, also
// while the spans wait for the publish before theirs.
func TestCallerGoesAway(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r := w.receiver()
	released := make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release()
	w.log.Mem(0).SetFaults(logmem.Faults{Before: func(method string) error {
		if method == "Publish" {
			<-released
		}
		return nil
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	for n := range 3 {
		body := request(n)
		_, err := r.Receive(ctx, "p", body)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		clear(body)
	}
	release()
	w.send(r, "p", 3)
	require.Equal(t, upTo(4), w.seen(w.builder(), "p"))
}

func TestQueriesFailRatherThanMiss(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	b := w.builder()
	away := errors.New("leader is away")
	w.log.Mem(0).SetFaults(logmem.Faults{Before: func(method string) error {
		if method == "State" {
			return away
		}
		return nil
	}})
	_, err := b.Tail(t.Context(), "p", 0, 0)
	require.ErrorIs(t, err, away)
	w.log.Mem(0).SetFaults(logmem.Faults{})
}

func BenchmarkReceive(b *testing.B) {
	log := logmem.New(logmem.Options{Partitions: 4, MaxBytes: 1 << 40})
	defer log.Close()
	r, stop := startReceiver(b, log)
	defer stop()
	body := request(upTo(200)...)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Receive(b.Context(), "p", body); err != nil {
			b.Fatal(err)
		}
	}
}
