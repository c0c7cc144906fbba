package tail_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/catalog/tail"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log and a bucket without any builder.
type world struct {
	t       *testing.T
	log     *logmem.Log
	bucket  *bucketmem.Bucket
	catalog *catalog.Catalog
	reader  *tail.Reader
	reg     *prometheus.Registry
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, log: logmem.New(logmem.Options{}), bucket: bucketmem.New(), reg: prometheus.NewRegistry()}
	t.Cleanup(w.log.Close)
	w.catalog = catalog.New(w.bucket, w.log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	w.reader = tail.New(w.log, w.bucket, llm.ShippedTables, w.reg)
	return w
}

func traceID(n int) schema.TraceID { return schema.TraceID{15: byte(n), 14: byte(n >> 8), 8: 1} }

// wire is an OTLP request with a span named after each number, in that trace.
func wire(numbers ...int) []byte {
	field := func(dst []byte, num protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(dst, num, protowire.BytesType), b)
	}
	var spans []byte
	for _, n := range numbers {
		id := traceID(n)
		s := field(field(field(nil, 1, id[:]), 2, id[8:]), 5, fmt.Append(nil, n))
		spans = field(spans, 2, s)
	}
	return field(nil, 1, field(nil, 2, spans))
}

// long is a span of a trace with a name of some length.
func long(n, size int) []byte {
	id := traceID(n)
	s := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), id[:])
	s = protowire.AppendBytes(protowire.AppendTag(s, 2, protowire.BytesType), id[8:])
	s = protowire.AppendString(protowire.AppendTag(s, 5, protowire.BytesType), strings.Repeat("x", size))
	for range 2 {
		s = protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), s)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), s)
}

func (w *world) publish(entries ...wal.Entry) {
	w.t.Helper()
	_, err := w.log.Stream(0).Publish(w.t.Context(), wal.AppendPayload(nil, entries, false), "")
	require.NoError(w.t, err)
}

// cut ends a batch and pretends to store it.
func (w *world) cut(project schema.ProjectID, first uint64, purge bool) {
	w.t.Helper()
	last, err := w.log.Stream(0).Publish(w.t.Context(), wal.CutMarker(), "")
	require.NoError(w.t, err)
	name := schema.BlockName{Project: project, Partitions: 1, Epoch: w.log.Stream(0).Epoch(), First: first, Last: last}
	require.NoError(w.t, w.bucket.Put(w.t.Context(), name.Key(), bytes.NewReader(nil), objstore.PutOptions{}))
	if purge {
		require.NoError(w.t, w.log.Stream(0).Purge(w.t.Context(), last))
	}
}

func (w *world) join(project schema.ProjectID) *catalog.Joined {
	w.t.Helper()
	joined, err := w.catalog.Join(w.t.Context(), w.reader, project, []int{0}, nil)
	require.NoError(w.t, err)
	return joined
}

// names scans all segments.
func names(ctx context.Context, segments []catalog.Segment) (all []string, err error) {
	for _, s := range segments {
		for chunk, err := range s.Scan(ctx, &vec.Filter{}, vec.AllColumns()) {
			if err != nil {
				return all, err
			}
			for i := range chunk {
				all = append(all, chunk[i].Name)
			}
		}
	}
	return all, nil
}

func (w *world) seen(project schema.ProjectID) []string {
	w.t.Helper()
	all, err := names(w.t.Context(), w.join(project).Segments)
	require.NoError(w.t, err)
	return all
}

func (w *world) messagesRead() float64 {
	w.t.Helper()
	families, err := w.reg.Gather()
	require.NoError(w.t, err)
	for _, f := range families {
		if f.GetName() == "spanlake_tail_read_messages_total" {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

func TestWithoutABuilder(t *testing.T) {
	w := newWorld(t)
	require.Empty(t, w.seen("p"))
	w.publish(wal.Entry{Project: "p", Wire: wire(1, 2)}, wal.Entry{Project: "q", Wire: wire(3)})
	require.Equal(t, []string{"1", "2"}, w.seen("p"))
	require.Equal(t, []string{"3"}, w.seen("q"))
	w.publish(wal.Entry{Project: "p", Wire: wire(4)}, wal.Entry{Project: "p", Wire: wire(5)})
	require.Equal(t, []string{"1", "2", "4", "5"}, w.seen("p"))
}

// What a block of the project covers is not read again, stored or purged; other
// projects' blocks say nothing.
func TestCoveredPositionsAreLeftOut(t *testing.T) {
	w := newWorld(t)
	w.publish(wal.Entry{Project: "p", Wire: wire(1)}) // position 1
	w.cut("p", 1, true)                               // 2
	w.publish(wal.Entry{Project: "p", Wire: wire(3)})
	require.Equal(t, []string{"3"}, w.seen("p"))
	w.cut("q", 3, false) // 4
	w.publish(wal.Entry{Project: "p", Wire: wire(5)})
	w.cut("p", 5, false) // 6
	w.publish(wal.Entry{Project: "p", Wire: wire(7)})
	w.catalog = catalog.New(w.bucket, w.log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	joined := w.join("p")
	all, err := names(t.Context(), joined.Segments)
	require.NoError(t, err)
	require.Equal(t, []string{"3", "7"}, all)
	require.Len(t, joined.Blocks, 2)
	require.Len(t, joined.Segments, 2)
	require.NoError(t, w.log.Stream(0).Purge(t.Context(), 6))
	require.Equal(t, []string{"7"}, w.seen("p"))
}

// A lookup after a scan reads only the messages that it needs.
func TestTraces(t *testing.T) {
	w := newWorld(t)
	const messages = 100
	for n := range messages {
		w.publish(wal.Entry{Project: "p", Wire: wire(n, n+1)})
	}
	segment := w.join("p").Segments[0]
	look := func(n int, want int) float64 {
		before := w.messagesRead()
		spans, err := segment.Traces(t.Context(), []schema.TraceID{traceID(n)}, vec.AllColumns())
		require.NoError(t, err)
		require.Len(t, spans, want)
		for i := range spans {
			require.Equal(t, strconv.Itoa(n), spans[i].Name)
		}
		require.True(t, slices.IsSortedFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) }))
		return w.messagesRead() - before
	}
	require.EqualValues(t, messages, look(50, 2), "nothing is known yet")
	require.EqualValues(t, 2, look(50, 2))
	require.EqualValues(t, 1, look(0, 1))
	require.EqualValues(t, 1, look(messages, 1))
	require.EqualValues(t, 0, look(messages+1, 0))
}

// Which traces have pieces of spans is known without a scan, and of a scan without
// reading again.
func TestOpenTraces(t *testing.T) {
	w := newWorld(t)
	piece := func(n int) []byte {
		id := traceID(n)
		return otlp.AppendRequest(nil, []schema.Span{{
			TraceID: id, SpanID: schema.SpanID(id[8:]), Fragment: schema.FragmentUpdate,
			Resource: otlp.NewResource(), Scope: otlp.NewScope("", ""),
		}})
	}
	w.publish(wal.Entry{Project: "p", Wire: wire(1)}, wal.Entry{Project: "q", Wire: piece(7)})
	w.publish(wal.Entry{Project: "p", Wire: piece(3)}, wal.Entry{Project: "p", Wire: piece(2)})
	w.publish(wal.Entry{Project: "p", Wire: piece(3)})
	segment := w.join("p").Segments[0]
	for range 2 {
		open, err := segment.(engine.FragmentSource).OpenTraces(t.Context())
		require.NoError(t, err)
		require.Equal(t, []schema.TraceID{traceID(2), traceID(3)}, open)
		require.EqualValues(t, 3, w.messagesRead())
	}
}

// A large trace is read in pages, in the order of the log; nothing is held for
// whoever reads, but what it was given.
func TestTracePages(t *testing.T) {
	w := newWorld(t)
	const messages, size = 30, 512 << 10
	for n := range messages {
		w.publish(wal.Entry{Project: "p", Wire: wire(1, 100+n)}, wal.Entry{Project: "p", Wire: long(1, size)})
	}
	pager, ok := w.join("p").Segments[0].(interface {
		TracePages(ctx context.Context, id schema.TraceID) iter.Seq2[[]schema.Span, error]
	})
	require.True(t, ok)
	for range 2 { // without an index, and with one
		var order []uint64
		pages := 0
		for page, err := range pager.TracePages(t.Context(), traceID(1)) {
			require.NoError(t, err)
			pages++
			require.LessOrEqual(t, len(page), 2*(4<<20/size+1), "a few megabytes and a message")
			for i := range page {
				order = append(order, page[i].Position)
			}
			if pages > 1 {
				continue
			}
			all := make(chan error, 8)
			for range cap(all) { // as many reads as may go on at once
				go func() {
					_, err := names(t.Context(), w.join("p").Segments)
					all <- err
				}()
			}
			for range cap(all) {
				require.NoError(t, <-all)
			}
		}
		require.Len(t, order, 2*messages)
		require.True(t, slices.IsSorted(order))
		require.Equal(t, messages*size/(4<<20)+1, pages)
	}
	for page, err := range pager.TracePages(t.Context(), traceID(101)) {
		require.NoError(t, err)
		require.Len(t, page, 1)
	}
	for _, err := range pager.TracePages(t.Context(), traceID(1)) {
		require.NoError(t, err)
		break // it ends there
	}
	w.cut("p", 1, true)
	for _, err := range pager.TracePages(t.Context(), traceID(1)) {
		require.ErrorIs(t, err, catalog.ErrStale)
	}
}

// A claim's object is read in place of the value, once it is needed.
func TestClaims(t *testing.T) {
	w := newWorld(t)
	put := func(key string, entries ...wal.Entry) {
		require.NoError(t, w.bucket.Put(t.Context(), key, bytes.NewReader(wal.AppendPayload(nil, entries, false)), objstore.PutOptions{}))
	}
	put("claim", wal.Entry{Project: "p", Wire: wire(1)})
	w.publish(wal.Entry{Project: "p", Claim: "claim"}, wal.Entry{Project: "q", Wire: wire(2)})
	require.Equal(t, []string{"1"}, w.seen("p"))
	require.NoError(t, w.bucket.Delete(t.Context(), "claim"))
	require.Equal(t, []string{"2"}, w.seen("q"))
	_, err := names(t.Context(), w.join("p").Segments)
	require.ErrorIs(t, err, catalog.ErrStale)
	require.ErrorIs(t, err, objstore.ErrNotExist)
	put("claim", wal.Entry{Project: "q", Wire: wire(1)})
	_, err = names(t.Context(), w.join("p").Segments)
	require.ErrorIs(t, err, wal.ErrPayload, "another project's")
}

// What cannot be decoded has no rows, and takes nothing else with it.
func TestUndecodable(t *testing.T) {
	w := newWorld(t)
	_, err := w.log.Stream(0).Publish(t.Context(), []byte("garbage"), "")
	require.NoError(t, err)
	w.publish(wal.Entry{Project: "p", Wire: wire(1)}, wal.Entry{Project: "p", Wire: []byte("\xff")}, wal.Entry{Project: "p", Wire: wire(2)})
	require.Equal(t, []string{"1", "2"}, w.seen("p"))
}

// A log that was purged or lost between the join and the reading of it says so.
func TestStale(t *testing.T) {
	events := map[string]func(w *world){
		"purged": func(w *world) { w.cut("p", 1, true) },
		"lost":   func(w *world) { w.log.Lose(0) },
		"reset":  func(w *world) { w.log.Mem(0).DropFirst(1) },
	}
	for name, event := range events {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for n := range 3 {
				w.publish(wal.Entry{Project: "p", Wire: wire(n)})
			}
			joined := w.join("p")
			event(w)
			_, err := names(t.Context(), joined.Segments)
			require.ErrorIs(t, err, catalog.ErrStale)
			_, err = joined.Segments[0].Traces(t.Context(), []schema.TraceID{traceID(1)}, vec.AllColumns())
			require.ErrorIs(t, err, catalog.ErrStale)
		})
	}
}

// A reader that is not wanted any more gives its place back, as does one whose
// query is over.
func TestPlacesAreGivenBack(t *testing.T) {
	w := newWorld(t)
	for n := range 3 {
		w.publish(wal.Entry{Project: "p", Wire: wire(n)})
	}
	segment := w.join("p").Segments[0]
	for range 50 {
		for chunk, err := range segment.Scan(t.Context(), &vec.Filter{}, vec.AllColumns()) {
			require.NoError(t, err)
			require.Len(t, chunk, 1)
			break
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := names(ctx, []catalog.Segment{segment})
		require.ErrorIs(t, err, context.Canceled)
	}
	all, err := names(t.Context(), []catalog.Segment{segment})
	require.NoError(t, err)
	require.Equal(t, "0 1 2", strings.Join(all, " "))
}

func TestLogErrors(t *testing.T) {
	w := newWorld(t)
	w.publish(wal.Entry{Project: "p", Wire: wire(1)})
	joined := w.join("p")
	away := errors.New("away")
	w.log.Mem(0).SetFaults(logmem.Faults{Before: func(string) error { return away }})
	_, err := names(t.Context(), joined.Segments)
	require.ErrorIs(t, err, away)
	require.NotErrorIs(t, err, catalog.ErrStale)
	_, err = w.reader.Tail(t.Context(), "p", 0, 0)
	require.ErrorIs(t, err, away)
}

// TestFind: traces come by their ids, with the number of their rows: what sources say
// of one trace is put together in that order.
func TestFind(t *testing.T) {
	w := newWorld(t)
	const traces = 100
	var want []vec.Hit
	for n := range traces {
		numbers := slices.Repeat([]int{n}, 1+n%3)
		w.publish(wal.Entry{Project: "p", Wire: wire(append(numbers, traces-1-n)...)})
	}
	for n := range traces {
		want = append(want, vec.Hit{ID: traceID(n), Matched: 1 + n%3 + 1})
	}
	slices.SortFunc(want, func(a, b vec.Hit) int { return schema.CompareTraceIDs(a.ID, b.ID) })
	var got []vec.Hit
	for hits, err := range w.join("p").Segments[0].Find(t.Context(), &vec.Filter{}) {
		require.NoError(t, err)
		got = append(got, hits...)
	}
	require.Equal(t, want, got)
}
