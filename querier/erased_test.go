package querier_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// erasures are those that are pending in a test, none at first.
type erasures struct {
	mu   sync.Mutex
	each map[schema.ProjectID]*erasure.Pending
	err  error
}

func (e *erasures) Pending(_ context.Context, id schema.ProjectID) (*erasure.Pending, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.each[id], e.err
}

func (e *erasures) set(id schema.ProjectID, requests ...*erasure.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.each = map[schema.ProjectID]*erasure.Pending{id: erasure.NewPending(requests)}
}

// erase is a request about traces up to a position of the world's log.
func (w *world) erase(upTo uint64, traces ...string) *erasure.Request {
	w.t.Helper()
	r := &erasure.Request{
		ID: fmt.Sprintf("20260115-100000-%08d", upTo%1e8), Project: schema.DefaultProject, AcceptedAt: time.Now(),
		Marks: []erasure.Mark{{Epoch: w.log.Stream(0).Epoch(), Position: upTo}},
	}
	for _, text := range traces {
		id, err := schema.ParseTraceID(text)
		require.NoError(w.t, err)
		r.Traces = append(r.Traces, id)
	}
	r.Traces = erasure.Sorted(r.Traces)
	require.NoError(w.t, r.Validate())
	return r
}

// storeAt stores one block of rows that have its position.
func (w *world) storeAt(project schema.ProjectID, rows ...schema.Span) schema.BlockName {
	w.t.Helper()
	state, err := w.log.Stream(0).State(w.t.Context())
	require.NoError(w.t, err)
	for i := range rows {
		rows[i].Position = state.Last + 1
	}
	return w.storeIn(project, rows)
}

// everywhere are queries that show a word, each in another way.
func everywhere(trace string) map[string]string {
	within := fmt.Sprintf("start=%d&end=%d", base-10, base+1000)
	return map[string]string{
		"trace v1":       "/api/traces/" + trace,
		"trace v2":       "/api/v2/traces/" + trace,
		"search":         "/api/search?q=%7B%7D&" + within,
		"by name":        "/api/search?q=%7Bname%3D~%22secret.*%22%7D&" + within,
		"by tags":        "/api/search?tags=name%3Dsecret&" + within,
		"by the root":    "/api/search?q=%7BrootName%3D%22secret%22%7D&" + within,
		"by structure":   "/api/search?q=%7Bname%3D%22secret%22%7D%3E%3E%7B%7D&" + within,
		"rate":           "/api/metrics/query?q=%7B%7D%7Crate()by(name)&" + within,
		"range":          "/api/metrics/query_range?step=60s&q=%7B%7D%7Ccount_over_time()by(name)&" + within,
		"compare":        "/api/metrics/query_range?step=60s&q=%7B%7D%7Ccompare(%7Bname%3D%22secret%22%7D)&" + within,
		"values":         "/api/search/tag/name/values?" + within,
		"values v2":      "/api/v2/search/tag/name/values?" + within,
		"roots' values":  "/api/v2/search/tag/rootName/values?" + within,
		"filtered":       "/api/v2/search/tag/name/values?q=%7Bkind%3Dunspecified%7D&" + within,
		"names":          "/api/v2/search/tags?" + within,
		"filtered names": "/api/v2/search/tags?q=%7Bkind%3Dunspecified%7D&" + within,
	}
}

// TestErased: rows of an erased trace, up to the position at which that was
// accepted, are in no answer, and their neighbours are in all of them; also of
// what queries have cached before.
func TestErased(t *testing.T) {
	w := newWorldWith(t, nil, querier.Config{
		Timeout: time.Minute, MaxSearchRange: 168 * time.Hour, Concurrency: 4, CacheBytes: 1 << 20, PageCacheBytes: 1 << 20, ResultCacheBytes: 1 << 20,
		SearchMargin: time.Hour,
	})
	row := func(trace string, id, parent byte, name string) schema.Span {
		r := rowsOf(w, span(trace, id, name, int(id)))[0]
		if parent > 0 {
			r.ParentSpanID = schema.SpanID{parent, 0, 0, 0, 0, 0, 0, 1}
		}
		return r
	}
	secret := row(traceA, 1, 0, "secret")
	secret.Attributes = append(secret.Attributes, appendAttribute("secret-key", "secret")...)
	w.storeAt(schema.DefaultProject, secret, row(traceB, 2, 0, "public"))
	w.storeAt(schema.DefaultProject, row(traceA, 3, 1, "secret-child"), row(traceB, 4, 2, "public-child"))
	last := w.storeAt(schema.DefaultProject, row(traceA, 5, 1, "late-child"))
	w.storeAt("other", row(traceA, 6, 0, "secret"))
	shows := func(name, path, word string) bool {
		t.Helper()
		a := w.get(path)
		require.Contains(t, []int{http.StatusOK, http.StatusNotFound}, a.status, name+a.body)
		return contains(a.body, word)
	}
	answers := everywhere(traceA)
	for range 2 { // the second time from memory
		for name, path := range answers {
			require.True(t, shows(name, path, "secret"), name)
		}
	}
	r := w.erase(last.First-1, traceA)
	w.erasures.set(schema.DefaultProject, r)
	for range 2 {
		for name, path := range answers {
			require.False(t, shows(name, path, "secret"), name)
		}
	}
	require.True(t, shows("a later span", answers["trace v2"], "late-child"))
	for _, name := range []string{"rate", "values", "search", "range"} {
		require.True(t, shows(name, answers[name], "public"), name)
	}
	left, err := w.q.LeftOf(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, querier.Left{Stored: 2}, left)

	// With a later mark the last span goes, and with an earlier one both come back.
	w.erasures.set(schema.DefaultProject, w.erase(last.First, traceA))
	require.Equal(t, http.StatusNotFound, w.get(answers["trace v1"]).status)
	w.erasures.set(schema.DefaultProject, w.erase(1, traceA))
	require.True(t, shows("an earlier mark", answers["search"], "secret"))
	w.erasures.set("other", r)
	require.True(t, shows("another project", answers["search"], "secret"))

	// Where it is not known what is erased, nothing is shown.
	w.erasures.err = errors.New("the bucket is away")
	require.Equal(t, http.StatusInternalServerError, w.get(answers["search"]).status)
}

// TestErasedAside: a trace that lies in a block outside of the range, too, is found
// without what is erased there.
func TestErasedAside(t *testing.T) {
	w := newWorld(t, nil)
	w.storeAt(schema.DefaultProject, rowsOf(w, span(traceA, 1, "secret", -40000))...)
	last := w.storeAt(schema.DefaultProject, rowsOf(w, span(traceA, 2, "late", 10))...)
	path := "/api/search?q=%7Bname%3D%22late%22%7D&" + inRange
	require.Contains(t, w.get(path).body, `"rootTraceName":"secret"`)
	w.erasures.set(schema.DefaultProject, w.erase(last.First-1, traceA))
	require.Contains(t, w.get(path).body, `"rootTraceName":"late"`)
}

// TestTracesWhere finds every trace with a match, whenever it was.
func TestTracesWhere(t *testing.T) {
	w := newWorld(t, nil)
	var want []schema.TraceID
	for i := range 40 {
		id := fmt.Sprintf("%032x", 1000+i)
		name := "prompt"
		if i%4 == 0 {
			name = "user"
			parsed, err := schema.ParseTraceID(id)
			require.NoError(t, err)
			want = append(want, parsed)
		}
		w.storeAt(schema.DefaultProject, rowsOf(w, span(id, 1, name, i*100_000))...)
	}
	w.storeAt("other", rowsOf(w, span(traceA, 1, "user", 0))...)
	ids, err := w.q.TracesWhere(t.Context(), schema.DefaultProject, `{ name = "user" }`)
	require.NoError(t, err)
	require.Equal(t, want, ids)
	w.q.SetMaxErased(len(want))
	ids, err = w.q.TracesWhere(t.Context(), schema.DefaultProject, `{ name = "user" }`)
	require.NoError(t, err)
	require.Len(t, ids, len(want), "as many as may be")
	w.q.SetMaxErased(len(want) - 1)
	_, err = w.q.TracesWhere(t.Context(), schema.DefaultProject, `{ name = "user" }`)
	require.ErrorContains(t, err, "more than 9 traces match")
	require.True(t, querier.IsRequestError(err))
	ids, err = w.q.TracesWhere(t.Context(), schema.DefaultProject, `{ name = "nobody" }`)
	require.NoError(t, err)
	require.Empty(t, ids)
	_, err = w.q.TracesWhere(t.Context(), schema.DefaultProject, `{ name = `)
	require.ErrorContains(t, err, "invalid TraceQL query")
	left, err := w.q.LeftOf(t.Context(), &erasure.Request{Project: schema.DefaultProject, Traces: want, Marks: w.erase(1 << 40).Marks})
	require.NoError(t, err)
	require.Equal(t, querier.Left{Traces: 10, Spans: 10, Stored: 10}, left)
}

func contains(body, word string) bool { return strings.Contains(body, word) }

func appendAttribute(key, value string) []byte {
	return otlp.AppendKeyValue(nil, 9, key, schema.Value{Kind: schema.KindString, Str: value})
}

// What is erased is in no part of an answer, wherever it comes from; and who asks
// which traces there are is told all of them, also by workers.
func TestSharedErasures(t *testing.T) {
	c := newCluster(t)
	free := c.querier(whole())
	all, err := free.TracesWhere(t.Context(), schema.DefaultProject, "{}")
	require.NoError(t, err)
	require.Greater(t, len(all), 50)
	r := &erasure.Request{ID: "20260115-100000-00000001", Project: schema.DefaultProject}
	for i, id := range all {
		if i%2 == 0 {
			r.Traces = append(r.Traces, id)
		}
	}
	for p := range clusterPartitions {
		r.Marks = append(r.Marks, erasure.Mark{Epoch: c.log.Stream(p).Epoch(), Position: 1 << 40})
	}
	require.NoError(t, r.Validate())
	before, err := free.LeftOf(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, len(r.Traces), before.Traces)
	pending := new(erasures)
	pending.set(schema.DefaultProject, r)
	c.erasures = pending
	for range 2 {
		c.work(c.querier(inParts()).Work)
	}
	one, parts, shared := c.querier(whole()), c.querier(inParts()), c.asker(inParts())
	less := 0
	for _, path := range clusterQueries() {
		want := one.found(path)
		require.Equal(t, want, parts.found(path), path)
		require.Equal(t, want, shared.found(path), path)
		if want != free.found(path) {
			less++
		}
		for _, id := range r.Traces {
			require.NotContains(t, want, id.String(), path)
		}
	}
	require.Greater(t, less, len(clusterQueries())/2)
	require.Positive(t, shared.jobs("elsewhere", "done"))
	for _, q := range []*member{one, shared} {
		rest, err := q.TracesWhere(t.Context(), schema.DefaultProject, "{}")
		require.NoError(t, err)
		require.Len(t, rest, len(all)-len(r.Traces))
	}
	left, err := shared.LeftOf(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, querier.Left{Stored: before.Stored}, left)
	require.GreaterOrEqual(t, left.Stored, before.Spans)
}
