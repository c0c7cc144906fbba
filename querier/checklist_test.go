package querier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
	"github.com/spanlake/spanlake/schema"
)

// TestChecklist is the checklist of the description of Tempo's API, one row for
// each of its points.
func TestChecklist(t *testing.T) {
	part := func(name string) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			runCalls(t, exampleWorld(t), "plugin.txt", name)
		}
	}
	for _, row := range []struct {
		name string
		test func(*testing.T)
	}{
		{"1 save & test with streaming off and on", part("save & test")},
		{"2 every example decodes strictly", TestExamples},
		{"3 no trace is empty, resource, scope and status are there", nothingIsAbsent},
		{"4 a search of odd data", part("search builder: everything")},
		{"5 tags with half-typed queries", part("editor")},
		{"6 Drilldown", part("Drilldown")},
		{"7 the calls of tempo-vulture", vulture},
		{"7 the calls of tempo-cli", cliCalls},
		{"8 several projects, everywhere", severalProjects},
		{"9 messages have metrics and at most a megabyte", smallMessages},
		{"10 the error matrix", errorMatrix},
	} {
		t.Run(row.name, row.test)
	}
}

func cliCalls(t *testing.T) {
	t.Helper()
	runScript(t, exampleWorld(t), "cli.txt")
}

// nothingIsAbsent looks at bytes: what is decoded does not tell empty from
// absent everywhere.
func nothingIsAbsent(t *testing.T) {
	t.Helper()
	w := exampleWorld(t)
	none := w.get("/api/v2/traces/cc", "Accept", "application/protobuf")
	require.Equal(t, "\x0a\x00\x12\x00", none.body)
	w.q.SetTraceInMemory(1)
	for _, id := range []string{"f067aa0ba902b7a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736", "1234", "5678"} {
		a := w.get("/api/v2/traces/"+id, "Accept", "application/protobuf")
		m := tempopbtest.Load(t).Protobuf(t, "TraceByIDResponse", []byte(a.body))
		wire, err := proto.Marshal(tempopbtest.Get(t, m, "trace").Message().Interface())
		require.NoError(t, err)
		require.NotEmpty(t, spansOf(t, wire)) // requires them
	}
}

// vulture does what tempo-vulture checks in every cycle.
func vulture(t *testing.T) {
	t.Helper()
	w := exampleWorld(t)
	within := "start=1795242600&end=1795244400"
	a := w.get("/api/traces/f067aa0ba902b7a3ce929d0e0e4736?"+within, "Accept", "application/protobuf")
	require.Equal(t, 200, a.status)
	sent, err := otlp.NewDecoder().Decode(exampleSpans(t), 1, nil)
	require.NoError(t, err)
	var want []schema.Span
	for i := range sent {
		if sent[i].TraceID.String() == "00f067aa0ba902b7a3ce929d0e0e4736" {
			want = append(want, sent[i])
		}
	}
	require.Equal(t, spansOf(t, otlp.AppendTraces(nil, want)), spansOf(t, []byte(a.body)), "nothing added, nothing dropped")

	matched := 0
	for _, query := range []string{"tags=" + url.QueryEscape("gen_ai.request.model=gpt-4o"), "q=" + url.QueryEscape(`{.gen_ai.request.model = "gpt-4o"}`)} {
		search := w.get("/api/search?" + within + "&" + query)
		m := tempopbtest.Load(t).JSON(t, "SearchResponse", search.body)
		require.Equal(t, []string{"00f067aa0ba902b7a3ce929d0e0e4736"}, traceIDs(t, m))
		if strings.HasPrefix(query, "q=") {
			first := tempopbtest.Get(t, m, "traces").List().Get(0).Message()
			matched = int(tempopbtest.Get(t, tempopbtest.Get(t, first, "spanSets").List().Get(0).Message(), "matched").Uint()) //nolint:gosec // few
		}
	}
	var r metricsReply
	counted := w.get("/api/metrics/query_range?step=10s&exemplars=0&" + within + "&q=" +
		url.QueryEscape(`{.gen_ai.request.model = "gpt-4o"} | count_over_time()`))
	require.NoError(t, json.Unmarshal([]byte(counted.body), &r))
	require.Len(t, r.Series, 1)
	sum := 0
	for _, s := range r.Series[0].Samples {
		sum += int(s.Value)
	}
	require.Equal(t, matched, sum)
	require.Positive(t, sum)
}

// severalProjects asks every endpoint for two projects together: what one has
// alone is in the answer.
func severalProjects(t *testing.T) {
	t.Helper()
	w := newWorld(t, nil)
	w.storeIn("a", rowsOf(w, span(traceA, 1, "only in a", 1), span(traceA, 3, "in both", 3)))
	w.storeIn("b", rowsOf(w, span(traceA, 2, "only in b", 2), span(traceA, 3, "in both", 3)))
	q := url.QueryEscape("{ } | count_over_time() by (name)")
	for _, path := range []string{
		"/api/traces/aa", "/api/v2/traces/aa", "/api/search?" + inRange + "&q=" + url.QueryEscape("{ } | select(name)"),
		"/api/search/tag/name/values?" + inRange, "/api/v2/search/tag/name/values?" + inRange,
		"/api/metrics/query_range?" + inRange + "&q=" + q, "/api/metrics/query?" + inRange + "&q=" + q,
	} {
		both, one := w.get(path, "X-Scope-OrgID", "a|b"), w.get(path, "X-Scope-OrgID", "a")
		require.Equal(t, 200, both.status, both.body)
		for _, name := range []string{"only in a", "only in b", "in both"} {
			require.Contains(t, both.body, name, path)
		}
		require.NotContains(t, one.body, "only in b")
		require.Equal(t, 200, w.get(path, "X-Scope-OrgID", "a|unknown").status)
	}
	for _, path := range []string{"/api/search/tags?" + inRange, "/api/v2/search/tags?" + inRange} {
		require.Contains(t, w.get(path, "X-Scope-OrgID", "a|b").body, `"user"`)
	}
	c := w.caller()
	ctx := withProjects(t.Context(), "a|b")
	for _, tc := range []struct{ method, request, body, response string }{
		{"Search", "SearchRequest", `{"Query":"{ } | select(name)",` + rangeJSON + `}`, "SearchResponse"},
		{"SearchTagValues", "SearchTagValuesRequest", `{"tagName":"name",` + rangeJSON + `}`, "SearchTagValuesResponse"},
		{"SearchTagValuesV2", "SearchTagValuesRequest", `{"tagName":"name",` + rangeJSON + `}`, "SearchTagValuesV2Response"},
		{"MetricsQueryRange", "QueryRangeRequest", `{"query":"{} | count_over_time() by (name)","start":"1768471200000000000","end":"1768471300000000000"}`, "QueryRangeResponse"},
		{"MetricsQueryInstant", "QueryInstantRequest", `{"query":"{} | count_over_time() by (name)","start":"1768471200000000000","end":"1768471300000000000"}`, "QueryInstantResponse"},
	} {
		got, err := c.call(ctx, tc.method, tc.request, tc.body, tc.response)
		require.NoError(t, err)
		text := fmt.Sprint(got[len(got)-1])
		for _, name := range []string{"only in a", "only in b", "in both"} {
			require.Contains(t, text, name, tc.method)
		}
	}
	for _, tc := range []struct{ method, response string }{{"SearchTags", "SearchTagsResponse"}, {"SearchTagsV2", "SearchTagsV2Response"}} {
		got, err := c.call(ctx, tc.method, "SearchTagsRequest", "{"+rangeJSON+"}", tc.response)
		require.NoError(t, err)
		require.Contains(t, fmt.Sprint(got[0]), "user")
	}
}

// smallMessages is a stream of which the caller looks at every message.
func smallMessages(t *testing.T) {
	t.Helper()
	w := newWorld(t, nil)
	w.storeRows(manyTraces(0, 20_000, 100))
	got, err := w.caller().call(t.Context(), "Search", "SearchRequest", strings.Replace(allTraces, "100000", "20000", 1), "SearchResponse")
	require.NoError(t, err)
	require.Greater(t, len(got), 2)
	require.Len(t, traceIDs(t, got...), 20_000)
	largest := 0
	for _, m := range got {
		largest = max(largest, proto.Size(m))
	}
	require.Greater(t, largest, tempopb.MaxMessageBytes/2, "the limit matters")
}

// errorMatrix are the rows of the error matrix, over HTTP and gRPC. The row without
// a project is in internal/app, which decides on that.
func errorMatrix(t *testing.T) {
	t.Helper()
	runScript(t, family(t), "errors.txt")
	t.Run("too many queries", tooManyQueries)
	t.Run("a deleted project", deletedProject)
	t.Run("cancelled by the client", cancelled)
	t.Run("timeout", TestTimeIsLimited)
}

// deletedProject is one that is still there for whoever has not heard of it.
func deletedProject(t *testing.T) {
	t.Helper()
	bucket := mem.New()
	registry := project.NewRegistry(bucket)
	require.NoError(t, registry.Create(t.Context(), "gone", project.Settings{}))
	require.NoError(t, registry.Delete(t.Context(), "gone"))
	directory := project.NewDirectory(bucket, project.Options{})
	require.NoError(t, directory.Refresh(t.Context()))
	w := newWorld(t, nil)
	w.settings.from = directory
	a := w.get("/api/search", "X-Scope-OrgID", "gone")
	require.Equal(t, 403, a.status)
	require.Equal(t, "text/plain; charset=utf-8", a.contentType)
	_, err := w.caller().call(withProjects(t.Context(), "gone"), "Search", "SearchRequest", "{}", "SearchResponse")
	requireCode(t, codes.PermissionDenied, err)
	require.ErrorContains(t, err, a.body)
}

// tooManyQueries are more than a project may have at once, by its settings.
func tooManyQueries(t *testing.T) {
	t.Helper()
	bucket := mem.New()
	err := project.NewRegistry(bucket).Create(t.Context(), "busy", project.Settings{Limits: project.Limits{ConcurrentQueries: 1}})
	require.NoError(t, err)
	directory := project.NewDirectory(bucket, project.Options{})
	require.NoError(t, directory.Refresh(t.Context()))
	b := newBlocked()
	b.free = 0
	w := newWorld(t, func(inner objstore.Bucket) objstore.Bucket { b.Bucket = inner; return b })
	w.settings.from = directory
	name := w.storeIn("busy", rowsOf(w, span(traceA, 1, "a", 1)))
	b.held[name.Key()] = true
	first := make(chan answer)
	ask := func(path string) answer { return w.get(path+"&"+inRange, "X-Scope-OrgID", "busy") }
	go func() { first <- ask("/api/search?q=%7B%7D") }()
	<-b.arrived

	rate := "q=" + url.QueryEscape("{ } | rate()")
	for _, path := range []string{
		"/api/search?", "/api/traces/aa?", "/api/v2/traces/aa?", "/api/search/tags?", "/api/v2/search/tags?", "/api/search/tag/name/values?",
		"/api/v2/search/tag/name/values?", "/api/metrics/query_range?" + rate, "/api/metrics/query?" + rate,
	} {
		a := ask(path)
		require.Equal(t, 429, a.status, path)
		require.Equal(t, "text/plain; charset=utf-8", a.contentType)
		require.Contains(t, a.body, "set-limit busy concurrent_queries")
	}
	c := w.caller()
	for method, body := range map[string][3]string{
		"Search": {"SearchRequest", "{}", "SearchResponse"}, "SearchTags": {"SearchTagsRequest", "{}", "SearchTagsResponse"},
		"SearchTagsV2":        {"SearchTagsRequest", "{}", "SearchTagsV2Response"},
		"SearchTagValues":     {"SearchTagValuesRequest", `{"tagName":"name"}`, "SearchTagValuesResponse"},
		"SearchTagValuesV2":   {"SearchTagValuesRequest", `{"tagName":"name"}`, "SearchTagValuesV2Response"},
		"MetricsQueryRange":   {"QueryRangeRequest", `{"query":"{} | rate()"}`, "QueryRangeResponse"},
		"MetricsQueryInstant": {"QueryInstantRequest", `{"query":"{} | rate()"}`, "QueryInstantResponse"},
	} {
		_, err := c.call(withProjects(t.Context(), "busy"), method, body[0], body[1], body[2])
		requireCode(t, codes.ResourceExhausted, err)
		require.ErrorContains(t, err, "set-limit busy concurrent_queries")
	}
	require.Equal(t, 200, w.get("/api/search?"+inRange).status, "another project")
	close(b.released)
	require.Equal(t, 200, (<-first).status)
	require.Equal(t, 200, ask("/api/search?").status)
}

// cancelled is a query whose client goes away.
func cancelled(t *testing.T) {
	t.Helper()
	w, b := olderHeld(t)
	ctx, cancel := context.WithCancel(t.Context())
	c := w.caller()
	stream := c.open(ctx, "Search", "SearchRequest", `{"Query":"{} | select(name)","Limit":1000,`+rangeJSON+`}`)
	<-b.arrived
	cancel()
	<-b.canceled
	_, err := c.receive(stream, "SearchResponse")
	for err == nil {
		_, err = c.receive(stream, "SearchResponse")
	}
	requireCode(t, codes.Canceled, err)
	require.Eventually(t, func() bool { return w.queriesEndedWith("499") == 1 }, time.Minute, time.Millisecond)
}

// queriesEndedWith counts the queries that were answered with a status.
func (w *world) queriesEndedWith(status string) (n int) {
	w.t.Helper()
	families, err := w.reg.Gather()
	require.NoError(w.t, err)
	for _, f := range families {
		if f.GetName() != "spanlake_querier_query_duration_seconds" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "status" && l.GetValue() == status {
					n += int(m.GetHistogram().GetSampleCount()) //nolint:gosec // few
				}
			}
		}
	}
	return n
}
