package app_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/openzipkin/zipkin-go"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"github.com/openzipkin/zipkin-go/reporter"
	zipkinhttp "github.com/openzipkin/zipkin-go/reporter/http"
	"github.com/stretchr/testify/require"
)

// Zipkin's own reporter sends by another address and key only: client and server share
// an id, as they do in Zipkin, and both are there.
func TestZipkinReporter(t *testing.T) {
	g := startGuarded(t, "keys")
	for name, serializer := range map[string]reporter.SpanSerializer{"json": reporter.JSONSerializer{}, "protobuf": zipkin_proto3.SpanSerializer{}} {
		t.Run(name, func(t *testing.T) {
			out := zipkinhttp.NewReporter("http://"+g.OTLPHTTPAddr().String()+"/api/v2/spans",
				zipkinhttp.Serializer(serializer),
				zipkinhttp.RequestCallback(func(req *http.Request) { req.Header.Set("x-api-key", g.secrets["a ingest"]) }))
			tracerOf := func(service string) *zipkin.Tracer {
				endpoint, err := zipkin.NewEndpoint(service, "10.0.0.1:8080")
				require.NoError(t, err)
				tracer, err := zipkin.NewTracer(out, zipkin.WithLocalEndpoint(endpoint), zipkin.WithTraceID128Bit(true), zipkin.WithSharedSpans(true))
				require.NoError(t, err)
				return tracer
			}
			frontend, backend := tracerOf("frontend"), tracerOf("backend")
			root := frontend.StartSpan("cart", zipkin.Kind(model.Server), zipkin.Tags(map[string]string{"http.status_code": "500"}))
			call := frontend.StartSpan("get items", zipkin.Kind(model.Client), zipkin.Parent(root.Context()))
			served := backend.StartSpan("items", zipkin.Kind(model.Server), zipkin.Parent(call.Context()))
			served.Annotate(time.Now(), "cache miss")
			zipkin.TagError.Set(served, "no such table")
			for _, span := range []zipkin.Span{served, call, root} {
				span.Finish()
			}
			require.NoError(t, out.Close())

			tree := printTree(g.trace(t, g.headers("a query", ""), root.Context().TraceID.String()), false)
			require.Contains(t, tree, "cart")
			require.Contains(t, tree, `http.response.status_code="500"`)
			require.Contains(t, tree, "get items")
			require.Contains(t, tree, "  items", "what the server says is its own span")
			require.Contains(t, tree, "cache miss")
			require.Contains(t, tree, "frontend")
			require.Contains(t, tree, "backend")
			require.Equal(t, call.Context().ID, served.Context().ID)
		})
	}
}

// One span that cannot be read does not keep the others from being stored.
func TestZipkinBadInput(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	post := func(contentType, body string) answer {
		return p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+"/api/v2/spans", http.Header{"Content-Type": {contentType}}, []byte(body))
	}
	for _, body := range []string{"", "{}", "null", `[{"traceId"`, "\x00"} {
		got := post("application/json", body)
		require.Equal(t, http.StatusBadRequest, got.code, body)
		require.Contains(t, requireMessage(t, got), "Zipkin v2")
	}
	require.Equal(t, http.StatusBadRequest, post("application/x-protobuf", "\x0a\xff").code)
	require.Equal(t, http.StatusUnsupportedMediaType, post("application/x-thrift", "[]").code)
	require.Equal(t, http.StatusAccepted, post("application/json", "[]").code)
	const trace = "5af7183fb1d4cf5f"
	got := post("application/json; charset=utf-8", `[1, {"traceId":"no"}, {"traceId":"`+trace+`","id":"6b221d5bc9e6496c","name":"good","timestamp":1768471200000000,"duration":10,
		"tags":{"otlp.link.0":"a|b|c|d|e"}}, {"traceId":"`+trace+`","id":"352bff9a74ca9ad2","parentId":"6b221d5bc9e6496c","name":"better","timestamp":1768471200000000,"duration":10}]`)
	require.Equal(t, http.StatusAccepted, got.code, string(got.body))
	require.Empty(t, got.body)
	require.Equal(t, []string{"better"}, p.spanNames(t, "0000000000000000"+trace))
	metrics := p.api(t, http.MethodGet, "/metrics")
	require.Contains(t, string(metrics.body), `spanlake_receiver_rejected_spans_total{project="default",reason="unusable"} 3`)
}
