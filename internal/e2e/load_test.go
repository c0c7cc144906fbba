package e2e_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/corpus"
)

const (
	loadQueriers = 50 // at once
	loadSenders  = 2
	loadHeavy    = 4 // queries of one project at once
	// loadBudgetBytes is what the settings allow one process: requests being
	// received, batches kept and being built, footers, pages and counts.
	loadBudgetBytes = (128 + 96 + 512 + 128 + 64 + 64) << 20
)

// loadQuery is a query of the mix.
type loadQuery struct{ path, query string }

func (q loadQuery) url() string {
	params := url.Values{
		"start": {strconv.Itoa(corpus.WorkloadStart / 1e9)}, "end": {strconv.Itoa(corpus.WorkloadStart/1e9 + 7200)},
	}
	if q.query != "" {
		params.Set("q", q.query)
	}
	return q.path + "?" + params.Encode()
}

// loadMix is what dashboards, editors and people ask for.
func loadMix() []loadQuery {
	return []loadQuery{
		{"/api/search", "{ status = error }"},
		{"/api/search", `{ span.gen_ai.request.model = "gpt-4o" && duration > 3s }`},
		{"/api/search", `{ span.url.full =~ ".*&session=77.*" }`},
		{"/api/search", "{ kind = server } > { kind = client && status = error }"},
		{"/api/search", `{ span.gen_ai.operation.name = "chat" } | avg(duration) > 5s`},
		{"/api/metrics/query_range", "{ } | rate() by (resource.service.name)"},
		{"/api/metrics/query_range", "{ kind = server } | quantile_over_time(duration, .5, .95)"},
		{"/api/metrics/query", "{ status = error } | count_over_time() by (name)"},
		{"/api/v2/search/tags", ""},
		{"/api/v2/search/tag/resource.service.name/values", ""},
		{"/api/v2/traces/0123456789abcdef0123456789abcdef", ""},
	}
}

// TestLoad asks fifty queries at once while spans arrive as fast as they are
// taken: none fails, and the memory stays within what the settings allow.
func TestLoad(t *testing.T) {
	p := startProcess(t, t.TempDir())
	c := newClient(t, p.ready(t))
	c.http.Transport.(*http.Transport).MaxIdleConnsPerHost = loadQueriers + loadSenders //nolint:forcetypeassert // newClient's
	var spans atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), *loadTime)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for i := range loadSenders {
		group.Go(func() error { return sendLoad(ctx, c, "", uint64(i), 1<<30, &spans) })
	}
	var mu sync.Mutex
	var times []time.Duration
	mix := loadMix()
	for i := range loadQueriers {
		group.Go(func() error {
			for n := i; ctx.Err() == nil; n++ {
				took, err := ask(ctx, c, "", mix[n%len(mix)])
				if err == nil {
					mu.Lock()
					times = append(times, took)
					mu.Unlock()
				} else if ctx.Err() == nil { // the time is not up
					return err
				}
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Zero(t, p.terminate(t))
	requireCalm(t, p.stderr.String())
	usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	cpu := p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
	t.Logf("%s: %d spans (%.0f/s), %d queries (%.0f/s), p50 %s, p99 %s, %s of CPU, at most %d MB of memory", *loadTime,
		spans.Load(), float64(spans.Load())/loadTime.Seconds(), len(times), float64(len(times))/loadTime.Seconds(),
		percentile(times, 50), percentile(times, 99), cpu.Round(time.Millisecond), usage.Maxrss>>10)
	require.Greater(t, len(times), loadQueriers)
	require.Positive(t, spans.Load())
	if !raceDetector {
		require.Less(t, usage.Maxrss<<10, int64(loadBudgetBytes))
	}
}

// TestFairness asks a quick query of one project, alone and while another
// project's heavy ones run all the time, and compares the medians. -load.ratio
// says how much larger the second one may be.
func TestFairness(t *testing.T) {
	p := startProcess(t, t.TempDir())
	c := newClient(t, p.ready(t))
	var spans atomic.Int64
	require.NoError(t, sendLoad(t.Context(), c, "heavy", 1, *loadSpans, &spans))
	require.NoError(t, sendLoad(t.Context(), c, "light", 2, *loadSpans/10, &spans))
	require.NoError(t, c.flush(t.Context()))
	light := loadQuery{"/api/search", "{ status = error }"}
	heavy := []loadQuery{
		{"/api/metrics/query_range", "{ } | compare({ status = error })"},
		{"/api/search", "{ } | sum(span.gen_ai.usage.input_tokens) > 20000"},
		{"/api/search", "{ } >> { status = error } | select(span.http.route, name)"},
	}
	alone := lightTimes(t, c, light)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	var asked atomic.Int64
	for i := range loadHeavy {
		group.Go(func() error {
			for n := i; ctx.Err() == nil; n++ {
				if _, err := ask(ctx, c, "heavy", heavy[n%len(heavy)]); err != nil && ctx.Err() == nil {
					return err
				}
				asked.Add(1)
			}
			return nil
		})
	}
	beside := lightTimes(t, c, light)
	cancel()
	require.NoError(t, group.Wait())
	require.Positive(t, asked.Load())
	ratio := float64(percentile(beside, 50)) / float64(percentile(alone, 50))
	t.Logf("alone p50 %s, p99 %s; beside %d heavy queries of another project p50 %s, p99 %s: %.2f times", percentile(alone, 50),
		percentile(alone, 99), asked.Load(), percentile(beside, 50), percentile(beside, 99), ratio)
	if *loadRatio > 0 {
		require.Less(t, ratio, *loadRatio)
	}
}

// lightTimes asks one query after the other.
func lightTimes(t *testing.T, c *client, q loadQuery) (times []time.Duration) {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < *loadTime || len(times) < 10; {
		took, err := ask(t.Context(), c, "light", q)
		require.NoError(t, err)
		times = append(times, took)
	}
	return times
}

// ask is how long a query takes. One that is refused or fails is an error.
func ask(ctx context.Context, c *client, project string, q loadQuery) (time.Duration, error) {
	begun := time.Now()
	got, err := c.get(ctx, project, q.url())
	if err == nil && got.status != http.StatusOK {
		err = fmt.Errorf("%s %s was answered with %d %s", q.path, q.query, got.status, got.body)
	}
	return time.Since(begun), err
}

// sendLoad sends so many spans of the corpus's mix, or until ctx ends.
func sendLoad(ctx context.Context, c *client, project string, seed uint64, count int, sent *atomic.Int64) error {
	const each = 500_000 // spans of one seed
	for ; count > 0; seed += loadSenders {
		for body := range corpus.Workload(seed, min(count, each), corpus.MixBoth) {
			err := c.export(ctx, request{protocol: corpus.HTTPProtobuf, project: project, body: body})
			switch {
			case err == nil:
				sent.Add(spansIn(body))
			case ctx.Err() == nil: // the time is not up
				return err
			default:
				return nil
			}
		}
		count -= each
	}
	return nil
}

// spansIn counts the spans of a request, by field numbers: decoding takes longer
// than the server does.
func spansIn(traces []byte) (n int64) {
	const resourceSpans, scopeSpans, spans = 1, 2, 2
	for r := range fieldsOf(traces, resourceSpans) {
		for s := range fieldsOf(r, scopeSpans) {
			for range fieldsOf(s, spans) {
				n++
			}
		}
	}
	return n
}

// fieldsOf yields the messages in a field of a message that is well formed.
func fieldsOf(message []byte, number protowire.Number) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(message) > 0 {
			num, typ, n := protowire.ConsumeTag(message)
			if n < 0 {
				return
			}
			message = message[n:]
			if n = protowire.ConsumeFieldValue(num, typ, message); n < 0 {
				return
			}
			if body, _ := protowire.ConsumeBytes(message); num == number && typ == protowire.BytesType && !yield(body) {
				return
			}
			message = message[n:]
		}
	}
}

// percentile is the time within which so many of a hundred were done.
func percentile(times []time.Duration, p int) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)*p/100, len(sorted)-1)].Round(10 * time.Microsecond)
}
