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

	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

const (
	contentProtobuf = "application/x-protobuf"
	contentJSON     = "application/json"

	// HeaderProject is the header, and in lower case the gRPC metadata key,
	// that names the project. It is the one that Grafana sends.
	HeaderProject = access.HeaderProject
)

// Bases are the paths below which SDKs for models expect OTLP's own, given
// nothing but the address of a server: Langfuse, LangSmith, and the two bases of
// a LangSmith that somebody hosts.
func Bases() []string {
	return []string{"", "/api/public/otel", "/otel", "/api/otel", "/api/v1/otel"}
}

// Handler serves OTLP over HTTP: POST /v1/traces, /v1/logs, of which only events of
// spans are stored, and /v1/metrics, which stores nothing and says so, below each of
// the bases. LangSmith sends traces
// to the base itself where the user has given it one of OTLP.
func (r *Receiver) Handler() http.Handler {
	mux := http.NewServeMux()
	traces := r.serve(r.exportTraces)
	for _, base := range Bases() {
		mux.HandleFunc(base+"/v1/traces", traces)
		mux.HandleFunc(base+"/v1/logs", r.serve(r.exportLogs))
		mux.HandleFunc(base+"/v1/metrics", r.serve(func(_ context.Context, _ schema.ProjectID, b payload) (partialSuccess, error) {
			return rejectMetrics(b)
		}))
		if base != "" {
			mux.HandleFunc(base, traces)
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		r.writeError(w, req, contentTypeOf(req), fmt.Errorf("%w %q: send OTLP traces to /v1/traces", errNotFound, req.URL.Path))
	})
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

var (
	// errNotFound is answered with 404, errMethod with 405, errUnsupported with 415.
	errNotFound    = errors.New("unknown path")
	errMethod      = errors.New("method not allowed")
	errUnsupported = errors.New("unsupported media type")
)

func (r *Receiver) serve(export exportFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		contentType := contentTypeOf(req)
		success, err := r.export(req, contentType, export)
		if err != nil {
			r.writeError(w, req, contentType, err)
			return
		}
		writeOTLP(w, http.StatusOK, contentType == contentJSON, success.json(), success.protobuf())
	}
}

// Refuse answers an export request as a receiver does that refuses it: for those who
// take requests while there is no receiver yet.
func Refuse(w http.ResponseWriter, req *http.Request, refused *RefusedError) {
	new(Receiver).writeError(w, req, contentTypeOf(req), refused)
}

func contentTypeOf(req *http.Request) string {
	contentType, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	return contentType
}

func (r *Receiver) export(req *http.Request, contentType string, export exportFunc) (partialSuccess, error) {
	if req.Method != http.MethodPost {
		return partialSuccess{}, fmt.Errorf("%w: %s, want POST", errMethod, req.Method)
	}
	if contentType != contentProtobuf && contentType != contentJSON {
		return partialSuccess{}, fmt.Errorf("%w: Content-Type %q, want %s or %s", errUnsupported, req.Header.Get("Content-Type"), contentProtobuf, contentJSON)
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
	if err == nil && result.nothing && otherSignal(p, body) {
		r.metrics.rejectedRequests.WithLabelValues("malformed").Inc()
		return partialSuccess{}, errNotTraces
	}
	return partialSuccess{int64(result.Rejected), result.Reason, "rejectedSpans"}, err
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

// writeError answers with a google.rpc.Status, as OTLP prescribes, or in words
// to who did not send OTLP to a path of OTLP.
func (r *Receiver) writeError(w http.ResponseWriter, req *http.Request, contentType string, err error) {
	status, code := statusOf(w.Header(), err)
	if status == http.StatusInternalServerError {
		r.logger.ErrorContext(req.Context(), "an export request failed", slog.Any("err", err))
	}
	if (errors.Is(err, errNotFound) || errors.Is(err, errMethod)) && contentType != contentProtobuf && contentType != contentJSON {
		http.Error(w, err.Error(), status)
		return
	}
	body := &spb.Status{Code: int32(code), Message: err.Error()} //nolint:gosec // one of grpc's few codes
	jsonBody, _ := protojson.Marshal(body)
	protoBody, _ := proto.Marshal(body) // a status of two scalars always marshals
	writeOTLP(w, status, contentType == contentJSON, jsonBody, protoBody)
}

// statusOf is how a request is answered that failed, with the headers that belong
// to the status.
func statusOf(header http.Header, err error) (int, codes.Code) {
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		header.Set("Retry-After", strconv.Itoa(int(refused.RetryAfter/time.Second)))
		if refused.Overloaded {
			return http.StatusTooManyRequests, codes.ResourceExhausted
		}
		return http.StatusServiceUnavailable, codes.Unavailable
	case errors.Is(err, errTooLarge):
		return http.StatusRequestEntityTooLarge, codes.InvalidArgument
	case errors.Is(err, errNotFound):
		return http.StatusNotFound, codes.NotFound
	case errors.Is(err, errMethod):
		header.Set("Allow", http.MethodPost)
		return http.StatusMethodNotAllowed, codes.InvalidArgument
	case errors.Is(err, errUnsupported):
		return http.StatusUnsupportedMediaType, codes.InvalidArgument
	case errors.Is(err, otlp.ErrMalformed), errors.Is(err, schema.ErrBadProject), errors.Is(err, errEncoding):
		return http.StatusBadRequest, codes.InvalidArgument
	}
	return http.StatusInternalServerError, codes.Internal
}
