package querier_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/grafana/dskit/flagext"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// cachingWorld remembers what was counted in blocks.
func cachingWorld(t *testing.T, cacheBytes flagext.Bytes) *world {
	t.Helper()
	return newWorldWith(t, nil, querier.Config{
		Timeout: time.Minute, Concurrency: 4, CacheBytes: 1 << 20, ResultCacheBytes: cacheBytes,
	})
}

// counted is what a query counts from a second after base to another.
func (w *world) counted(query string, start, end int) string {
	w.t.Helper()
	params := url.Values{
		"start": {strconv.Itoa(base + start)}, "end": {strconv.Itoa(base + end)}, "step": {"10"}, "q": {query},
	}
	a := w.get("/api/metrics/query_range?" + params.Encode())
	require.Equal(w.t, 200, a.status, a.body)
	return a.body
}

// total is the sum of the samples of a count.
func total(w *world, start, end int) (sum int) {
	w.t.Helper()
	var r metricsReply
	require.NoError(w.t, json.Unmarshal([]byte(w.counted("{ } | count_over_time()", start, end)), &r))
	for _, series := range r.Series {
		for _, sample := range series.Samples {
			sum += int(sample.Value)
		}
	}
	return sum
}

const (
	cachedResults  = "spanlake_querier_results_cached_total"
	countedResults = "spanlake_querier_results_counted_total"
	resultBytes    = "spanlake_querier_cached_results_bytes"
	resultsEvicted = "spanlake_querier_results_evicted_total"
)

// A query of a range that moved on reads only blocks that are new.
func TestCountsAreRemembered(t *testing.T) {
	w := cachingWorld(t, 1<<20)
	for i := range 10 {
		w.store(span(traceA, byte(i), "a", 10*i+1), span(traceB, byte(i), "b", 10*i+2))
	}
	require.Equal(t, 20, total(w, 0, 100))
	require.InDelta(t, 10, w.metric(countedResults), 0)
	require.InDelta(t, 0, w.metric(cachedResults), 0)
	require.Positive(t, w.metric(resultBytes))
	require.Equal(t, 16, total(w, 30, 120), "of the step that ends with the start, too")
	require.InDelta(t, 10, w.metric(countedResults), 0)
	require.Positive(t, w.metric(cachedResults))
	w.store(span(traceA, 77, "new", 115))
	require.Equal(t, 17, total(w, 30, 120))
	require.InDelta(t, 11, w.metric(countedResults), 0)
	for _, other := range []string{
		"{ } | count_over_time() by (name)", "{ } | rate()", "{ name = `a` } | count_over_time()",
		"{ } | count_over_time() | topk(1)", // the same function: what is done to its series is not remembered
	} {
		w.counted(other, 30, 120)
	}
	require.Greater(t, w.metric(countedResults), 11.0+3*8)
	require.Less(t, w.metric(countedResults), 11.0+4*8)
}

// Whatever changes in the bucket shows at once.
func TestCountsAreNeverStale(t *testing.T) {
	w := cachingWorld(t, 1<<20)
	rows := func(ids ...byte) (rows []schema.Span) {
		for _, id := range ids {
			rows = append(rows, rowsOf(w, span(fmt.Sprintf("%032x", 100+int(id)), id, "a", int(id)))...)
		}
		return rows
	}
	first := w.storeRows(rows(1, 2, 3))
	second := w.storeRows(rows(11, 12))
	ask := func(want int, why string) {
		t.Helper()
		w.storeIn("another", rows(9)) // the log moves on, so that blocks are listed anew
		for range 2 {                 // what is found out and what is remembered
			require.Equal(t, want, total(w, 0, 50), why)
		}
	}
	ask(5, "as stored")
	w.storeRows(rows(4, 13))
	ask(7, "a block that came late, for steps that were remembered")
	w.storeRows(rows(1, 11))
	ask(7, "spans that came again, in a block that came late")

	// An erasure: the next generation of a block lacks a row.
	erased := first
	erased.Generation++
	erased = w.replace(erased, rows(1, 3))
	ask(6, "an erasure")
	require.NoError(t, w.bucket.Delete(t.Context(), first.Key()))
	ask(6, "an erasure, done")

	// Retention: a block is gone.
	require.NoError(t, w.bucket.Delete(t.Context(), second.Key()))
	ask(5, "retention, of a block of which a span is in another, too")
	require.NoError(t, w.bucket.Delete(t.Context(), erased.Key()))
	ask(4, "retention")
	require.Positive(t, w.metric(cachedResults))
}

// replace stores rows under a name, whose times and sizes it sets.
func (w *world) replace(name schema.BlockName, rows []schema.Span) schema.BlockName {
	w.t.Helper()
	object, err := block.Encode(name.Project, rows)
	require.NoError(w.t, err)
	name.Spans, name.TailBytes = uint64(object.Spans), uint64(object.TailBytes)
	name.MinStart, name.MaxEnd = object.MinStart, object.MaxEnd
	require.NoError(w.t, w.bucket.Put(w.t.Context(), name.Key(), bytes.NewReader(object.Data), objstore.PutOptions{}))
	return name
}

func TestCountsAreBounded(t *testing.T) {
	fill := func(w *world) {
		for i := range 10 {
			w.store(span(traceA, byte(i), "a", 10*i+1))
		}
		for range 3 {
			require.Equal(t, 10, total(w, 0, 100))
		}
	}
	all := cachingWorld(t, 1<<20)
	fill(all)
	size := all.metric(resultBytes)
	require.InDelta(t, 20, all.metric(cachedResults), 0)
	require.InDelta(t, 0, all.metric(resultsEvicted), 0)

	exact := cachingWorld(t, flagext.Bytes(size))
	fill(exact)
	require.InDelta(t, size, exact.metric(resultBytes), 0)
	require.InDelta(t, 0, exact.metric(resultsEvicted), 0)

	less := cachingWorld(t, flagext.Bytes(size-1))
	fill(less)
	require.Less(t, less.metric(resultBytes), size)
	require.Positive(t, less.metric(resultsEvicted))

	tiny := cachingWorld(t, 1)
	fill(tiny)
	require.InDelta(t, 0, tiny.metric(resultBytes), 0)
	require.InDelta(t, 0, tiny.metric(resultsEvicted), 0, "what never fits evicts nothing")

	off := cachingWorld(t, 0)
	fill(off)
	families, err := off.reg.Gather()
	require.NoError(t, err)
	for _, f := range families {
		require.NotContains(t, f.GetName(), "results")
	}
}
