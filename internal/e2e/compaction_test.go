package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// compactRounds is how long TestCompaction sends spans.
var compactRounds = flag.Int("compact.rounds", 40, "how often TestCompaction at least sends spans and counts; with 600 and more the windows are 2, 10 and 60 s")

// longCompaction is from which on the windows have the size of issue 7.
const longCompaction = 600

// TestCompaction sends spans to an ingester while two compactors, killed again and
// again, merge blocks through all levels and delete what they have merged. After
// each acknowledgement a metrics query must count every span once.
func TestCompaction(t *testing.T) {
	t.Run("S3", func(t *testing.T) { testCompaction(t, onS3(t)) })
	if !*full {
		return
	}
	t.Run("folder", func(t *testing.T) {
		testCompaction(t, inFolder(filepath.Join(t.TempDir(), "bucket")))
	})
}

func testCompaction(t *testing.T, where place) {
	t.Helper()
	w := newCompactionWorld(t, where)
	for i := range w.compactors {
		w.compactors[i] = w.launchCompactor()
	}
	defer func() { t.Logf("%d spans were sent, a compactor was killed %d times", w.sent, w.kills) }()
	begun := time.Now()
	for round := 0; round < *compactRounds || time.Since(begun) < largestWindow(t); round++ {
		w.send()
		w.count()
		if w.random.IntN(5) == 0 {
			w.trouble(round)
		}
	}
	w.settle()
	w.count()
	for i := range w.compactors {
		if w.compactors[i] != nil {
			require.Zero(t, w.compactors[i].terminate(t))
		}
	}
	run := func(args ...string) string {
		p := runProcess(t, where.env, buildProgram(t), args...)
		<-p.exited
		require.Zero(t, p.cmd.ProcessState.ExitCode(), p.stderr)
		return p.stdout.String()
	}
	run("blocks", "verify", w.shared()[0])
	out := run(append([]string{"compact", "-once"}, w.shared()...)...)
	require.Contains(t, out, "Nothing to do.")
	w.count()
}

// compactionWorld is a NATS server, an ingester, a querier and up to two
// compactors.
type compactionWorld struct {
	t          *testing.T
	random     *rand.Rand
	place      place
	nats       *natsServer
	bucket     objstore.Bucket
	ingester   *client
	querier    *client
	compactors [2]*process // nil: killed
	start      time.Time   // of the spans
	sent       int
	kills      int
}

func newCompactionWorld(t *testing.T, where place) *compactionWorld {
	t.Helper()
	w := &compactionWorld{
		t: t, random: rand.New(rand.NewPCG(1, 2)), place: where, bucket: where.open(t),
		nats: newNATS(t, filepath.Join(t.TempDir(), "nats"), false), start: time.Unix(1_700_000_000, 0),
	}
	w.nats.run()
	ingester := w.launch("ingester", "-log.partitions=2", "-log.merge-windows="+mergeWindows(), "-ingester.cut-age=150ms", fromBlocks)
	w.ingester = newClient(t, ingester.ready(t))
	querier := w.launch("querier", "-querier.cache-bytes=1GB", fromBlocks)
	w.querier = newClient(t, querier.ready(t))
	return w
}

// largestWindow is how long spans have to be sent, however fast: then blocks of
// several smaller windows lie in one of the largest.
func largestWindow(t *testing.T) time.Duration {
	t.Helper()
	windows := strings.Split(mergeWindows(), ",")
	largest, err := time.ParseDuration(windows[len(windows)-1])
	require.NoError(t, err)
	return largest
}

func mergeWindows() string {
	if *compactRounds >= longCompaction {
		return "2s,10s,1m"
	}
	return "1s,2s,6s"
}

// shared are the flags of every process.
func (w *compactionWorld) shared() []string {
	return []string{
		"-bucket=" + w.place.url, "-nats.url=" + w.nats.url, "-nats.monitor-urls=" + w.nats.monitor,
		"-compactor.interval=100ms", "-compactor.min-inputs=2", "-compactor.grace=1s", "-compactor.delete-after=3s",
	}
}

func (w *compactionWorld) launch(target string, args ...string) *process {
	args = append(append(append(loopback(), "-target="+target), w.shared()...), args...)
	return runProcess(w.t, w.place.env, buildProgram(w.t), args...)
}

func (w *compactionWorld) launchCompactor() *process { return w.launch("compactor") }

// send sends some spans of several traces, some of them twice.
func (w *compactionWorld) send() {
	for range 4 {
		id := randomID(w.random, 16)
		n := 1 + w.random.IntN(6)
		data := exportOf()
		for range n {
			more := exportOf(randomSpan(w.random, id, w.start))
			data.ResourceSpans = append(data.ResourceSpans, more.GetResourceSpans()...)
		}
		r, err := randomRequest(w.random, "shop", data)
		require.NoError(w.t, err)
		for range 1 + w.random.IntN(4)/3 {
			require.NoError(w.t, w.ingester.export(w.t.Context(), r))
		}
		w.sent += n
	}
}

// count counts all spans by a metrics query.
func (w *compactionWorld) count() {
	w.t.Helper()
	requireCount(w.t, w.querier, w.start, w.sent)
}

// requireCount counts all spans of the project shop that lie an hour around a time,
// by a metrics query.
func requireCount(t *testing.T, querier *client, at time.Time, want int) {
	t.Helper()
	got, err := querier.get(t.Context(), "shop", metricsPath+"?"+countAround(at))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	requireCounted(t, got.body, want)
}

const metricsPath = "/api/metrics/query"

// countAround are the parameters of a query that counts all spans of an hour around a
// time.
func countAround(at time.Time) string {
	second := func(off int64) []string { return []string{strconv.FormatInt(at.Unix()+off, 10)} }
	return url.Values{"q": {"{} | count_over_time()"}, "start": second(-3600), "end": second(3600)}.Encode()
}

func requireCounted(t *testing.T, body []byte, want int) {
	t.Helper()
	var reply seriesReply
	require.NoError(t, json.Unmarshal(body, &reply))
	require.Len(t, reply.Series, 1)
	require.InDelta(t, want, reply.Series[0].Value, 0)
}

// trouble kills a compactor, or starts one that was killed.
func (w *compactionWorld) trouble(round int) {
	p := &w.compactors[round%len(w.compactors)]
	if *p == nil {
		*p = w.launchCompactor()
		return
	}
	(*p).kill()
	*p = nil
	w.kills++
}

// settle waits until every partition's spans lie in blocks of the last level, and
// all that these cover is gone.
func (w *compactionWorld) settle() {
	w.t.Helper()
	for i := range w.compactors {
		if w.compactors[i] == nil {
			w.compactors[i] = w.launchCompactor()
		}
	}
	require.NoError(w.t, w.ingester.flush(w.t.Context()))
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	eventually(w.t, func() bool {
		<-ticker.C
		return !w.mergeable(w.t.Context())
	})
	names, err := w.names(w.t.Context())
	require.NoError(w.t, err)
	require.True(w.t, slices.ContainsFunc(names, func(n schema.BlockName) bool { return n.Level == 3 }), "no block of the last level")
}

func (w *compactionWorld) names(ctx context.Context) ([]schema.BlockName, error) {
	return blockNames(ctx, w.bucket)
}

// blockNames lists all blocks.
func blockNames(ctx context.Context, bucket objstore.Bucket) (names []schema.BlockName, err error) {
	for o, err := range bucket.List(ctx, objstore.ListOptions{Prefix: schema.BlocksPrefix}) {
		if err != nil {
			return nil, err
		}
		n, err := schema.ParseBlockName(o.Key)
		if err != nil {
			return nil, errors.Join(err, errors.New(o.Key))
		}
		names = append(names, n)
	}
	return names, nil
}

// mergeable reports whether there is a covered block, or two of one partition in
// one of the largest windows.
func (w *compactionWorld) mergeable(ctx context.Context) bool {
	return w.mergeableIn(ctx, largestWindow(w.t))
}

func (w *compactionWorld) mergeableIn(ctx context.Context, largest time.Duration) bool {
	names, err := w.names(ctx)
	require.NoError(w.t, err)
	if len(schema.Visible(names)) < len(names) {
		return true
	}
	seen := map[[2]uint64]bool{}
	for _, n := range names {
		key := [2]uint64{uint64(n.Partition), n.LogNanos / uint64(largest)}
		if seen[key] {
			return true
		}
		seen[key] = true
	}
	return false
}
