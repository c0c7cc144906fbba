package querier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc"

	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// headerProject names the project of a request.
const headerProject = "X-Scope-OrgID"

const (
	contentJSON     = "application/json"
	contentProtobuf = "application/protobuf"
	contentLLM      = "application/vnd.grafana.llm"
	contentGRPC     = "application/grpc"
	contentText     = "text/plain; charset=utf-8"
)

// reply is the body of a successful answer.
type reply struct {
	status      int // 0: 200
	contentType string
	body        []byte
	stream      func(io.Writer) error // writes a body that is too large for memory, else nil
}

type apiFunc func(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error)

// Handler serves the query API: HTTP below /api/, and over HTTP/2 calls of the
// gRPC service tempopb.StreamingQuerier. Replies are compressed when the client
// accepts it. Methods are not looked at, as with Tempo.
func (q *Querier) Handler() http.Handler {
	calls := grpc.NewServer(tempopb.ServerOption())
	tempopb.Register(calls, streams{q})
	web := q.webHandler()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		patient := newPatient(w, patience)
		defer patient.rest()
		if req.ProtoMajor == 2 && strings.HasPrefix(req.Header.Get("Content-Type"), contentGRPC) {
			calls.ServeHTTP(patient, req)
			return
		}
		web.ServeHTTP(patient, req)
	})
}

// route is a path of HTTP, as a pattern of http.ServeMux, and what answers there.
type route struct {
	path    string
	handler http.HandlerFunc
}

func (q *Querier) routes() []route {
	return []route{
		{"/api/echo", echo},
		{"/api/status/buildinfo", q.buildInfo},
		{"/api/traces/{id}", q.serve("trace_v1", q.traceV1)},
		{"/api/v2/traces/{id}", q.serve("trace_v2", q.traceV2)},
		{"/api/search", q.serve("search", q.search)},
		{"/api/metrics/query_range", q.serve("metrics_range", q.metricsRange)},
		{"/api/metrics/query", q.serve("metrics_instant", q.metricsInstant)},
		{"/api/sessions", q.serve("sessions", q.sessions)},
		{"/api/sessions/{id...}", q.serve("session", q.session)},
		{"/api/search/tags", q.serve("tags_v1", q.tagsV1)},
		{"/api/v2/search/tags", q.serve("tags_v2", q.tagsV2)},
	}
}

// Paths are all that Handler answers to over HTTP, as patterns of http.ServeMux.
func (q *Querier) Paths() []string {
	paths := []string{pathTagValuesV1 + "{name}/values", pathTagValuesV2 + "{name}/values"}
	for _, r := range q.routes() {
		paths = append(paths, r.path)
	}
	return paths
}

func (q *Querier) webHandler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range q.routes() {
		mux.HandleFunc(r.path, r.handler)
	}
	return withSocket(compress(q.withTagValues(mux)))
}

// compress answers compressed what is worth it, as fast as that goes: an answer
// of megabytes is to be there soon.
func compress(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(gzip.BestSpeed),
		gzhttp.EnableZstd(true), gzhttp.ZstdCompressionLevel(int(zstd.SpeedFastest)))
	if err != nil {
		return next // the level is valid
	}
	return wrap(next)
}

// withTagValues serves tag values before next sees the path: names of tags may
// hold slashes and dots, which a ServeMux would clean away.
func (q *Querier) withTagValues(next http.Handler) http.Handler {
	v1, v2 := q.serve("tag_values_v1", q.tagValuesV1), q.serve("tag_values_v2", q.tagValuesV2)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, ok := tagOf(req.URL.Path, pathTagValuesV1); ok {
			v1(w, req)
			return
		}
		if _, ok := tagOf(req.URL.Path, pathTagValuesV2); ok {
			v2(w, req)
			return
		}
		next.ServeHTTP(w, req)
	})
}

// serve is what all queries share: project, time limit, errors, metrics.
func (q *Querier) serve(name string, f apiFunc) http.HandlerFunc {
	return q.serveAs(name, f, failedText)
}

// serveAs is the same with failures in another form.
func (q *Querier) serveAs(name string, f apiFunc, failed func(status int, err error) reply) http.HandlerFunc {
	return func(w http.ResponseWriter, req *http.Request) {
		begun := time.Now()
		ctx, cancel := q.withLimits(req.Context())
		defer cancel()
		code, err := q.answer(ctx, w, req, f, failed)
		q.metrics.queries.WithLabelValues(name, strconv.Itoa(code)).Observe(time.Since(begun).Seconds())
		if code >= http.StatusInternalServerError {
			q.logger.ErrorContext(ctx, "a query failed", slog.String("query", name), slog.Any("err", err))
		}
		if errors.Is(err, errBroken) {
			panic(http.ErrAbortHandler) // a reply that just ended would look like a whole one
		}
	}
}

// errBroken means that an answer failed after its beginning was sent, and
// errClientGone that nobody takes it.
var (
	errBroken     = errors.New("the answer broke off")
	errClientGone = errors.New("the client is gone")
)

func (q *Querier) answer(ctx context.Context, w http.ResponseWriter, req *http.Request, f apiFunc, failed func(int, error) reply) (int, error) {
	begun := time.Now()
	projects, err := projectsOf(req.Header.Get(headerProject))
	var r reply
	if err == nil {
		err = q.permitted(ctx, projects, func() (err error) {
			r, err = f(ctx, projects, req)
			return err
		})
	}
	if err = q.limited(ctx, err); err != nil {
		r = failed(status(err), err)
	}
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if used := usageOf(ctx); used.explain {
		used.writeTo(w.Header(), time.Since(begun))
	}
	if r.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "1")
	}
	if r.contentType != "" {
		w.Header().Set("Content-Type", r.contentType)
	}
	w.WriteHeader(r.status)
	if r.stream == nil {
		q.writeBody(ctx, w, projects, r.body)
		return r.status, err
	}
	if err = q.limited(ctx, r.stream(w)); err != nil {
		return status(err), fmt.Errorf("%w: %w", errBroken, err)
	}
	return r.status, nil
}

// separator stands between the projects in a header.
const separator = "|"

// maxProjects is how many projects one query may read.
const maxProjects = 100

// projectsOf reads the projects that a header names, each once and sorted: those
// that a query reads together.
func projectsOf(header string) ([]schema.ProjectID, error) {
	if header == "" {
		return []schema.ProjectID{schema.DefaultProject}, nil
	}
	names := strings.Split(header, separator)
	if len(names) > maxProjects {
		return nil, badRequest("%s names %d projects, more than the limit of %d", headerProject, len(names), maxProjects)
	}
	projects := make([]schema.ProjectID, len(names))
	for i, name := range names {
		var err error
		if projects[i], err = schema.ParseProjectID(name); err != nil {
			return nil, err
		}
	}
	slices.Sort(projects)
	return slices.Compact(projects), nil
}

// formatOf decides the form of a reply as Tempo does: protobuf if it is
// accepted at all, else JSON.
func formatOf(req *http.Request) (tempopb.Format, string) {
	if strings.Contains(req.Header.Get("Accept"), contentProtobuf) {
		return tempopb.Protobuf, contentProtobuf
	}
	return tempopb.JSON, contentJSON
}

// wantsLLM reports whether the compact form for language models is wanted,
// which comes last.
func wantsLLM(req *http.Request) bool {
	accept := req.Header.Get("Accept")
	return !strings.Contains(accept, contentProtobuf) && !strings.Contains(accept, contentJSON) && strings.Contains(accept, contentLLM)
}

// write is the same for replies that may be large.
func (q *Querier) write(ctx context.Context, projects []schema.ProjectID, req *http.Request, r tempopb.Reply) (all reply, err error) {
	err = q.inTurn(ctx, projects, func(context.Context) error {
		all = write(req, r)
		return nil
	})
	return all, err
}

// write makes a reply in the form that the client accepts.
func write(req *http.Request, r tempopb.Reply) reply {
	format, contentType := formatOf(req)
	return reply{contentType: contentType, body: tempopb.Append(nil, format, r)}
}
