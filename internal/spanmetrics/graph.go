package spanmetrics

import (
	"time"

	"github.com/spanlake/spanlake/schema"
)

// Types of connections. One that is "" has two instrumented sides.
const (
	connectionMessaging = "messaging_system"
	connectionDatabase  = "database"
	connectionVirtual   = "virtual_node"
)

// userNode is who calls a service whose span has no parent.
const userNode = "user"

// edgeKey is what both sides of a call know: the trace, and the span of the client.
type edgeKey struct {
	project schema.ProjectID
	trace   schema.TraceID
	client  schema.SpanID
}

// edge is a call of which one side at least was seen.
type edge struct {
	connection     string
	client, server string
	// peer is what the span says of the other side.
	peer                   string
	clientTook, serverTook float64 // seconds
	clientEnd, serverStart uint64  // Unix nanoseconds
	failed                 bool
	until                  time.Time // when it waits no longer
}

func (e *edge) isComplete() bool { return e.client != "" && e.server != "" }

// graph pairs the two sides of calls. All spans of a trace come in one partition, so
// each has a graph of its own.
type graph struct {
	store *store
	cfg   *Config
	edges map[edgeKey]*edge
	order []waiting // of edges, by until; some are complete
}

// waiting is an edge with its key.
type waiting struct {
	key  edgeKey
	edge *edge
}

func newGraph(s *store) *graph {
	return &graph{store: s, cfg: s.cfg, edges: make(map[edgeKey]*edge)}
}

// add takes a span that is a side of a call. What completes the call counts it.
func (g *graph) add(id schema.ProjectID, row *schema.Span, now time.Time) {
	service := labelOf(row.Resource.ServiceName)
	if service == "" {
		return
	}
	key := edgeKey{project: id, trace: row.TraceID}
	isClient := row.Kind == kindClient || row.Kind == kindProducer
	switch {
	case isClient:
		key.client = row.SpanID
	case row.Kind == kindServer, row.Kind == kindConsumer:
		key.client = row.ParentSpanID
	default:
		return
	}
	if key.client.IsZero() && !isClient { // nobody in this trace calls it
		g.count(key, &edge{
			connection: connectionVirtual, client: userNode, server: service,
			serverTook: seconds(row.StartNanos, row.EndNanos), failed: row.StatusCode == statusError,
		})
		return
	}
	e := g.edges[key]
	isNew := e == nil
	if isNew {
		e = &edge{until: now.Add(g.cfg.Wait)}
	}
	e.connection = ""
	if row.Kind == kindProducer || row.Kind == kindConsumer {
		e.connection = connectionMessaging
	}
	e.failed = e.failed || row.StatusCode == statusError
	for _, attribute := range []string{"peer.service", "db.name", "db.system"} {
		if name, ok := text(row, attribute); ok {
			e.peer = name
			break
		}
	}
	if isClient {
		e.client, e.clientTook, e.clientEnd = service, seconds(row.StartNanos, row.EndNanos), row.EndNanos
		if name, ok := database(row); ok {
			e.connection, e.serverTook = connectionDatabase, e.clientTook
			e.server = name
		}
	} else {
		e.server, e.serverTook, e.serverStart = service, seconds(row.StartNanos, row.EndNanos), row.StartNanos
	}
	switch {
	case e.isComplete():
		g.count(key, e)
		delete(g.edges, key)
	case !isNew:
	case len(g.edges) >= g.cfg.MaxEdges:
		g.store.dropped.WithLabelValues(string(id), "edges").Inc()
	default:
		g.edges[key] = e
		g.order = append(g.order, waiting{key, e})
	}
}

// database is what a call of a database is drawn as.
func database(row *schema.Span) (node string, ok bool) {
	name, hasName := text(row, "db.name")
	if _, hasSystem := text(row, "db.system"); !hasName && !hasSystem {
		return "", false
	}
	for _, attribute := range []string{"peer.service", "server.address"} {
		if node, ok := text(row, attribute); ok {
			return node, true
		}
	}
	if host, ok := text(row, "network.peer.address"); ok {
		if port, ok := text(row, "network.peer.port"); ok {
			return host + ":" + port, true
		}
		return host, true
	}
	return name, true
}

// count counts a call.
func (g *graph) count(key edgeKey, e *edge) {
	c := combination{family: requestTotal, project: key.project, values: [labels]string{e.client, e.server, e.connection}}
	g.store.add(c, 1, key.trace)
	if e.failed {
		c.family = requestFailed
		g.store.add(c, 1, key.trace)
	}
	c.family = requestServer
	g.store.add(c, e.serverTook, key.trace)
	c.family = requestClient
	g.store.add(c, e.clientTook, key.trace)
	if e.connection == connectionMessaging && e.serverStart > e.clientEnd {
		c.family = requestMessaging
		g.store.add(c, seconds(e.clientEnd, e.serverStart), key.trace)
	}
}

// expire ends the wait of calls of which only one side came. If the client says who the
// other is, it is a call of what is not instrumented.
func (g *graph) expire(now time.Time) {
	i := 0
	for ; i < len(g.order); i++ {
		key, e := g.order[i].key, g.order[i].edge
		if g.edges[key] != e {
			continue
		}
		if now.Before(e.until) {
			break
		}
		delete(g.edges, key)
		if e.client == "" || e.peer == "" {
			g.store.dropped.WithLabelValues(string(key.project), "unpaired").Inc()
			continue
		}
		e.connection, e.server = connectionVirtual, e.peer
		g.count(key, e)
	}
	g.order = append(g.order[:0], g.order[i:]...)
}
