package ingester

import (
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
)

const tracesOnly = "spanlake stores traces only: send this signal elsewhere"

// rejectLogs and rejectMetrics answer what a Collector sends with one exporter
// for everything: an error would make it retry for ever. Records are counted,
// not decoded: their values may nest as deep as a client likes.
func rejectLogs(p payload) (partialSuccess, error) {
	n, err := countLogs(p)
	return partialSuccess{int64(n), tracesOnly, "rejectedLogRecords"}, err
}

func rejectMetrics(p payload) (partialSuccess, error) {
	n, err := countMetrics(p)
	return partialSuccess{int64(n), tracesOnly, "rejectedDataPoints"}, err
}

func countLogs(p payload) (n int, err error) {
	if !p.json {
		// resource_logs, scope_logs, log_records
		return countFields(p.body, []fields{{1}, {2}, {2}})
	}
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
