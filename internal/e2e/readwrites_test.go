package e2e_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

const (
	// writes is how often TestReadYourWrites sends a span.
	writes = 200 + 800/thinning
	// writers send at the same time, two in each project.
	writers = 4
	// spansPerTrace is how many sends in a row make up a trace, so that most
	// traces are cut apart.
	spansPerTrace = 4
)

// TestReadYourWrites sends spans one by one and looks for each at once, by id
// and by search, while batches are cut by size and, continuously, by flushes,
// and blocks take the place of memory. A trace must always have all spans that
// were acknowledged, each once.
func TestReadYourWrites(t *testing.T) {
	for _, tc := range []struct {
		name, memory string
		writes       int
	}{
		{"batches are forgotten when stored", fromBlocks, writes},
		{"batches stay for a while", "-ingester.live-age=100ms", writes / 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, start starter, short bool) {
				t.Helper()
				n := tc.writes
				if short {
					n /= 10
				}
				testReadYourWrites(t, start(tc.memory, "-ingester.cut-bytes=2KB", "-querier.cache-bytes=1GB"), n)
			})
		})
	}
}

func testReadYourWrites(t *testing.T, s *server, writes int) {
	t.Helper()
	written := make([]*writer, writers)
	group, ctx := errgroup.WithContext(t.Context())
	for i := range written {
		w := newWriter(s.client, uint64(i))
		written[i] = w
		group.Go(func() error { return w.run(ctx, writes/writers) })
	}
	flushing, stop := context.WithCancel(ctx)
	flushed := make(chan error, 1)
	go func() { flushed <- flushUntil(flushing, s.client) }()
	err := group.Wait()
	stop()
	require.NoError(t, errors.Join(err, <-flushed))

	readAll := func() {
		t.Helper()
		for _, w := range written {
			require.NoError(t, w.readAll(t.Context()))
		}
	}
	readAll()
	for s.blocksOpened(t) == 0 { // what is stored may stay in memory for a moment
		readAll()
	}
}

// flushUntil cuts all partitions again and again until ctx ends.
func flushUntil(ctx context.Context, c *client) error {
	for ctx.Err() == nil {
		if err := c.flush(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// writer sends spans of traces of its own.
type writer struct {
	client  *client
	project string
	random  *rand.Rand
	begin   time.Time // of its first trace
	traces  []*writtenTrace
}

// writtenTrace is what was acknowledged of a trace.
type writtenTrace struct {
	id    []byte
	start time.Time
	spans []fullSpan // sorted
}

// traceTime keeps the traces of a writer so far apart that a search for one
// leaves out the blocks of most others.
const traceTime = 10 * time.Second

func newWriter(c *client, number uint64) *writer {
	return &writer{
		client: c, project: fmt.Sprintf("project-%d", number%2), random: rand.New(rand.NewPCG(number, 1)),
		begin: time.Unix(1_700_000_000, 0).Add(time.Duration(number) * 24 * time.Hour), //nolint:gosec // a small number
	}
}

// run sends n spans and looks for each.
func (w *writer) run(ctx context.Context, n int) error {
	for i := range n {
		if i%spansPerTrace == 0 {
			w.traces = append(w.traces, &writtenTrace{
				id: randomID(w.random, 16), start: w.begin.Add(time.Duration(i) * traceTime),
			})
		}
		trace := w.traces[len(w.traces)-1]
		err := w.write(ctx, trace)
		if err == nil {
			err = w.read(ctx, trace, forms()[i%len(forms())])
		}
		if err != nil {
			return fmt.Errorf("%s, span %d: %w", w.project, i, err)
		}
	}
	return nil
}

// write sends one more span of the trace.
func (w *writer) write(ctx context.Context, trace *writtenTrace) error {
	data := exportOf(randomSpan(w.random, trace.id, trace.start))
	r, err := randomRequest(w.random, w.project, data)
	if err != nil {
		return err
	}
	if err := w.client.export(ctx, r); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	rs := data.GetResourceSpans()[0]
	full, err := newFullSpan(rs, rs.GetScopeSpans()[0], rs.GetScopeSpans()[0].GetSpans()[0])
	trace.spans = append(trace.spans, full)
	slices.Sort(trace.spans)
	return err
}

// read looks for the trace by id and by two searches, one that names it and
// one that finds it by its time.
func (w *writer) read(ctx context.Context, trace *writtenTrace, f form) error {
	id := hex.EncodeToString(trace.id)
	data, err := w.client.trace(ctx, w.project, f, id)
	if err != nil {
		return err
	}
	got, err := spansByTrace(data)
	if err != nil {
		return err
	}
	if faults := differ(trace.spans, got[id]); faults != "" || len(got) > 1 {
		return fmt.Errorf("%s finds %d traces: %s", f, len(got), faults)
	}
	within := seconds{trace.start.Unix(), trace.start.Unix() + 1}
	for _, query := range []string{fmt.Sprintf("{ trace:id = %q }", id), `{ resource.service.name = "shop" }`} {
		found, err := w.client.search(ctx, w.project, query, within)
		if err != nil {
			return err
		}
		if len(found) != 1 || found[0].TraceID != id || int(found[0].SpanSet.Matched) != len(trace.spans) {
			return fmt.Errorf("%s finds %+v, want %d spans of trace %s", query, found, len(trace.spans), id)
		}
	}
	return nil
}

func (w *writer) readAll(ctx context.Context) error {
	for _, trace := range w.traces {
		if err := w.read(ctx, trace, form{"v2", acceptProtobuf}); err != nil {
			return fmt.Errorf("at the end: %w", err)
		}
	}
	return nil
}
