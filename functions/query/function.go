package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/functions/internal/lambda"
	"github.com/spanlake/spanlake/functions/internal/steady"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/catalog/tail"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/protocols"
	"github.com/spanlake/spanlake/internal/settings"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/querier"
)

const (
	// maxBufferedTime is a little less than the 30 s after which API Gateway hangs up.
	maxBufferedTime = 28 * time.Second
	// openPatience is how long the log is waited for.
	openPatience = 10 * time.Second
)

// function is what lives as long as an execution environment.
type function struct {
	*host.Host

	cfg     config
	access  *host.Access
	handler http.Handler
	log     *host.Log
	workers querier.Workers // nil: all is done in this invocation

	once sync.Once
	made answering // by the first request that found the log
}

// answering is the querier, and what it answers over HTTP.
type answering struct {
	querier *querier.Querier
	api     http.Handler
}

// newFunction opens the bucket, which asks nothing of it yet.
func newFunction(ctx context.Context, cfg config, logger *slog.Logger) (*function, error) {
	h, err := host.New(ctx, &cfg.host, logger)
	if err != nil {
		return nil, err
	}
	f := &function{Host: h, cfg: cfg, access: host.NewAccess(&cfg.access, h.Bucket, logger)}
	f.handler = protocols.ProtectQueries(f.access, http.HandlerFunc(f.query))
	return f, nil
}

// start begins to open the log. It goes on until ctx ends. The log is only read, and
// has its own settings.
func (f *function) start(ctx context.Context) {
	f.log = f.OpenLog(ctx, new(settings.Log).Options(&f.cfg.host.NATS))
}

// answers returns what answers as soon as the log is open, or wal.ErrUnavailable
// after a while.
func (f *function) answers(ctx context.Context) (answering, error) {
	ctx, cancel := context.WithTimeout(ctx, openPatience)
	defer cancel()
	log, err := f.log.Await(ctx)
	if err != nil {
		return answering{}, err
	}
	f.once.Do(func() { f.made = f.newAnswering(log) })
	return f.made, nil
}

// newAnswering makes the querier. What it knows of blocks from before a freeze
// counts as long as the log says, which is asked for every query, and erasures are
// asked for at least once a second.
func (f *function) newAnswering(log *wal.Log) answering {
	read, reg := steady.New(log), prometheus.NewRegistry()
	blocks := catalog.New(f.Bucket, read, f.Logger, reg)
	blocks.Expire(f.cfg.deleteAfter / 2) // as in the service
	q := querier.New(f.cfg.querier, blocks, tail.New(read, f.Bucket, f.access.Projects.Prices, reg), f.access.Projects, erasure.NewWatch(erasure.NewStore(f.Bucket)),
		f.Bucket, log.Partitions(), querier.NewBuildInfo(version, revision), f.Logger, reg)
	if f.workers != nil {
		q.ShareWith(f.workers, f.cfg.fanOut)
	}
	return answering{q, protocols.Queries(q)}
}

// handle answers an event: what has the form of a task is one, and cannot have come
// over HTTP.
func (f *function) handle(ctx context.Context, raw []byte) (lambda.Reply, error) {
	f.Thaw()
	if task, ok := parseTask(raw); ok {
		return f.work(ctx, task)
	}
	if f.cfg.response == responseStream {
		answer, err := event.Stream(ctx, http.HandlerFunc(f.serve), raw)
		if err != nil {
			return lambda.Reply{}, err
		}
		return lambda.Reply{Body: answer, ContentType: event.StreamType, Streamed: true}, nil
	}
	answer, err := event.Serve(ctx, http.HandlerFunc(f.serve), raw)
	return lambda.JSON(answer), err
}

// serve answers a request, within the time of its invocation.
func (f *function) serve(w http.ResponseWriter, req *http.Request) {
	if !strings.HasPrefix(req.URL.Path, "/api/") && !protocols.IsRun(req.URL.Path) {
		http.Error(w, "queries are answered below /api/, as Grafana's data source for Tempo asks them, and runs of LangSmith below /runs/", http.StatusNotFound)
		return
	}
	var most time.Duration
	if f.cfg.response == responseBuffered {
		most = maxBufferedTime
	}
	ctx, cancel := host.Answer(req.Context(), most)
	defer cancel()
	f.handler.ServeHTTP(w, req.WithContext(ctx))
}

// query hands a request that may be made to the querier, once there is one.
func (f *function) query(w http.ResponseWriter, req *http.Request) {
	answers, err := f.answers(req.Context())
	if err != nil {
		unavailable(w, req, err)
		return
	}
	answers.api.ServeHTTP(w, req)
}

func unavailable(w http.ResponseWriter, _ *http.Request, err error) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}

// reply is a JSON answer to a task.
func reply(answer any) (lambda.Reply, error) {
	text, err := json.Marshal(answer)
	return lambda.JSON(text), err
}
