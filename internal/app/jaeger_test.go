package app_test

import (
	"net/http"
	"testing"

	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	"github.com/opentracing/opentracing-go"
	"github.com/opentracing/opentracing-go/ext"
	"github.com/stretchr/testify/require"
	"github.com/uber/jaeger-client-go"
	"github.com/uber/jaeger-client-go/transport"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Jaeger's own client sends Thrift over HTTP by another address and key only.
func TestJaegerClient(t *testing.T) {
	g := startGuarded(t, "keys")
	out := transport.NewHTTPTransport("http://"+g.OTLPHTTPAddr().String()+"/api/traces",
		transport.HTTPHeaders(map[string]string{"Authorization": "Bearer " + g.secrets["a ingest"]}))
	tracer, closer := jaeger.NewTracer("billing", jaeger.NewConstSampler(true), jaeger.NewRemoteReporter(out), jaeger.TracerOptions.Gen128Bit(true))
	root := tracer.StartSpan("charge", ext.SpanKindRPCServer, opentracing.Tag{Key: "amount", Value: 12.5})
	child := tracer.StartSpan("lookup", opentracing.ChildOf(root.Context()), ext.SpanKindRPCClient)
	ext.Error.Set(child, true)
	child.LogKV("event", "retry", "attempt", 2)
	child.Finish()
	root.Finish()
	require.NoError(t, closer.Close())

	tree := printTree(g.trace(t, g.headers("a query", ""), root.Context().(jaeger.SpanContext).TraceID().String()), false)
	require.Contains(t, tree, "charge")
	require.Contains(t, tree, "amount=12.5")
	require.Contains(t, tree, "  lookup")
	require.Contains(t, tree, "retry")
	require.Contains(t, tree, "attempt=2")
	require.Contains(t, tree, "billing")
}

// Agents and collectors send batches over gRPC.
func TestJaegerGRPC(t *testing.T) {
	g := startGuarded(t, "keys")
	conn, err := grpc.NewClient(g.OTLPGRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	client := api_v2.NewCollectorServiceClient(conn)
	request := &api_v2.PostSpansRequest{Batch: model.Batch{
		Process: model.NewProcess("shop", model.KeyValues{model.String("host.name", "h1")}),
		Spans: []*model.Span{{
			TraceID: model.NewTraceID(7, 9), SpanID: model.NewSpanID(3), OperationName: "checkout",
			Tags: model.KeyValues{model.Int64("items", 4)},
		}},
	}}
	_, err = client.PostSpans(t.Context(), request)
	require.Equal(t, codes.Unauthenticated, status.Code(err))
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+g.secrets["a ingest"])
	_, err = client.PostSpans(ctx, request)
	require.NoError(t, err)
	tree := printTree(g.trace(t, g.headers("a query", ""), "00000000000000070000000000000009"), false)
	require.Contains(t, tree, "checkout")
	require.Contains(t, tree, "items=4")
	require.Contains(t, tree, "shop")
}

func TestJaegerBadInput(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	post := func(contentType, body string) answer {
		return p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+"/api/traces?format=jaeger.thrift", http.Header{"Content-Type": {contentType}}, []byte(body))
	}
	require.Equal(t, http.StatusUnsupportedMediaType, post("application/json", "{}").code)
	// A list that says that it has two thousand million spans, in a few bytes.
	for _, body := range []string{"", "batch", "\x0f\x00\x02\x0c\x7f\xff\xff\xff"} {
		got := post("application/x-thrift", body)
		require.Equal(t, http.StatusBadRequest, got.code, "%q", body)
		require.Contains(t, requireMessage(t, got), "Thrift")
	}
}
