package e2e_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/klauspost/compress/gzip"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
)

// randomID returns n random bytes.
func randomID(random *rand.Rand, n int) []byte {
	var id []byte
	for len(id) < n {
		id = binary.BigEndian.AppendUint64(id, random.Uint64())
	}
	return id[:n]
}

// randomSpan makes a span of the trace that lasts a millisecond.
func randomSpan(random *rand.Rand, traceID []byte, start time.Time) *tracepb.Span {
	text := bytes.Repeat([]byte{'a' + byte(random.UintN(26))}, random.IntN(400))
	return &tracepb.Span{
		TraceId: traceID, SpanId: randomID(random, 8), Name: fmt.Sprintf("operation %d", random.IntN(10)),
		Kind:              tracepb.Span_SpanKind(random.Int32N(6)),
		StartTimeUnixNano: uint64(start.UnixNano()), EndTimeUnixNano: uint64(start.Add(time.Millisecond).UnixNano()),
		Attributes: []*commonpb.KeyValue{
			{Key: "number", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: random.Int64()}}},
			{Key: "text", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: string(text)}}},
		},
	}
}

// exportOf makes the spans one service's.
func exportOf(spans ...*tracepb.Span) *tracepb.TracesData {
	service := &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "shop"}}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: &resourcepb.Resource{Attributes: []*commonpb.KeyValue{{Key: "service.name", Value: service}}},
		ScopeSpans: []*tracepb.ScopeSpans{{
			Scope: &commonpb.InstrumentationScope{Name: "e2e", Version: "1"}, Spans: spans,
		}},
	}}}
}

// randomRequest sends data over one of the binary protocols, compressed or not.
func randomRequest(random *rand.Rand, project string, data *tracepb.TracesData) (request, error) {
	body, err := proto.Marshal(data)
	if err != nil {
		return request{}, err
	}
	r := request{protocol: corpus.HTTPProtobuf, project: project, body: body}
	switch random.IntN(4) {
	case 0:
		r.protocol = corpus.GRPC
	case 1:
		r.protocol, r.encoding = corpus.GRPC, "gzip"
	case 2:
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		_, _ = w.Write(body) // to memory
		_ = w.Close()
		r.body, r.encoding = out.Bytes(), "gzip"
	}
	return r, nil
}
