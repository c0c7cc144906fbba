package querier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/catalog/tail"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/objstore"
	bucketmem "github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/embedded"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/internal/wire/workers"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// cluster is a log, a bucket and a NATS server for several queriers.
type cluster struct {
	t      testing.TB
	log    *logmem.Log
	bucket objstore.Bucket
	server *embedded.Server
	blocks []schema.BlockName
	live   int // spans that are in the log only
	ends   []uint64

	projects querier.Projects
	erasures querier.Erasures // nil: none
}

const clusterPartitions = 4

func emptyCluster(t testing.TB) *cluster {
	t.Helper()
	c := &cluster{t: t, log: logmem.New(logmem.Options{Partitions: clusterPartitions}), bucket: bucketmem.New(), projects: new(settings)}
	t.Cleanup(c.log.Close)
	return c
}

// newCluster holds a workload, of which each span is in one of many blocks, of
// logs with two and with four partitions, or in the log only; some are in two.
func newCluster(t testing.TB) *cluster {
	t.Helper()
	c := emptyCluster(t)
	var requests [][]schema.Span
	decoder := otlp.NewDecoder()
	for wire := range corpus.Workload(3, 1200, corpus.MixBoth) {
		rows, err := decoder.Decode(wire, uint64(len(requests)+1), nil)
		require.NoError(t, err)
		requests = append(requests, rows)
		for _, row := range rows {
			c.ends = append(c.ends, row.EndNanos)
		}
	}
	n := len(requests)
	const perBlock = 5
	for i := 0; i < n*8/10; i += perBlock {
		rows := slices.Concat(requests[i:min(i+perBlock, n*8/10)]...)
		if i/perBlock%4 == 1 {
			rows = append(rows, requests[i-1]...) // delivered twice
		}
		if i < n/5 {
			c.storeParts(rows, clusterPartitions/2)
		} else {
			c.storeParts(rows, clusterPartitions)
		}
	}
	for _, rows := range requests[n*8/10:] {
		c.publishRows(rows)
		c.live += len(rows)
	}
	return c
}

// publishRows writes rows into the log.
func (c *cluster) publishRows(rows []schema.Span) {
	c.t.Helper()
	for p := range clusterPartitions {
		if own := ofPartition(rows, p, clusterPartitions); len(own) > 0 {
			entry := wal.Entry{Project: schema.DefaultProject, Wire: otlp.AppendTraces(nil, own)}
			c.publish(p, wal.AppendPayload(nil, []wal.Entry{entry}, false))
		}
	}
}

func ofPartition(rows []schema.Span, p, count int) (own []schema.Span) {
	for _, row := range rows {
		if row.TraceID.Partition(count) == p {
			own = append(own, row)
		}
	}
	return own
}

func (c *cluster) publish(p int, payload []byte) uint64 {
	c.t.Helper()
	position, err := c.log.Stream(p).Publish(c.t.Context(), payload, "")
	require.NoError(c.t, err)
	return position
}

// storeParts writes a block for each of count partitions.
func (c *cluster) storeParts(rows []schema.Span, count int) {
	c.t.Helper()
	for p := range count {
		own := ofPartition(rows, p, count)
		if len(own) == 0 {
			continue
		}
		slices.SortStableFunc(own, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		object, err := block.Encode(schema.DefaultProject, own)
		require.NoError(c.t, err)
		position := c.publish(p, wal.CutMarker())
		name := schema.BlockName{
			Project: schema.DefaultProject, Partition: p, Partitions: count, Epoch: c.log.Stream(p).Epoch(),
			First: position, Last: position, LogNanos: corpus.WorkloadStart, MinStart: object.MinStart, MaxEnd: object.MaxEnd,
			Spans: uint64(object.Spans), TailBytes: uint64(object.TailBytes),
		}
		require.NoError(c.t, c.bucket.Put(c.t.Context(), name.Key(), bytes.NewReader(object.Data), objstore.PutOptions{}))
		require.NoError(c.t, c.log.Stream(p).Purge(c.t.Context(), position))
		c.blocks = append(c.blocks, name)
	}
}

// member is a querier of a cluster.
type member struct {
	*querier.Querier

	t   testing.TB
	reg *prometheus.Registry
}

// querier is a new one, which shares its work with nobody.
func (c *cluster) querier(cfg querier.Config) *member {
	c.t.Helper()
	cfg.Timeout, cfg.Concurrency, cfg.CacheBytes, cfg.SearchMargin = time.Minute, 4, 16<<20, time.Hour
	cfg = withJobs(cfg)
	require.NoError(c.t, cfg.Validate())
	logger, reg := slog.New(slog.DiscardHandler), prometheus.NewRegistry()
	q := querier.New(cfg, catalog.New(c.bucket, c.log, logger, reg), tail.New(c.log, c.bucket, llm.ShippedTables, reg), c.projects, c.erasures, c.bucket, clusterPartitions,
		querier.BuildInfo{Version: "1"}, logger, reg)
	return &member{q, c.t, reg}
}

// pool is a connection to the cluster's NATS server, which a first one starts.
func (c *cluster) pool() *workers.Pool {
	c.t.Helper()
	if c.server == nil {
		var err error
		c.server, err = embedded.Start(embedded.Options{Dir: c.t.TempDir(), MaxStoreBytes: 1 << 20})
		require.NoError(c.t, err)
		c.t.Cleanup(func() { require.NoError(c.t, c.server.Shutdown()) })
	}
	p, err := workers.Connect(c.t.Context(), workers.Options{Dial: c.server.Dial, Name: "test", Logger: slog.New(slog.DiscardHandler)})
	require.NoError(c.t, err)
	return p
}

// work serves jobs by handle, on a connection that kill cuts, as the end of a
// process does.
func (c *cluster) work(handle workers.Handler) (kill func()) {
	c.t.Helper()
	p := c.pool()
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, handle) }()
	killed := false
	kill = func() {
		if !killed {
			killed = true
			p.Close()
			cancel()
			require.NoError(c.t, <-done)
		}
	}
	c.t.Cleanup(kill)
	return kill
}

// asker is a querier that gives its work to others, once they are there.
func (c *cluster) asker(cfg querier.Config) *member {
	c.t.Helper()
	p := c.pool()
	c.t.Cleanup(p.Close)
	require.Eventually(c.t, func() bool {
		_, err := p.Ask(c.t.Context(), nil)
		return err == nil
	}, time.Minute, time.Millisecond)
	m := c.querier(cfg)
	m.ShareWith(p, 2)
	return m
}

// get asks the querier itself.
func (m *member) get(ctx context.Context, path string) answer {
	m.t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", path, nil))
	return answer{w.Code, w.Header().Get("Content-Type"), w.Body.String()}
}

// found is an answer without what it says about the work.
func (m *member) found(path string) string {
	m.t.Helper()
	a := m.get(m.t.Context(), path)
	require.Equal(m.t, 200, a.status, a.body)
	var fields map[string]any
	require.NoError(m.t, json.Unmarshal([]byte(a.body), &fields))
	delete(fields, "metrics")
	text, err := json.MarshalIndent(fields, "", " ")
	require.NoError(m.t, err)
	return string(text)
}

// jobs are how many jobs ended so in a place.
func (m *member) jobs(place, outcome string) (n int) {
	m.t.Helper()
	families, err := m.reg.Gather()
	require.NoError(m.t, err)
	for _, f := range families {
		if f.GetName() != "spanlake_querier_job_duration_seconds" {
			continue
		}
		for _, series := range f.GetMetric() {
			if labels := series.GetLabel(); labels[0].GetValue() == outcome && labels[1].GetValue() == place {
				n += int(series.GetHistogram().GetSampleCount()) //nolint:gosec // small
			}
		}
	}
	return n
}

// counter is the value of a metric without labels.
func (m *member) counter(name string) float64 {
	m.t.Helper()
	w := world{t: m.t, reg: m.reg}
	return w.metric(name)
}

// clusterQueries are one of every kind that is split. The first is a search.
func clusterQueries() (paths []string) {
	for path, queries := range map[string][]string{
		"/api/search": {
			`{ }`, `{ status = error }`, `{ span.http.response.status_code = 503 }`, `{ duration > 2s }`, `{ } >> { status = error }`,
			`{ kind = server } | count() > 3`, `{ status = error } | by(resource.service.name) | count() > 1`,
			`{ status = error } | select(span.http.route)`, `{ rootServiceName = "gateway" && status = error }`,
			`{ status = error } with(order_by="duration desc")`, `{ traceDuration > 5s }`, `{ name = "there is none" }`,
		},
		"/api/metrics/query_range": {
			`{ } | rate() by (resource.service.name)`, `{ kind = server } | quantile_over_time(duration, .5, .95) by (resource.service.name)`,
			`{ } | histogram_over_time(duration)`, `{ } | avg_over_time(duration) by (kind)`, `{ } | max_over_time(duration)`,
			`{ kind = server } | compare({ status = error })`, `{ } >> { status = error } | rate()`,
			`{ } | rate() by (span.http.route) | topk(3)`, `({ status = error } | rate()) / ({ } | rate())`,
		},
		"/api/metrics/query": {`{ } | count_over_time() by (resource.service.name)`, `{ } | sum_over_time(span.gen_ai.usage.input_tokens)`},
	} {
		for _, q := range queries {
			params := url.Values{
				"start": {strconv.Itoa(corpus.WorkloadStart / 1e9)}, "end": {strconv.Itoa(corpus.WorkloadStart/1e9 + 300)}, "q": {q},
			}
			paths = append(paths, path+"?"+params.Encode())
			if path == "/api/search" {
				paths = append(paths, path+"?"+params.Encode()+"&limit=5")
			}
		}
	}
	slices.Sort(paths)
	slices.Reverse(paths)
	within := fmt.Sprintf("?start=%d&end=%d", corpus.WorkloadStart/1_000_000_000, corpus.WorkloadStart/1_000_000_000+300)
	for _, path := range []string{
		"/api/search/tags", "/api/v2/search/tags", "/api/search/tag/name/values", "/api/search/tag/service.name/values",
		"/api/v2/search/tag/resource.service.name/values", "/api/v2/search/tag/span.http.route/values", "/api/v2/search/tag/rootName/values",
	} {
		paths = append(paths, path+within, path+within+"&q="+url.QueryEscape("{ status = error && name ="), path+within+"&q="+url.QueryEscape(`{ rootServiceName = "gateway" }`))
	}
	return paths
}
