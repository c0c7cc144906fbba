package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"github.com/stretchr/testify/require"
	"github.com/uber/jaeger-client-go"
	thriftjaeger "github.com/uber/jaeger-client-go/thrift-gen/jaeger"
	"github.com/uber/jaeger-client-go/transport"
)

type jaegerTag struct {
	Key, Type string
	Value     any
}

type jaegerSpan struct {
	TraceID, SpanID, OperationName, ProcessID string
	Flags                                     int32
	References                                []struct{ RefType, TraceID, SpanID string }
	StartTime, Duration                       int64
	Tags                                      []jaegerTag
	Logs                                      []struct {
		Timestamp int64
		Fields    []jaegerTag
	}
	Warnings []string
}

type jaegerTrace struct {
	TraceID   string
	Spans     []jaegerSpan
	Processes map[string]struct {
		ServiceName string
		Tags        []jaegerTag
	}
	Warnings []string
}

// jaegerReply is what Jaeger's clients decode. Unknown members are refused, and all
// these are there.
type jaegerReply[T any] struct {
	Data                 T
	Total, Limit, Offset int
	Errors               []struct {
		Code    int
		Msg     string
		TraceID string
	}
}

// jaegerAsk asks below the address that Grafana's data source is configured with.
func jaegerAsk[T any](t *testing.T, p *process, header http.Header, path string, query ...string) (int, jaegerReply[T]) {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Add(query[i], query[i+1])
	}
	got := p.do(t, http.MethodGet, "http://"+p.APIAddr().String()+"/jaeger"+path+"?"+values.Encode(), header, nil)
	require.Equal(t, "application/json", got.header.Get("Content-Type"), "%s: %s", path, got.body)
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(got.body, &members))
	require.ElementsMatch(t, []string{"data", "total", "limit", "offset", "errors"}, slices.Collect(maps.Keys(members)))
	var reply jaegerReply[T]
	require.NoError(t, json.Unmarshal(got.body, &reply), "%s", got.body)
	return got.code, reply
}

// jaegerGet is the same for what succeeds.
func jaegerGet[T any](t *testing.T, p *process, header http.Header, path string, query ...string) T {
	t.Helper()
	code, reply := jaegerAsk[T](t, p, header, path, query...)
	require.Equal(t, http.StatusOK, code, "%s %v: %v", path, query, reply.Errors)
	require.Empty(t, reply.Errors)
	return reply.Data
}

// jaegerClient sends by Jaeger's own client and keeps what it has sent.
type jaegerClient struct {
	opentracing.Tracer

	sent  []*jaeger.Span
	close func() error
}

func newJaegerClient(g *guarded, service string) *jaegerClient {
	out := transport.NewHTTPTransport("http://"+g.OTLPHTTPAddr().String()+"/api/traces",
		transport.HTTPHeaders(map[string]string{"Authorization": "Bearer " + g.secrets["a ingest"]}))
	kept := jaeger.NewInMemoryReporter()
	tracer, closer := jaeger.NewTracer(service, jaeger.NewConstSampler(true),
		jaeger.NewCompositeReporter(kept, jaeger.NewRemoteReporter(out)), jaeger.TracerOptions.Tag("zone", "eu"))
	c := &jaegerClient{Tracer: tracer}
	c.close = func() error {
		for _, span := range kept.GetSpans() { // which closing forgets
			c.sent = append(c.sent, span.(*jaeger.Span))
		}
		return closer.Close()
	}
	return c
}

// tagOf is a tag as it is read: by its name of today, and with JSON's types.
func tagOf(tag *thriftjaeger.Tag) jaegerTag {
	read := jaegerTag{Key: tag.Key}
	switch tag.VType {
	case thriftjaeger.TagType_STRING:
		read.Type, read.Value = "string", tag.GetVStr()
	case thriftjaeger.TagType_DOUBLE:
		read.Type, read.Value = "float64", tag.GetVDouble()
	case thriftjaeger.TagType_BOOL:
		read.Type, read.Value = "bool", tag.GetVBool()
	case thriftjaeger.TagType_LONG:
		read.Type, read.Value = "int64", float64(tag.GetVLong())
	case thriftjaeger.TagType_BINARY:
		read.Type, read.Value = "binary", tag.GetVBinary()
	}
	switch tag.Key {
	case "http.status_code":
		read.Key = "http.response.status_code"
	case "hostname":
		read.Key = "host.name"
	case "jaeger.version":
		read.Key, read.Value = "opencensus.exporterversion", "Jaeger-"+tag.GetVStr()
	}
	return read
}

func sentTags(tags []*thriftjaeger.Tag) (list []jaegerTag) {
	for _, tag := range tags {
		list = append(list, tagOf(tag))
		if tag.Key == "error" && tag.GetVBool() {
			list = append(list, jaegerTag{"otel.status_code", "string", "ERROR"})
		}
	}
	return list
}

// requireSent requires that a trace is what a client has sent.
func requireSent(t *testing.T, got jaegerTrace, sent []*jaeger.Span) {
	t.Helper()
	read := make(map[string]jaegerSpan)
	for _, s := range got.Spans {
		read[s.SpanID] = s
	}
	require.Len(t, read, len(sent))
	for _, span := range sent {
		want, process := jaeger.BuildJaegerThrift(span), jaeger.BuildJaegerProcessThrift(span)
		s, ok := read[jaegerID(want.SpanId)]
		require.True(t, ok, want.OperationName)
		require.Equal(t, got.TraceID, s.TraceID)
		require.Equal(t, jaegerID(want.TraceIdLow), s.TraceID)
		require.Equal(t, want.OperationName, s.OperationName)
		require.Equal(t, []int64{want.StartTime, want.Duration}, []int64{s.StartTime, s.Duration})
		require.Equal(t, want.Flags, s.Flags)
		require.ElementsMatch(t, sentTags(want.Tags), s.Tags)
		require.Equal(t, process.ServiceName, got.Processes[s.ProcessID].ServiceName)
		require.ElementsMatch(t, sentTags(process.Tags), got.Processes[s.ProcessID].Tags)
		require.Len(t, s.Logs, len(want.Logs))
		for i, log := range want.Logs {
			require.Equal(t, log.Timestamp, s.Logs[i].Timestamp)
			require.ElementsMatch(t, sentTags(log.Fields), s.Logs[i].Fields)
		}
		if want.ParentSpanId == 0 && len(want.References) == 0 {
			require.Empty(t, s.References)
			continue
		}
		require.Len(t, s.References, 1)
		require.Equal(t, s.TraceID, s.References[0].TraceID)
		kind := thriftjaeger.SpanRefType_CHILD_OF.String()
		parent := want.ParentSpanId
		if len(want.References) > 0 {
			kind, parent = want.References[0].RefType.String(), want.References[0].SpanId
		}
		require.Equal(t, jaegerID(parent), s.References[0].SpanID)
		require.Equal(t, kind, s.References[0].RefType)
	}
}

// jaegerID is an id as Jaeger writes it.
func jaegerID(id int64) string { return fmt.Sprintf("%016x", uint64(id)) } //nolint:gosec // the same bits

// What Jaeger's client has sent is read by Jaeger's query API as it was sent, in memory
// and from blocks, with the requests of Grafana and of Jaeger's UI.
func TestJaegerQuery(t *testing.T) {
	g := startGuarded(t, "keys")
	const odd = "pay/ments \"east\" \\ 日本\nx"
	shop, bank := newJaegerClient(g, "shop"), newJaegerClient(g, odd)
	root := shop.StartSpan("GET /cart", ext.SpanKindRPCServer, opentracing.Tag{Key: "items", Value: 4}, opentracing.Tag{Key: "amount", Value: 12.5})
	call := shop.StartSpan("charge", opentracing.ChildOf(root.Context()), ext.SpanKindRPCClient)
	ext.HTTPStatusCode.Set(root, 200)
	work := bank.StartSpan("charge \"card\"", opentracing.ChildOf(call.Context()), ext.SpanKindRPCServer)
	ext.Error.Set(work, true)
	work.LogKV("event", "retry", "attempt", 2)
	later := bank.StartSpan("audit", opentracing.FollowsFrom(work.Context()))
	for _, s := range []opentracing.Span{later, work, call, root} {
		s.Finish()
	}
	traceID := root.Context().(jaeger.SpanContext).TraceID().String()
	alone := shop.StartSpan("alone")
	alone.Finish()
	aloneID := alone.Context().(jaeger.SpanContext).TraceID().String()
	require.NoError(t, shop.close())
	require.NoError(t, bank.close())

	key := g.headers("a query", "")
	for _, where := range []string{"memory", "blocks"} {
		if where == "blocks" {
			require.Equal(t, http.StatusNoContent, g.do(t, http.MethodPost, "http://"+g.APIAddr().String()+"/flush", nil, nil).code)
		}
		readsJaeger(t, g, key, odd, traceID, aloneID)
		sent := slices.DeleteFunc(slices.Concat(shop.sent, bank.sent), func(s *jaeger.Span) bool { return s == alone })
		require.Len(t, sent, 4)
		requireSent(t, jaegerGet[[]jaegerTrace](t, g.process, key, "/api/traces/"+traceID)[0], sent)
		requireSent(t, jaegerGet[[]jaegerTrace](t, g.process, key, "/api/traces/"+aloneID)[0], []*jaeger.Span{alone.(*jaeger.Span)})
	}
}

// readsJaeger are the requests of a session in Jaeger's UI and in Grafana.
func readsJaeger(t *testing.T, g *guarded, key http.Header, odd, traceID, aloneID string) {
	t.Helper()
	p := g.process
	code, services := jaegerAsk[[]string](t, p, key, "/api/services")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, []string{odd, "shop"}, services.Data)
	require.Equal(t, 2, services.Total)
	require.Equal(t, []string{"GET /cart", "alone", "charge"}, jaegerGet[[]string](t, p, key, "/api/services/shop/operations"))
	require.Equal(t, []string{"audit", `charge "card"`}, jaegerGet[[]string](t, p, key, "/api/services/"+url.PathEscape(odd)+"/operations"))
	type operation struct{ Name, SpanKind string }
	require.Equal(t, []operation{{"alone", ""}, {"charge", "client"}, {"GET /cart", "server"}}, jaegerGet[[]operation](t, p, key, "/api/operations", "service", "shop"))
	require.Equal(t, []operation{{"GET /cart", "server"}}, jaegerGet[[]operation](t, p, key, "/api/operations", "service", "shop", "spanKind", "server"))

	ids := func(query ...string) (list []string) {
		for _, trace := range jaegerGet[[]jaegerTrace](t, p, key, "/api/traces", query...) {
			list = append(list, trace.TraceID)
		}
		return list
	}
	micros := func(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).UnixMicro(), 10) }
	hour := []string{"start", micros(-time.Hour), "end", micros(time.Minute)}
	with := func(query ...string) []string { return append(query, hour...) }
	require.ElementsMatch(t, []string{traceID, aloneID}, ids(with("service", "shop")...))
	require.Len(t, ids(with("service", "shop", "limit", "1")...), 1)
	// Grafana's.
	require.Equal(t, []string{traceID}, ids(with("service", "shop", "operation", "GET /cart", "tags", `{"items":"4","http.status_code":"200"}`, "minDuration", "1ns", "maxDuration", "1h", "limit", "20")...))
	// Of Jaeger's UI.
	require.Equal(t, []string{traceID}, ids(with("service", odd, "lookback", "1h", "limit", "20", "maxDuration", "", "minDuration", "", "tags", `{"error":"true"}`)...))
	require.Equal(t, []string{traceID}, ids("service", odd, "lookback", "2d", "tag", "event:retry", "tag", "attempt:2"))
	require.Equal(t, []string{traceID}, ids("service", odd, "operation", `charge "card"`, "tag", "zone:eu", "tag", "span.kind:server"))
	require.Empty(t, ids("service", "shop", "tag", "items:4", "tag", "error:true"), "of two spans")
	require.Empty(t, ids("service", "shop", "start", micros(-2*time.Hour), "end", micros(-time.Hour)))
	require.Empty(t, ids("service", "shop", "minDuration", "1h"))
	// Traces of an id that is written in another way, and of several.
	require.Equal(t, []string{aloneID, traceID}, ids("traceID", aloneID, "traceID", traceID, "traceID", strings.ToUpper(aloneID)))
	require.Equal(t, traceID, jaegerGet[[]jaegerTrace](t, p, key, "/api/traces/"+strings.Repeat("0", 16)+traceID, "start", "1", "end", "2")[0].TraceID)
	code, some := jaegerAsk[[]jaegerTrace](t, p, key, "/api/traces", "traceID", aloneID, "traceID", "7")
	require.Equal(t, http.StatusOK, code)
	require.Len(t, some.Data, 1)
	require.Len(t, some.Errors, 1)
	require.Equal(t, "trace not found", some.Errors[0].Msg)
	require.Equal(t, "0000000000000007", some.Errors[0].TraceID)

	type dependency struct {
		Parent, Child string
		CallCount     int
	}
	now := strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10)
	want := []dependency{{"shop", odd, 1}}
	require.Equal(t, want, jaegerGet[[]dependency](t, p, key, "/api/dependencies", "endTs", now, "lookback", "604800000"))
	require.Equal(t, want, jaegerGet[[]dependency](t, p, key, "/api/dependencies"))
	require.Equal(t, want, jaegerGet[[]dependency](t, p, key, "/api/dependencies", "service", odd))
	require.Empty(t, jaegerGet[[]dependency](t, p, key, "/api/dependencies", "service", "x"))
	require.Empty(t, jaegerGet[[]dependency](t, p, key, "/api/dependencies", "endTs", "1700000000000", "lookback", "60000"))

	// Nobody else's: nothing is known there.
	other := g.headers("b query", "")
	for _, path := range []string{"/api/services", "/api/services/shop/operations", "/api/operations?service=shop", "/api/traces?service=shop", "/api/dependencies"} {
		path, query, _ := strings.Cut(path, "=")
		path = strings.TrimSuffix(path, "?service")
		require.JSONEq(t, "[]", string(jaegerGet[json.RawMessage](t, p, other, path, "service", query)), path)
	}
	code, _ = jaegerAsk[[]jaegerTrace](t, p, other, "/api/traces/"+traceID)
	require.Equal(t, http.StatusNotFound, code)
}

// What is asked for wrongly is answered with Jaeger's errors, and so is who may not ask.
func TestJaegerQueryErrors(t *testing.T) {
	g := startGuarded(t, "keys")
	now := time.Now()
	micros := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).UnixMicro(), 10) }
	traceIDs := func(n int) (query []string) {
		for i := range n {
			query = append(query, "traceID", strconv.FormatInt(int64(i+1), 16))
		}
		return query
	}
	for _, tt := range []struct {
		name, key, path string
		query           []string
		code            int
		says            string
	}{
		{"no key", "", "/api/services", nil, 401, ""},
		{"a key to send", "a ingest", "/api/services", nil, 403, ""},
		{"a trace with a key to send", "a ingest", "/api/traces/1", nil, 403, ""},
		{"no service", "a query", "/api/traces", nil, 400, "'service' is required"},
		{"no service of operations", "a query", "/api/operations", nil, 400, "'service' is required"},
		{"no kind", "a query", "/api/operations", []string{"service", "x", "spanKind", "y"}, 400, "want client"},
		{"no id", "a query", "/api/traces/xyz", nil, 400, "up to 32 hexadecimal digits"},
		{"the id zero", "a query", "/api/traces/0", nil, 400, "up to 32 hexadecimal digits"},
		{"one of several is none", "a query", "/api/traces", []string{"traceID", "1", "traceID", ""}, 400, "up to 32 hexadecimal digits"},
		{"a trace that is not there", "a query", "/api/traces/1", nil, 404, "there is no trace"},
		{"as many traces as may be", "a query", "/api/traces", traceIDs(1500), 200, "trace not found"},
		{"a trace too many", "a query", "/api/traces", traceIDs(1501), 400, "at most 1500"},
		{"the largest limit", "a query", "/api/traces", []string{"service", "x", "limit", "1500"}, 200, ""},
		{"a larger limit", "a query", "/api/traces", []string{"service", "x", "limit", "1501"}, 400, "from 1 to 1500"},
		{"a bad start", "a query", "/api/traces", []string{"service", "x", "start", "yesterday"}, 400, "units of 1µs"},
		{"a bad lookback", "a query", "/api/traces", []string{"service", "x", "lookback", "long"}, 400, "1h or 2d"},
		{"an end before the start", "a query", "/api/traces", []string{"service", "x", "start", "2000", "end", "1000"}, 400, "ends before it begins"},
		{"as long as may be", "a query", "/api/traces", []string{"service", "x", "start", micros(-7 * 24 * time.Hour), "end", micros(0)}, 200, ""},
		{"longer", "a query", "/api/traces", []string{"service", "x", "start", micros(-8 * 24 * time.Hour), "end", micros(0)}, 422, "querier.max-search-range"},
		{"too far back", "a query", "/api/traces", []string{"service", "x", "lookback", "2w"}, 422, "querier.max-search-range"},
		{"dependencies of too long", "a query", "/api/dependencies", []string{"lookback", "6048000000"}, 422, "querier.max-search-range"},
		{"dependencies of no time", "a query", "/api/dependencies", []string{"endTs", "x"}, 400, "units of 1ms"},
		{"dependencies of no duration", "a query", "/api/dependencies", []string{"lookback", "1h"}, 400, "number of milliseconds"},
		{"dependencies of for ever", "a query", "/api/dependencies", []string{"lookback", "9223372036854775807"}, 400, "number of milliseconds"},
		{"two projects", "all query", "/api/services", nil, 400, ""},
	} {
		project := ""
		if tt.name == "two projects" {
			project = "a|b"
		}
		code, reply := jaegerAsk[json.RawMessage](t, g.process, g.headers(tt.key, project), tt.path, tt.query...)
		require.Equal(t, tt.code, code, "%s: %v", tt.name, reply.Errors)
		if tt.code == http.StatusOK {
			require.JSONEq(t, "[]", string(reply.Data), tt.name)
			require.Equal(t, tt.says != "", len(reply.Errors) > 0)
		} else {
			require.Len(t, reply.Errors, 1, tt.name)
			require.Equal(t, tt.code, reply.Errors[0].Code, tt.name)
			require.JSONEq(t, "null", string(reply.Data), tt.name)
		}
		if tt.says != "" {
			require.Contains(t, reply.Errors[0].Msg, tt.says, tt.name)
		}
	}
}
