package querier_test

import (
	"bytes"
	"context"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wire/workers"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// whole answers in one job, inParts in many.
func whole() querier.Config   { return querier.Config{JobSpans: 1 << 40} }
func inParts() querier.Config { return querier.Config{JobSpans: 120, QueryJobs: 4} }

// The answer does not depend on where it comes from.
func TestSharedAnswers(t *testing.T) {
	c := newCluster(t)
	require.Greater(t, c.live, 100)
	for range 3 {
		c.work(c.querier(inParts()).Work)
	}
	one, parts, shared := c.querier(whole()), c.querier(inParts()), c.asker(inParts())
	for _, path := range clusterQueries() {
		want := one.found(path)
		require.Equal(t, want, parts.found(path), path)
		require.Equal(t, want, shared.found(path), path)
	}
	require.Greater(t, parts.jobs("here", "done"), 5*len(clusterQueries()))
	require.Equal(t, parts.jobs("here", "done"), shared.jobs("elsewhere", "done"))
	require.Zero(t, shared.jobs("here", "done"))
	require.Zero(t, shared.jobs("elsewhere", "failed"))
}

// keptSince keeps what ends from a time on, whenever it is asked.
type keptSince struct{ oldest time.Time }

func (k keptSince) Project(id schema.ProjectID) (project.Project, error) {
	return project.Project{ID: id, Retention: project.Retention(time.Since(k.oldest))}, nil
}

func (keptSince) Prices(schema.ProjectID) *price.Table { return price.Shipped() }

// What has expired for who asks has expired for who answers.
func TestSharedRetention(t *testing.T) {
	c := newCluster(t)
	free := c.querier(whole())
	// A retention is counted back from a time a little after keptSince has looked at the
	// clock: nothing may end in between.
	slices.Sort(c.ends)
	var oldest, pause uint64
	for i := len(c.ends) / 4; i < len(c.ends)*3/4; i++ {
		if c.ends[i+1]-c.ends[i] > pause {
			oldest, pause = c.ends[i]+1, c.ends[i+1]-c.ends[i]
		}
	}
	t.Logf("nothing ends for %s", time.Duration(pause))
	for range 2 {
		c.work(free.Work) // what is set for workers does not matter
	}
	c.projects = keptSince{time.Unix(0, int64(oldest))}
	one, parts, shared := c.querier(whole()), c.querier(inParts()), c.asker(inParts())
	less := 0
	for _, path := range clusterQueries() {
		want := one.found(path)
		require.Equal(t, want, parts.found(path), path)
		require.Equal(t, want, shared.found(path), path)
		if want != free.found(path) {
			less++
		}
	}
	require.Greater(t, less, len(clusterQueries())/2)
	require.Positive(t, shared.jobs("elsewhere", "done"))
}

// When a worker ends in the middle of a query, others do its part.
func TestWorkerIsKilled(t *testing.T) {
	c := newCluster(t)
	for range 2 {
		c.work(c.querier(inParts()).Work)
	}
	begun, killed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	kill := c.work(func(ctx context.Context, job []byte) []byte {
		if len(job) > 0 {
			once.Do(func() { close(begun) })
			<-ctx.Done()
		}
		return nil
	})
	cfg := inParts()
	cfg.HedgeAfter = time.Hour // it is not because it is slow
	shared := c.asker(cfg)
	path := clusterQueries()[0]
	want := c.querier(whole()).found(path)
	go func() {
		defer close(killed)
		<-begun
		kill()
	}()
	for isKilled := false; !isKilled; { // which of the workers gets a job is chance
		require.Equal(t, want, shared.found(path))
		select {
		case <-killed:
			isKilled = true
		default:
		}
	}
	require.Positive(t, shared.counter("spanlake_querier_jobs_returned_total"))
}

// A worker that is there but does not get on does not hold up a query.
func TestSlowWorkerIsOvertaken(t *testing.T) {
	c := newCluster(t)
	cfg := inParts()
	cfg.HedgeAfter = 50 * time.Millisecond
	c.work(c.querier(cfg).Work)
	var stuck, released atomic.Int32
	c.work(func(ctx context.Context, job []byte) []byte {
		if len(job) > 0 {
			stuck.Add(1)
			<-ctx.Done()
			released.Add(1)
		}
		return nil
	})
	shared := c.asker(cfg)
	one := c.querier(whole())
	for _, path := range clusterQueries()[:4] {
		require.Equal(t, one.found(path), shared.found(path), path)
	}
	require.Positive(t, stuck.Load())
	require.Positive(t, shared.counter("spanlake_querier_jobs_hedged_total"))
	require.Eventually(t, func() bool { return stuck.Load() == released.Load() }, time.Minute, time.Millisecond, "what is unwanted ends")
}

// A client that goes away ends the work of all.
func TestUnwantedWorkEnds(t *testing.T) {
	c := newCluster(t)
	begun, ended := make(chan time.Time, 100), make(chan time.Time, 100)
	c.work(func(ctx context.Context, job []byte) []byte {
		if len(job) > 0 {
			begun <- time.Now()
			<-ctx.Done()
			ended <- time.Now()
		}
		return nil
	})
	shared := c.asker(inParts())
	ctx, cancel := context.WithCancel(t.Context())
	answered := make(chan answer)
	go func() { answered <- shared.get(ctx, clusterQueries()[0]) }()
	<-begun
	at := time.Now()
	cancel()
	require.Equal(t, 499, (<-answered).status)
	t.Log("stopped after", (<-ended).Sub(at))
}

// A worker says what is wrong with a query as this process would.
func TestSharedLimits(t *testing.T) {
	c := newCluster(t)
	c.work(c.querier(inParts()).Work)
	for _, test := range []struct {
		name string
		set  func(*querier.Config)
		path string
		want string
	}{
		{"groups", func(cfg *querier.Config) { cfg.MaxMetricsGroups = 3 }, "/api/metrics/query_range", "querier.max-metrics-groups"},
		{"memory", func(cfg *querier.Config) { cfg.MaxMetricsBytes = 3000 }, "/api/metrics/query_range", "querier.max-metrics-bytes"},
		{"bytes", func(cfg *querier.Config) { cfg.MaxReadBytes = 1000 }, "/api/search", "querier.max-read-bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := inParts()
			test.set(&cfg)
			shared := c.asker(cfg)
			query := "{ }"
			if test.path != "/api/search" {
				query = "{ } | rate() by (name)"
			}
			a := shared.get(t.Context(), test.path+"?start=1768471200&end=1768478400&q="+url.QueryEscape(query))
			require.Equal(t, 422, a.status, a.body)
			require.Contains(t, a.body, test.want)
			require.Positive(t, shared.jobs("elsewhere", "failed"))
			require.Zero(t, shared.jobs("here", "failed"), "nobody is asked again")
		})
	}
}

// Without workers, or with work that no message can hold, a querier does it itself.
func TestNobodyToShareWith(t *testing.T) {
	c := newCluster(t)
	p := c.pool()
	defer p.Close()
	alone := c.querier(inParts())
	alone.ShareWith(p, 2)
	path := clusterQueries()[0]
	require.Equal(t, c.querier(whole()).found(path), alone.found(path))
	require.Positive(t, alone.jobs("here", "done"))
	require.Zero(t, alone.jobs("elsewhere", "done"))
}

// What has fewer jobs than are worth it is done here.
func TestFewJobsAreNotShared(t *testing.T) {
	c := newCluster(t)
	c.work(c.querier(inParts()).Work)
	shared := c.asker(inParts())
	path := clusterQueries()[0]
	want := shared.found(path)
	count := shared.jobs("elsewhere", "done")
	require.Greater(t, count, 2)
	for from, elsewhere := range map[int]int{count: count, count + 1: 0} {
		q, p := c.querier(inParts()), c.pool()
		t.Cleanup(p.Close)
		q.ShareWith(p, from)
		require.Equal(t, want, q.found(path))
		require.Equal(t, elsewhere, q.jobs("elsewhere", "done"))
		require.Equal(t, count-elsewhere, q.jobs("here", "done"))
	}
}

// A block that is merged away under a query makes only its partition begin anew,
// whoever reads it.
func TestBlockMergedAwayUnderAJob(t *testing.T) {
	for name, share := range map[string]bool{"here": false, "elsewhere": true} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t)
			path := clusterQueries()[0]
			want := c.querier(whole()).found(path)
			plain := c.bucket
			v := &vanishing{Bucket: plain}
			c.bucket = v
			gone := c.blocks[len(c.blocks)/2]
			v.onGet = func() {
				data, _, err := plain.Get(t.Context(), gone.Key(), objstore.GetOptions{})
				require.NoError(t, err)
				merged := gone
				merged.Level = 1
				require.NoError(t, plain.Put(t.Context(), merged.Key(), bytes.NewReader(data), objstore.PutOptions{}))
				require.NoError(t, plain.Delete(t.Context(), gone.Key()))
			}
			q := c.querier(inParts())
			if share {
				c.work(c.querier(inParts()).Work)
				q = c.asker(inParts())
			}
			require.Equal(t, want, q.found(path))
			require.EqualValues(t, 1, q.counter("spanlake_querier_retries_total"))
		})
	}
}

// What is acknowledged while a query is on its way to a worker counts, too; what
// was before it must.
func TestSharedReadYourWrites(t *testing.T) {
	c := newCluster(t)
	c.work(c.querier(inParts()).Work)
	shared := c.asker(inParts())
	path := "/api/search?start=1768471200&end=1768478400&q=" + url.QueryEscape(`{ name = "written" }`)
	require.Contains(t, shared.found(path), `"traces": []`)
	for i := range 20 {
		rows := []schema.Span{{
			TraceID: schema.TraceID{byte(i + 1)}, SpanID: schema.SpanID{1}, Name: "written",
			StartNanos: 1_768_471_300e9, EndNanos: 1_768_471_301e9, Resource: &schema.Resource{}, Scope: &schema.Scope{},
		}}
		c.publishRows(rows)
		require.Contains(t, shared.found(path), rows[0].TraceID.String())
	}
	require.Positive(t, shared.jobs("elsewhere", "done"))
}

// A project that asks too much at once is told so; others are not.
func TestTooManyJobs(t *testing.T) {
	c := newCluster(t)
	cfg := inParts()
	cfg.MaxJobs, cfg.MaxWaitingJobs, cfg.QueryJobs = 2, 1, 4
	q := c.querier(cfg)
	a := q.get(t.Context(), clusterQueries()[0])
	require.Equal(t, 429, a.status, a.body)
	require.Contains(t, a.body, "querier.max-waiting-jobs")
	cfg.MaxWaitingJobs = 3
	require.Equal(t, 200, c.querier(cfg).get(t.Context(), clusterQueries()[0]).status)
}

var _ querier.Workers = (*workers.Pool)(nil)
