package jaeger

import (
	"testing"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	thriftjaeger "github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/otlp"
)

// FuzzBatch: of whatever is sent either nothing is taken, or what OTLP can read.
func FuzzBatch(f *testing.F) {
	text, number := "a", int64(4)
	batch := &thriftjaeger.Batch{
		Process: &thriftjaeger.Process{ServiceName: "s", Tags: []*thriftjaeger.Tag{{Key: "k", VStr: &text}}},
		Spans: []*thriftjaeger.Span{{
			TraceIdLow: 1, SpanId: 2, OperationName: "o", References: []*thriftjaeger.SpanRef{{TraceIdLow: 1, SpanId: 3}},
			Tags: []*thriftjaeger.Tag{{Key: "n", VType: thriftjaeger.TagType_LONG, VLong: &number}},
			Logs: []*thriftjaeger.Log{{Timestamp: 5, Fields: []*thriftjaeger.Tag{{Key: "event", VStr: &text}}}},
		}},
	}
	wire, err := thrift.NewTSerializer().Write(f.Context(), batch)
	require.NoError(f, err)
	f.Add(wire)
	request := api_v2.PostSpansRequest{Batch: model.Batch{
		Process: model.NewProcess("s", nil),
		Spans:   []*model.Span{{TraceID: model.NewTraceID(1, 2), SpanID: 3, OperationName: "o", Tags: model.KeyValues{model.Binary("b", []byte{1})}}},
	}}
	message, err := request.Marshal()
	require.NoError(f, err)
	f.Add(message)
	f.Fuzz(func(t *testing.T, body []byte) {
		fromHTTP, err := fromThrift(t.Context(), body)
		requireReadable(t, fromHTTP, err)
		fromGRPC, err := fromProtobuf(body)
		requireReadable(t, fromGRPC, err)
	})
}

func requireReadable(t *testing.T, request []byte, err error) {
	t.Helper()
	if err != nil {
		require.ErrorIs(t, err, ingester.ErrBadRequest)
		return
	}
	_, err = otlp.NewDecoder().Decode(request, 1, nil)
	require.NoError(t, err)
}
