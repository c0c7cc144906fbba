package ingester

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

const (
	contentProtobuf = "application/x-protobuf"
	contentJSON     = "application/json"

	// HeaderProject is the header, and in lower case the gRPC metadata key,
	// that names the project. It is the one that Grafana sends.
	HeaderProject = "X-Scope-OrgID"
)

// Handler serves OTLP over HTTP: POST /v1/traces, and /v1/logs and /v1/metrics,
// which store nothing and say so.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", r.serve(r.exportTraces))
	mux.HandleFunc("POST /v1/logs", r.serve(func(_ context.Context, _ schema.ProjectID, b payload) (partialSuccess, error) {
		return rejectLogs(b)
	}))
	mux.HandleFunc("POST /v1/metrics", r.serve(func(_ context.Context, _ schema.ProjectID, b payload) (partialSuccess, error) {
		return rejectMetrics(b)
	}))
	return mux
}

// payload is the decompressed body of an export request.
type payload struct {
	body []byte
	json bool
}

// partialSuccess is the one field of every OTLP export response. All three
// signals give it the same numbers.
type partialSuccess struct {
	rejected int64
	message  string
	field    string // JSON name of the count
}

type exportFunc func(ctx context.Context, project schema.ProjectID, p payload) (partialSuccess, error)

// errUnsupported is answered with 415.
var errUnsupported = errors.New("unsupported media type")

func (r *Receiver) serve(export exportFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		contentType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
		asJSON := contentType == contentJSON
		success, err := r.export(req, contentType, export)
		if err != nil {
			r.writeError(w, req, asJSON, err)
			return
		}
		writeOTLP(w, http.StatusOK, asJSON, success.json(), success.protobuf())
	}
}

func (r *Receiver) export(req *http.Request, contentType string, export exportFunc) (partialSuccess, error) {
	if contentType != contentProtobuf && contentType != contentJSON {
		return partialSuccess{}, fmt.Errorf("%w: Content-Type %q, want %s or %s", errUnsupported, contentType, contentProtobuf, contentJSON)
	}
	project, err := projectOf(req.Header.Get(HeaderProject))
	if err != nil {
		return partialSuccess{}, err
	}
	body, err := r.readBody(req)
	if err != nil {
		return partialSuccess{}, err
	}
	defer body.release()
	return export(req.Context(), project, payload{body.bytes, contentType == contentJSON})
}

// projectOf reads the project header. Without one the default project is meant.
func projectOf(header string) (schema.ProjectID, error) {
	if header == "" {
		return schema.DefaultProject, nil
	}
	return schema.ParseProjectID(header)
}

func (r *Receiver) exportTraces(ctx context.Context, project schema.ProjectID, p payload) (partialSuccess, error) {
	body := p.body
	if p.json {
		var err error
		if body, err = otlp.FromJSON(p.body); err != nil {
			r.metrics.rejectedRequests.WithLabelValues("malformed").Inc()
			return partialSuccess{}, err
		}
	}
	result, err := r.Receive(ctx, project, body)
	return partialSuccess{int64(result.Rejected), result.Reason, "rejectedSpans"}, err
}

const tracesOnly = "spanlake stores traces only: send this signal elsewhere"

// rejectLogs and rejectMetrics answer what a Collector sends with one exporter
// for everything: an error would make it retry for ever.
func rejectLogs(p payload) (partialSuccess, error) {
	req := plogotlp.NewExportRequest()
	if err := unmarshal(p, req.UnmarshalProto, req.UnmarshalJSON); err != nil {
		return partialSuccess{}, err
	}
	return partialSuccess{int64(req.Logs().LogRecordCount()), tracesOnly, "rejectedLogRecords"}, nil
}

func rejectMetrics(p payload) (partialSuccess, error) {
	req := pmetricotlp.NewExportRequest()
	if err := unmarshal(p, req.UnmarshalProto, req.UnmarshalJSON); err != nil {
		return partialSuccess{}, err
	}
	return partialSuccess{int64(req.Metrics().DataPointCount()), tracesOnly, "rejectedDataPoints"}, nil
}

func unmarshal(p payload, fromProto, fromJSON func([]byte) error) error {
	decode := fromProto
	if p.json {
		decode = fromJSON
	}
	if err := decode(p.body); err != nil {
		return fmt.Errorf("%w: %w", otlp.ErrMalformed, err)
	}
	return nil
}

// protobuf is an Export*ServiceResponse, the same bytes for all three signals:
// partial_success = 1 {rejected = 1, error_message = 2}, left out when all is
// stored, as OTLP demands.
func (s partialSuccess) protobuf() []byte {
	if s.rejected == 0 && s.message == "" {
		return nil
	}
	return appendMessage(nil, 1, appendString(appendVarint(nil, 1, uint64(s.rejected)), 2, s.message)) //nolint:gosec // a count
}

func (s partialSuccess) json() []byte {
	fields := map[string]string{}
	if s.rejected != 0 || s.message != "" {
		fields[s.field] = strconv.FormatInt(s.rejected, 10)
		fields["errorMessage"] = s.message
	}
	body, _ := json.Marshal(map[string]any{"partialSuccess": fields}) // maps of strings always marshal
	return body
}

func writeOTLP(w http.ResponseWriter, status int, asJSON bool, jsonBody, protoBody []byte) {
	body, contentType := protoBody, contentProtobuf
	if asJSON {
		body, contentType = jsonBody, contentJSON
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone; its spans are durable
}

// writeError answers with a google.rpc.Status, as OTLP prescribes.
func (r *Receiver) writeError(w http.ResponseWriter, req *http.Request, asJSON bool, err error) {
	status, code := http.StatusInternalServerError, codes.Internal
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		status, code = http.StatusServiceUnavailable, codes.Unavailable
		if refused.Overloaded {
			status, code = http.StatusTooManyRequests, codes.ResourceExhausted
		}
		w.Header().Set("Retry-After", strconv.Itoa(int(refused.RetryAfter/time.Second)))
	case errors.Is(err, errTooLarge):
		status, code = http.StatusRequestEntityTooLarge, codes.InvalidArgument
	case errors.Is(err, errUnsupported):
		status, code = http.StatusUnsupportedMediaType, codes.InvalidArgument
	case errors.Is(err, otlp.ErrMalformed), errors.Is(err, schema.ErrBadProject), errors.Is(err, errEncoding):
		status, code = http.StatusBadRequest, codes.InvalidArgument
	default:
		r.logger.ErrorContext(req.Context(), "an export request failed", slog.Any("err", err))
	}
	body := &spb.Status{Code: int32(code), Message: err.Error()} //nolint:gosec // one of grpc's few codes
	jsonBody, _ := protojson.Marshal(body)
	protoBody, _ := proto.Marshal(body) // a status of two scalars always marshals
	writeOTLP(w, status, asJSON, jsonBody, protoBody)
}
