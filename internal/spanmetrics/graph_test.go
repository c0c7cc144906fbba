package spanmetrics

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// world is a graph with a clock.
type world struct {
	*testing.T

	store *store
	graph *graph
	now   time.Time
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	cfg := &Config{Wait: 10 * time.Second, MaxEdges: 10, MaxSeries: 100, Idle: time.Hour}
	if change != nil {
		change(cfg)
	}
	w := &world{T: t, store: newStore(cfg, newMetrics(prometheus.NewRegistry()).dropped), now: time.Unix(1e9, 0)}
	w.store.now = func() time.Time { return w.now }
	w.graph = newGraph(w.store)
	return w
}

// span adds a span of a service, with attributes as key, value.
func (w *world) span(service string, kind int32, id, parent byte, attributes ...string) *schema.Span {
	row := &schema.Span{
		TraceID: schema.TraceID{1}, Kind: kind, Name: "n", StartNanos: 1e18, EndNanos: 1e18 + 5e8,
		Resource: otlp.NewResource(schema.Attribute{Key: "service.name", Value: schema.Value{Kind: schema.KindString, Str: service}}), Scope: otlp.NewScope("", ""),
	}
	if id != 0 {
		row.SpanID = schema.SpanID{id}
	}
	if parent != 0 {
		row.ParentSpanID = schema.SpanID{parent}
	}
	for i := 0; i < len(attributes); i += 2 {
		row.Attributes = otlp.AppendAttribute(row.Attributes, attributes[i], schema.Value{Kind: schema.KindString, Str: attributes[i+1]})
	}
	w.graph.add("p", row, w.now)
	return row
}

// requireCalls compares traces_service_graph_request_total with lines of
// client, server, type and count.
func (w *world) requireCalls(lines ...string) {
	w.Helper()
	var b strings.Builder
	b.WriteString("# HELP traces_service_graph_request_total Calls between two services.\n# TYPE traces_service_graph_request_total counter\n")
	for _, line := range lines {
		f := strings.Split(line, " ")
		fmt.Fprintf(&b, "traces_service_graph_request_total{client=%q,connection_type=%q,project=\"p\",server=%q} %s\n", f[0], strings.TrimPrefix(f[2], "-"), f[1], f[3])
	}
	text := b.String()
	if len(lines) == 0 {
		text = ""
	}
	require.NoError(w, testutil.CollectAndCompare(w.store, strings.NewReader(text), "traces_service_graph_request_total"))
}

func (w *world) dropped(reason string) float64 {
	return testutil.ToFloat64(w.store.dropped.WithLabelValues("p", reason))
}

func TestCallsInEitherOrder(t *testing.T) {
	w := newWorld(t, nil)
	w.span("web", kindClient, 1, 0)
	w.requireCalls()
	w.span("cart", kindServer, 2, 1)
	w.span("cart", kindServer, 4, 3)
	w.span("web", kindClient, 3, 0)
	w.requireCalls("web cart - 2")
	require.Empty(t, w.graph.edges)
}

func TestMessages(t *testing.T) {
	w := newWorld(t, nil)
	w.span("shop", kindProducer, 1, 0)
	w.span("mail", kindConsumer, 2, 1)
	w.requireCalls("shop mail messaging_system 1")
}

func TestFailedOnEitherSide(t *testing.T) {
	w := newWorld(t, nil)
	row := w.span("web", 0, 1, 0)
	row.Kind, row.StatusCode = kindClient, statusError
	w.graph.add("p", row, w.now)
	w.span("cart", kindServer, 2, 1)
	w.span("web", kindClient, 3, 0)
	row = w.span("cart", 0, 4, 3)
	row.Kind, row.StatusCode = kindServer, statusError
	w.graph.add("p", row, w.now)
	require.InDelta(t, 2, w.store.series[combination{family: requestFailed, project: "p", values: [labels]string{"web", "cart"}}].sum, 0)
}

func TestDatabases(t *testing.T) {
	w := newWorld(t, nil)
	w.span("cart", kindClient, 1, 0, "db.system", "redis", "server.address", "redis-0")
	w.span("cart", kindClient, 2, 0, "db.name", "orders")
	w.span("cart", kindClient, 3, 0, "db.name", "orders", "network.peer.address", "10.0.0.1", "network.peer.port", "5432")
	w.span("cart", kindClient, 4, 0, "db.name", "orders", "peer.service", "pg")
	w.requireCalls("cart 10.0.0.1:5432 database 1", "cart orders database 1", "cart pg database 1", "cart redis-0 database 1")
	w.span("cart", kindClient, 5, 0, "db.system", "mysql") // says not where
	w.now = w.now.Add(10 * time.Second)
	w.graph.expire(w.now)
	w.requireCalls("cart 10.0.0.1:5432 database 1", "cart mysql virtual_node 1", "cart orders database 1", "cart pg database 1", "cart redis-0 database 1")
}

func TestWaitEnds(t *testing.T) {
	w := newWorld(t, nil)
	w.span("web", kindServer, 1, 0)                             // begins the trace
	w.span("web", kindClient, 2, 1, "peer.service", "payments") // of which nothing comes
	w.span("web", kindClient, 3, 1)                             // of which nobody knows where
	w.span("cart", kindServer, 4, 9)                            // of which nobody knows whence
	w.now = w.now.Add(10*time.Second - 1)
	w.graph.expire(w.now)
	w.requireCalls("user web virtual_node 1")
	w.now = w.now.Add(1)
	w.graph.expire(w.now)
	w.requireCalls("user web virtual_node 1", "web payments virtual_node 1")
	require.EqualValues(t, 2, w.dropped("unpaired"))
	require.Empty(t, w.graph.edges)
	require.Empty(t, w.graph.order)
}

func TestLimits(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxEdges, c.MaxSeries = 2, 3 })
	for id := byte(1); id <= 3; id++ {
		w.span("web", kindClient, id, 0)
	}
	require.EqualValues(t, 1, w.dropped("edges"))
	w.span("cart", kindServer, 10, 1) // total, server and client seconds
	require.Zero(t, w.dropped("series"))
	w.span("stock", kindServer, 11, 2)
	require.EqualValues(t, 3, w.dropped("series"))
	w.requireCalls("web cart - 1")
	w.now = w.now.Add(2 * time.Hour)
	w.store.forget()
	require.Empty(t, w.store.series)
	require.Empty(t, w.store.perProject)
}

func TestSpanMetrics(t *testing.T) {
	w := newWorld(t, nil)
	row := w.span("web", 0, 1, 0)
	row.Kind = kindServer
	row.Name = strings.Repeat("é", 200)
	w.store.countSpan("p", row)
	row.EndNanos = row.StartNanos - 1 // a clock ran backwards
	w.store.countSpan("p", row)
	name := strings.Repeat("é", 128)
	labels := fmt.Sprintf(`project="p",service="web",span_kind="SPAN_KIND_SERVER",span_name=%q,status_code="STATUS_CODE_UNSET"`, name)
	require.NoError(t, testutil.CollectAndCompare(w.store, strings.NewReader(
		"# HELP traces_spanmetrics_calls_total Spans.\n# TYPE traces_spanmetrics_calls_total counter\ntraces_spanmetrics_calls_total{"+labels+"} 2\n"), "traces_spanmetrics_calls_total"))
	request, err := w.store.writeRequest()
	require.NoError(t, err)
	found := map[string]float64{}
	for _, series := range request.Timeseries {
		for _, l := range series.Labels {
			if l.Name == "le" {
				found[l.Value] = series.Samples[0].Value
			}
		}
		require.Equal(t, "__name__", series.Labels[0].Name)
	}
	require.Len(t, found, 15)
	require.InDelta(t, 1, found["0.002"], 0)
	require.InDelta(t, 1, found["0.256"], 0)
	require.InDelta(t, 2, found["0.512"], 0)
	require.InDelta(t, 2, found["+Inf"], 0)
}
