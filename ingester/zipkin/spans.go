package zipkin

import (
	"encoding/json"
	"fmt"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/translator/zipkin/zipkinv2"
	"github.com/openzipkin/zipkin-go/model"
	"github.com/openzipkin/zipkin-go/proto/zipkin_proto3"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
)

// fromJSON makes an OTLP request of a list of spans. Those that cannot be read are
// left out and counted.
func fromJSON(body []byte) (request []byte, unusable int, err error) {
	var list []jsonvalue.Value
	if err := json.Unmarshal(body, &list); err != nil || list == nil {
		return nil, 0, fmt.Errorf("%w: want a JSON list of Zipkin v2 spans", ingester.ErrBadRequest)
	}
	spans := make([]*model.SpanModel, 0, len(list))
	for _, element := range list {
		span := new(model.SpanModel)
		if json.Unmarshal(element, span) != nil {
			unusable++
			continue
		}
		spans = append(spans, span)
	}
	request, more, err := translate(spans)
	return request, unusable + more, err
}

// fromProtobuf does the same with a zipkin.proto3.ListOfSpans.
func fromProtobuf(body []byte) ([]byte, int, error) {
	spans, err := zipkin_proto3.ParseSpans(body, false)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ingester.ErrBadRequest, err)
	}
	return translate(spans)
}

// translate takes all spans at once, so that those of a service share a resource; if
// one of them cannot be translated, one by one.
func translate(spans []*model.SpanModel) (request []byte, unusable int, err error) {
	var translator zipkinv2.ToTranslator
	traces, err := translator.ToTraces(spans)
	if err != nil {
		traces = ptrace.NewTraces()
		for _, span := range spans {
			one, err := translator.ToTraces([]*model.SpanModel{span})
			if err != nil {
				unusable++
				continue
			}
			one.ResourceSpans().MoveAndAppendTo(traces.ResourceSpans())
		}
	}
	var marshaler ptrace.ProtoMarshaler
	request, err = marshaler.MarshalTraces(traces)
	return request, unusable, err
}
