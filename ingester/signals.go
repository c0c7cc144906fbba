package ingester

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

const (
	tracesOnly = "spanlake stores traces only: send this signal elsewhere"
	eventsOnly = "spanlake stores traces only, and of logs what is an event gen_ai.* of a span: send other records elsewhere"
)

// rejectMetrics answers what a Collector sends with one exporter for everything: an
// error would make it retry for ever. Records are counted, not decoded: their values
// may nest as deep as a client likes.

func rejectMetrics(p payload) (partialSuccess, error) {
	n, err := countMetrics(p)
	return partialSuccess{int64(n), tracesOnly, "rejectedDataPoints"}, err
}

// exportLogs stores the log records that are events of spans: instrumentations for
// models send messages that way. All others are answered as metrics are.
func (r *Receiver) exportLogs(ctx context.Context, project schema.ProjectID, p payload) (partialSuccess, error) {
	pieces, others, err := logEvents(p)
	if err != nil {
		r.metrics.rejectedRequests.WithLabelValues("malformed").Inc()
		return partialSuccess{}, err
	}
	result, err := r.Store(ctx, project, pieces)
	success := partialSuccess{int64(others + result.Rejected), "", "rejectedLogRecords"}
	switch {
	case result.Rejected > 0:
		success.message = result.Reason
	case others > 0 || len(pieces) == 0:
		success.message = eventsOnly
	}
	return success, err
}

func logEvents(p payload) (pieces []schema.Span, others int, err error) {
	body := p.body
	if p.json {
		if body, err = otlp.LogsFromJSON(p.body); err != nil { // perhaps for what records hold that are not for us
			others, err = countLogs(p)
			return nil, others, err
		}
	}
	pieces, others, err = otlp.LogEvents(body, func(name string) bool { return strings.HasPrefix(name, "gen_ai.") })
	if err != nil {
		return nil, 0, fmt.Errorf("read logs: %w", err)
	}
	return pieces, others, nil
}

// countLogs counts the records of an export in JSON.
func countLogs(p payload) (n int, err error) {
	var request struct {
		ResourceLogs []struct {
			ScopeLogs []struct {
				LogRecords []json.RawMessage `json:"logRecords"`
			} `json:"scopeLogs"`
		} `json:"resourceLogs"`
	}
	if err := unmarshalJSON(p.body, &request); err != nil {
		return 0, err
	}
	for _, resource := range request.ResourceLogs {
		for _, scope := range resource.ScopeLogs {
			n += len(scope.LogRecords)
		}
	}
	return n, nil
}

// errNotTraces is what is wrong with a request in which nothing is a span.
var errNotTraces = fmt.Errorf("%w: not one span has an id, as in an export of logs: send logs to /v1/logs, metrics to /v1/metrics", otlp.ErrMalformed)

// otherSignal reports whether a request to a path of traces, of which no span was
// accepted, is one of logs or metrics.
func otherSignal(p payload, converted []byte) bool {
	if p.json && len(converted) == 0 {
		var request struct {
			ResourceLogs    []json.RawMessage `json:"resourceLogs"`
			ResourceMetrics []json.RawMessage `json:"resourceMetrics"`
		}
		return json.Unmarshal(p.body, &request) == nil && len(request.ResourceLogs)+len(request.ResourceMetrics) > 0
	}
	// A span has its ids in fields 1 and 2, where a log record has a number.
	spans, err := countFields(converted, []fields{{1}, {2}, {2}})
	ids, idsErr := countFields(converted, []fields{{1}, {2}, {2}, {1, 2}})
	return err == nil && idsErr == nil && spans > 0 && ids == 0
}

func countMetrics(p payload) (n int, err error) {
	if !p.json {
		// resource_metrics, scope_metrics, metrics, the data of one of five
		// kinds, data_points
		return countFields(p.body, []fields{{1}, {2}, {2}, {5, 7, 9, 10, 11}, {1}})
	}
	type data struct {
		DataPoints []json.RawMessage `json:"dataPoints"`
	}
	var request struct {
		ResourceMetrics []struct {
			ScopeMetrics []struct {
				Metrics []struct {
					Gauge                data `json:"gauge"`
					Sum                  data `json:"sum"`
					Histogram            data `json:"histogram"`
					ExponentialHistogram data `json:"exponentialHistogram"`
					Summary              data `json:"summary"`
				} `json:"metrics"`
			} `json:"scopeMetrics"`
		} `json:"resourceMetrics"`
	}
	if err := unmarshalJSON(p.body, &request); err != nil {
		return 0, err
	}
	for _, resource := range request.ResourceMetrics {
		for _, scope := range resource.ScopeMetrics {
			for _, m := range scope.Metrics {
				for _, d := range []data{m.Gauge, m.Sum, m.Histogram, m.ExponentialHistogram, m.Summary} {
					n += len(d.DataPoints)
				}
			}
		}
	}
	return n, nil
}

// unmarshalJSON bounds the nesting: encoding/json refuses more than 10,000.
func unmarshalJSON(body []byte, dst any) error {
	if err := json.Unmarshal(body, dst); err != nil {
		return fmt.Errorf("%w: %w", otlp.ErrMalformed, err)
	}
	return nil
}

// fields are the numbers of a message's fields that are followed.
type fields []protowire.Number

// countFields returns the number of messages that a path of fields leads to.
func countFields(b []byte, path []fields) (n int, err error) {
	for len(b) > 0 {
		num, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return 0, fmt.Errorf("%w: %w", otlp.ErrMalformed, protowire.ParseError(size))
		}
		b = b[size:]
		if size = protowire.ConsumeFieldValue(num, kind, b); size < 0 {
			return 0, fmt.Errorf("%w: %w", otlp.ErrMalformed, protowire.ParseError(size))
		}
		value := b[:size]
		b = b[size:]
		if kind != protowire.BytesType || !slices.Contains(path[0], num) {
			continue
		}
		if len(path) == 1 {
			n++
			continue
		}
		inner, _ := protowire.ConsumeBytes(value)
		more, err := countFields(inner, path[1:])
		if err != nil {
			return 0, err
		}
		n += more
	}
	return n, nil
}
