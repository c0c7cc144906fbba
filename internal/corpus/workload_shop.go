package corpus

import (
	"fmt"
	"strconv"
	"strings"
)

// What the shop consists of.
const (
	shopServices = 40
	podsPerShop  = 3 // pods of a service
	shopRoutes   = 60
	rareKeys     = 800 // attributes that few spans have
)

// shop is services that call each other.
type shop struct {
	pods     [][]*pod // by service; the first service is the gateway
	routes   []string
	tables   []string
	browsers []string
	rare     []rareKey
}

// rareKey is an attribute of the long tail.
type rareKey struct {
	name string
	kind int // of value
}

func newShop(w *workload) shop {
	s := shop{pods: make([][]*pod, shopServices)}
	for i := range s.pods {
		name := w.words[100+i] + "-service"
		if i == 0 {
			name = "gateway"
		}
		s.pods[i] = w.newPods(name, podsPerShop)
	}
	for i := range shopRoutes {
		route := "/api/v" + strconv.Itoa(1+i%3) + "/" + w.word(400)
		if i%2 == 0 {
			route += "/{id}"
		}
		if i%5 == 0 {
			route += "/" + w.word(400)
		}
		s.routes = append(s.routes, route)
	}
	for range 80 {
		s.tables = append(s.tables, w.word(300)+"_"+w.word(300))
		version := strconv.Itoa(100 + w.rng.IntN(50))
		s.browsers = append(s.browsers, "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/"+version+".0."+
			strconv.Itoa(w.rng.IntN(7000))+".0 Safari/537.36 Edg/"+version+".0")
	}
	for i := range rareKeys {
		s.rare = append(s.rare, rareKey{name: "app." + w.word(200) + "." + w.word(400), kind: i % 7})
	}
	return s
}

// newPods adds the pods of a service to the world: fourteen attributes each.
func (w *workload) newPods(service string, n int) []*pod {
	pods := make([]*pod, n)
	language := anyOf(&w.random, "go", "java", "nodejs", "python")
	version := fmt.Sprintf("%d.%d.%d", 1+w.rng.IntN(4), w.rng.IntN(20), w.rng.IntN(9))
	team := w.words[w.rng.IntN(8)]
	deployment := w.hex(9)
	for i := range pods {
		name := service + "-" + deployment + "-" + w.hex(5)
		zone := "eu-central-1" + string("abc"[i%3])
		a := attributes{field: resourceAttributes}
		a.str("service.name", service)
		a.str("service.namespace", team)
		a.str("service.version", version)
		a.str("service.instance.id", w.hex(16))
		a.str("deployment.environment.name", "production")
		a.str("k8s.cluster.name", "prod-eu-1")
		a.str("k8s.namespace.name", team)
		a.str("k8s.pod.name", name)
		a.str("k8s.node.name", "ip-10-0-"+strconv.Itoa(i)+"-"+strconv.Itoa(w.rng.IntN(30)))
		a.str("cloud.availability_zone", zone)
		a.int("process.pid", 1+w.rng.IntN(400))
		a.str("telemetry.sdk.name", "opentelemetry")
		a.str("telemetry.sdk.language", language)
		a.str("telemetry.sdk.version", "1.38.0")
		pods[i] = &pod{service: service, resource: a.wire}
	}
	w.pods = append(w.pods, pods...)
	return pods
}

var (
	httpScope  = scope{"io.opentelemetry.http", "0.63.0"}
	rpcScope   = scope{"io.opentelemetry.grpc", "0.63.0"}
	dbScope    = scope{"io.opentelemetry.sql", "0.44.1"}
	queueScope = scope{"io.opentelemetry.kafka", "0.59.0"}
	ownScope   = scope{"com.example.shop", "1.0.0"}
)

// shopRequest is what a click in the shop sets off.
func (t *trace) shopRequest() {
	w := t.world
	size := max(3, min(int(w.spread(13, 0.55)), 400))
	total := w.latency(90 * millisecond)
	if w.chance(0.01) {
		total *= 30
	}
	bad := w.chance(0.04)
	front := &visit{pod: anyOf(&w.random, w.shop.pods[0]...), bad: bad}
	front.span = t.httpServer(front, nil, pick(&w.random, w.shop.routes), total)
	visits := []*visit{front}
	for len(t.spans) < size {
		v := visits[max(0, len(visits)-1-w.rank(len(visits)))]
		if callee := t.work(v); callee != nil {
			visits = append(visits, callee)
		}
	}
}

// visit is the time that a trace spends in a service.
type visit struct {
	pod  *pod
	span *traceSpan // of the server's side
	bad  bool       // something fails below it
}

// work lets a service do one thing, and returns the visit to another service
// that this needs, if any.
func (t *trace) work(v *visit) *visit {
	w := t.world
	bad := v.bad && w.chance(0.4)
	switch p := w.rng.Float64(); {
	case p < 0.32:
		t.database(v, bad)
	case p < 0.47:
		t.own(v)
	case p < 0.68:
		return t.httpCall(v, bad)
	case p < 0.975:
		return t.rpcCall(v, bad)
	default:
		return t.queue(v)
	}
	return nil
}

// callee is a pod of another service.
func (t *trace) callee() *pod {
	pods := t.world.shop.pods[1+t.world.rank(shopServices-1)]
	return anyOf(&t.world.random, pods...)
}

// httpStatus is a status code that fits.
func (t *trace) httpStatus(bad bool) int {
	w := t.world
	switch {
	case bad:
		return anyOf(&w.random, 500, 500, 502, 503, 504)
	case w.chance(0.03):
		return anyOf(&w.random, 400, 401, 404, 404, 409, 429)
	default:
		return anyOf(&w.random, 200, 200, 200, 200, 200, 201, 204, 304)
	}
}

func (t *trace) httpServer(v *visit, parent *traceSpan, route string, duration uint64) *traceSpan {
	w := t.world
	method := pick(&w.random, []string{"GET", "POST", "PUT", "DELETE"})
	s := t.span(v.pod, httpScope, parent, method+" "+route, kindServer, duration)
	s.attrs.str("http.request.method", method)
	s.attrs.str("http.route", route)
	s.attrs.str("url.path", strings.Replace(route, "{id}", strconv.Itoa(w.rng.IntN(1_000_000)), 1))
	s.attrs.str("url.scheme", "https")
	s.attrs.int("http.response.status_code", t.httpStatus(v.bad))
	s.attrs.str("server.address", v.pod.service+".example.com")
	s.attrs.str("client.address", w.address())
	s.attrs.str("user_agent.original", pick(&w.random, w.shop.browsers))
	s.attrs.str("network.protocol.version", anyOf(&w.random, "1.1", "2"))
	s.attrs.int("http.response.body.size", w.rng.IntN(60_000))
	if parent == nil {
		s.attrs.str("enduser.id", "user-"+strconv.Itoa(w.rng.IntN(5000)))
	}
	t.finish(s, v.bad)
	return s
}

func (t *trace) httpCall(v *visit, bad bool) *visit {
	w := t.world
	next := &visit{pod: t.callee(), bad: bad}
	route := pick(&w.random, w.shop.routes)
	duration := w.latency(25 * millisecond)
	s := t.span(v.pod, httpScope, v.span, "GET", kindClient, duration)
	s.attrs.str("http.request.method", "GET")
	s.attrs.str("url.full", "http://"+next.pod.service+".shop.svc.cluster.local:8080"+strings.Replace(route, "{id}", strconv.Itoa(w.rng.IntN(1_000_000)), 1)+"?locale=en-GB&session="+w.hex(12)+"&cursor="+w.hex(16))
	s.attrs.int("http.response.status_code", t.httpStatus(bad))
	s.attrs.str("server.address", next.pod.service+".shop.svc.cluster.local")
	s.attrs.int("server.port", 8080)
	s.attrs.str("network.peer.address", w.address())
	s.attrs.str("network.protocol.version", "1.1")
	t.finish(s, bad)
	next.span = t.httpServer(next, s, route, duration)
	return next
}

func (t *trace) rpcCall(v *visit, bad bool) *visit {
	w := t.world
	next := &visit{pod: t.callee(), bad: bad}
	service := "shop." + next.pod.service + ".v1.Service"
	method := pick(&w.random, []string{"Get", "List", "Create", "Update", "Check", "Delete"})
	code := 0
	if bad {
		code = anyOf(&w.random, 4, 13, 14)
	}
	duration := w.latency(12 * millisecond)
	side := func(p *pod, parent *traceSpan, kind int) *traceSpan {
		s := t.span(p, rpcScope, parent, service+"/"+method, kind, duration)
		s.attrs.str("rpc.system", "grpc")
		s.attrs.str("rpc.service", service)
		s.attrs.str("rpc.method", method)
		s.attrs.int("rpc.grpc.status_code", code)
		s.attrs.str("server.address", next.pod.service+".svc.cluster.local")
		s.attrs.int("server.port", 9090)
		s.attrs.str("network.peer.address", w.address())
		t.finish(s, bad)
		return s
	}
	next.span = side(next.pod, side(v.pod, v.span, kindClient), kindServer)
	return next
}

func (t *trace) database(v *visit, bad bool) {
	w := t.world
	table := pick(&w.random, w.shop.tables)
	operation := pick(&w.random, []string{"SELECT", "UPDATE", "INSERT", "DELETE"})
	s := t.span(v.pod, dbScope, v.span, operation+" "+table, kindClient, w.latency(2*millisecond))
	s.attrs.str("db.system.name", "postgresql")
	s.attrs.str("db.namespace", v.pod.service)
	s.attrs.str("db.operation.name", operation)
	s.attrs.str("db.collection.name", table)
	s.attrs.str("db.query.text", operation+" id, state, owner, created_at, updated_at, payload FROM "+table+
		" WHERE id = $1 AND state = $2 AND deleted_at IS NULL ORDER BY created_at DESC LIMIT "+strconv.Itoa(w.rank(50)))
	s.attrs.str("server.address", v.pod.service+"-pg.internal")
	s.attrs.int("server.port", 5432)
	s.attrs.int("db.response.returned_rows", w.rank(200))
	t.finish(s, bad)
}

func (t *trace) own(v *visit) {
	w := t.world
	s := t.span(v.pod, ownScope, v.span, w.words[200+w.rank(150)], kindInternal, w.latency(400*microsecond))
	s.attrs.str("code.function.name", "com.example."+v.pod.service+"."+w.words[200+w.rank(150)])
	s.attrs.int("thread.id", w.rng.IntN(64))
	s.attrs.str("shop.tenant", "tenant-"+strconv.Itoa(w.rank(300)))
	s.attrs.bool("shop.cached", w.chance(0.4))
	s.attrs.double("shop.cart.total", float64(w.rng.IntN(50_000))/100)
	t.finish(s, false)
}

// queue publishes a message, which another service takes up.
func (t *trace) queue(v *visit) *visit {
	w := t.world
	topic := w.words[400+w.rank(20)]
	message := func(s *traceSpan, operation string) {
		s.attrs.str("messaging.system", "kafka")
		s.attrs.str("messaging.destination.name", topic)
		s.attrs.str("messaging.operation.type", operation)
		s.attrs.str("messaging.message.id", w.hex(16))
		s.attrs.str("messaging.destination.partition.id", strconv.Itoa(w.rng.IntN(12)))
		s.attrs.int("messaging.message.body.size", w.rng.IntN(20_000))
	}
	sent := t.span(v.pod, queueScope, v.span, "send "+topic, kindProducer, w.latency(2*millisecond))
	message(sent, "send")
	t.finish(sent, false)
	next := &visit{pod: t.callee()}
	next.span = t.span(next.pod, queueScope, sent, "process "+topic, kindConsumer, w.latency(20*millisecond))
	message(next.span, "process")
	next.span.attrs.str("messaging.consumer.group.name", next.pod.service)
	next.span.attrs.int("messaging.kafka.offset", w.rng.IntN(10_000_000))
	t.link(next.span, t.id, sent.id, "producer")
	t.finish(next.span, false)
	return next
}

// finish adds what any span may have.
func (t *trace) finish(s *traceSpan, bad bool) {
	w := t.world
	if w.chance(0.15) {
		t.rare(s)
	}
	if bad {
		t.fail(s, anyOf(&w.random, "java.util.concurrent.TimeoutException", "java.net.ConnectException", "com.example.StockException"),
			anyOf(&w.random, "context deadline exceeded", "connection refused", "no healthy upstream"))
		return
	}
	if w.chance(0.024) {
		e := attributes{field: eventAttributes}
		e.int("retry.attempt", 1+w.rng.IntN(3))
		e.str("retry.reason", anyOf(&w.random, "timeout", "refused", "overload"))
		t.event(s, s.start, "retry", e)
	}
	if w.chance(0.004) {
		t.link(s, w.bytes16(), w.bytes8(), "batch")
	}
}

// rare adds an attribute of the long tail.
func (t *trace) rare(s *traceSpan) {
	w := t.world
	key := pick(&w.random, w.shop.rare)
	switch key.kind {
	case 0:
		s.attrs.int(key.name, w.rng.IntN(1000))
	case 1:
		s.attrs.bool(key.name, w.chance(0.5))
	case 2:
		s.attrs.double(key.name, w.rng.Float64())
	default:
		s.attrs.str(key.name, w.word(100))
	}
}
