package querier

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/klauspost/compress/gzip"

	"github.com/spanlake/spanlake/schema"
)

// headerProject names the project of a request.
const headerProject = "X-Scope-OrgID"

const (
	contentJSON     = "application/json"
	contentProtobuf = "application/protobuf"
	contentText     = "text/plain; charset=utf-8"
)

// reply is the body of a successful answer.
type reply struct {
	status      int // 0: 200
	contentType string
	body        []byte
}

type apiFunc func(ctx context.Context, project schema.ProjectID, req *http.Request) (reply, error)

// Handler serves the query API below /api/. Replies are compressed when the
// client accepts it. Methods are not looked at, as with Tempo.
func (q *Querier) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/echo", echo)
	mux.HandleFunc("/api/status/buildinfo", q.buildInfo)
	mux.HandleFunc("/api/traces/{id}", q.serve("trace_v1", q.traceV1))
	mux.HandleFunc("/api/v2/traces/{id}", q.serve("trace_v2", q.traceV2))
	mux.HandleFunc("/api/search", q.serve("search", q.search))
	mux.HandleFunc("/api/metrics/query_range", q.serve("metrics_range", q.metricsRange))
	mux.HandleFunc("/api/metrics/query", q.serve("metrics_instant", q.metricsInstant))
	mux.HandleFunc("/api/search/tags", q.serve("tags_v1", q.tagsV1))
	mux.HandleFunc("/api/v2/search/tags", q.serve("tags_v2", q.tagsV2))
	return compress(q.withTagValues(mux))
}

// compress answers compressed what is worth it, as fast as that goes: an answer
// of megabytes is to be there soon.
func compress(next http.Handler) http.Handler {
	wrap, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(gzip.BestSpeed))
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
	return func(w http.ResponseWriter, req *http.Request) {
		begun := time.Now()
		ctx, cancel := q.withLimits(req.Context())
		defer cancel()
		code, err := q.answer(ctx, w, req, f)
		q.metrics.queries.WithLabelValues(name, strconv.Itoa(code)).Observe(time.Since(begun).Seconds())
		if code >= http.StatusInternalServerError {
			q.logger.ErrorContext(ctx, "a query failed", slog.String("query", name), slog.Any("err", err))
		}
	}
}

func (q *Querier) answer(ctx context.Context, w http.ResponseWriter, req *http.Request, f apiFunc) (int, error) {
	project, err := projectOf(req.Header.Get(headerProject))
	var r reply
	if err == nil {
		r, err = f(ctx, project, req)
	}
	if err = q.limited(ctx, err); err != nil {
		r = reply{status(err), contentText, []byte(err.Error())}
	}
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.contentType != "" {
		w.Header().Set("Content-Type", r.contentType)
	}
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // the client is gone: nobody is left to tell
	return r.status, err
}

func projectOf(header string) (schema.ProjectID, error) {
	if header == "" {
		return schema.DefaultProject, nil
	}
	return schema.ParseProjectID(header)
}

// wantsProtobuf decides the encoding as Tempo does: protobuf if it is accepted
// at all, else JSON.
func wantsProtobuf(req *http.Request) bool {
	return strings.Contains(req.Header.Get("Accept"), contentProtobuf)
}
