package jaeger

import (
	"bytes"
	"context"
	"fmt"
	"math"

	"github.com/apache/thrift/lib/go/thrift"
	"github.com/jaegertracing/jaeger-idl/model/v1"
	"github.com/jaegertracing/jaeger-idl/proto-gen/api_v2"
	thriftjaeger "github.com/jaegertracing/jaeger-idl/thrift-gen/jaeger"
	translator "github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/jaeger"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/ingester"
)

// fromThrift makes an OTLP request of a batch in Thrift's binary protocol.
func fromThrift(ctx context.Context, body []byte) ([]byte, error) {
	// What the protocol announces, such as the length of a list, cannot be more than
	// there is.
	size := int32(min(len(body), math.MaxInt32)) //nolint:gosec // bounded
	transport := thrift.NewStreamTransportR(bytes.NewReader(body))
	protocol := thrift.NewTBinaryProtocolConf(transport, &thrift.TConfiguration{MaxMessageSize: size, MaxFrameSize: size})
	batch := thriftjaeger.NewBatch()
	if err := batch.Read(ctx, protocol); err != nil {
		return nil, fmt.Errorf("%w: no batch of Jaeger in Thrift's binary protocol: %w", ingester.ErrBadRequest, err)
	}
	traces, err := translator.ThriftToTraces(batch)
	return marshal(traces, err)
}

// fromProtobuf makes an OTLP request of a jaeger.api_v2.PostSpansRequest.
func fromProtobuf(message []byte) ([]byte, error) {
	var request api_v2.PostSpansRequest
	if err := request.Unmarshal(message); err != nil {
		return nil, fmt.Errorf("%w: %w", ingester.ErrBadRequest, err)
	}
	traces, err := translator.ProtoToTraces([]*model.Batch{&request.Batch})
	return marshal(traces, err)
}

func marshal(traces ptrace.Traces, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ingester.ErrBadRequest, err)
	}
	var marshaler ptrace.ProtoMarshaler
	return marshaler.MarshalTraces(traces)
}
