package e2e_test

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/schema"
)

// compactTime is how long TestCompactionCost sends spans, as fast as they are taken.
var compactTime = flag.Duration("compact.time", 3*time.Second, "how long TestCompactionCost sends spans, twice")

// maxCostSpans is what it sends at most.
const maxCostSpans = 3_000_000

// compactionCost is what a process has used for the spans that it was sent.
type compactionCost struct {
	spans                 int64
	cpu                   time.Duration
	bytes, stored, merged int64 // at rest; written as batches were stored, and by merges
	memory                int64
}

// TestCompactionCost sends the same kind of spans to a single process without merging
// and to one that merges them through all levels of a small tree of windows, and says
// what the difference is.
func TestCompactionCost(t *testing.T) {
	without, with := costOf(t, "-compactor.enabled=false"), costOf(t, "-compactor.enabled")
	each := func(c compactionCost, n int64) float64 { return float64(n) / float64(c.spans) }
	for name, c := range map[string]compactionCost{"without merging": without, "with merging": with} {
		t.Logf("%s: %d spans, %.1f CPU s per million, %.1f bytes per span, at most %d MB of memory", name, c.spans,
			each(c, c.cpu.Microseconds()), each(c, c.bytes), c.memory>>20)
	}
	amplification := float64(with.stored+with.merged) / float64(with.stored)
	t.Logf("with/without: CPU %.2f, bytes %.2f; write amplification %.2f", each(with, with.cpu.Microseconds())/each(without, without.cpu.Microseconds()),
		each(with, with.bytes)/each(without, without.bytes), amplification)
	require.Less(t, each(with, with.bytes), each(without, without.bytes))
	require.Greater(t, amplification, 1.0)
	require.LessOrEqual(t, amplification, 4.0, "each span is in one block of each of three levels at most")
}

// costOf runs a process until all is merged that it merges.
func costOf(t *testing.T, merging string) (c compactionCost) {
	t.Helper()
	const windows, largest = "1s,2s,4s", 4 * time.Second
	dir := t.TempDir()
	w := &compactionWorld{t: t, bucket: inFolder(filepath.Join(dir, "bucket")).open(t)}
	p := startProcess(t, dir, merging, "-log.merge-windows="+windows, "-ingester.cut-bytes=1MiB", "-compactor.interval=200ms",
		"-compactor.min-inputs=4", "-compactor.grace=1s", "-compactor.delete-after=1s")
	client := newClient(t, p.ready(t))
	begun := time.Now()
	for body := range corpus.Workload(1, maxCostSpans, corpus.MixBoth) {
		require.NoError(t, client.export(t.Context(), request{protocol: corpus.HTTPProtobuf, body: body}))
		if c.spans += spansIn(body); time.Since(begun) > *compactTime {
			break
		}
	}
	require.NoError(t, client.flush(t.Context()))
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	merges := strings.HasSuffix(merging, "enabled")
	eventually(t, func() bool {
		<-ticker.C
		return !merges || !w.mergeableIn(t.Context(), largest)
	})
	names, err := w.names(t.Context())
	require.NoError(t, err)
	require.Equal(t, merges, slices.ContainsFunc(names, func(n schema.BlockName) bool { return n.Level == 3 }))
	sum := uint64(0)
	for _, n := range names {
		sum += n.Spans
		info, err := w.bucket.Stat(t.Context(), n.Key())
		require.NoError(t, err)
		c.bytes += info.Size
	}
	require.EqualValues(t, c.spans, sum, "every span is in one block")
	c.stored = int64(client.metric(t, `spanlake_builder_stored_bytes_total{project="default"}`))
	if merges {
		c.merged = int64(client.metric(t, "spanlake_compactor_merged_written_bytes_total"))
	}
	require.Zero(t, p.terminate(t))
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	c.memory = usage.Maxrss << 10
	c.cpu = p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	return c
}
