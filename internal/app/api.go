package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/protocols"
	"github.com/spanlake/spanlake/querier/jaeger"
	"github.com/spanlake/spanlake/querier/tempopb"
)

// newAPI serves the API port: HTTP, and gRPC over HTTP/2 without TLS, which
// Grafana expects under the same address. grpc.Server's own listener cannot
// share a port, its handler can.
func (a *App) newAPI() services.Service {
	calls := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(calls, health{ready: a.ready})
	s := newHTTPServer(a.serveAPI(calls), a.logger)
	return a.api.service(s.Serve, func(ctx context.Context) {
		shutdownHTTP(ctx, s)
		calls.Stop()
	})
}

// serveAPI joins gRPC and HTTP. Calls that are not of the query API get what
// the server of calls has, the health of the process.
func (a *App) serveAPI(calls http.Handler) http.Handler {
	queries, routes := protocols.ProtectQueries(a.access, &a.queries), a.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch {
		case access.IsCall(req) && a.cfg.answers() && strings.HasPrefix(req.URL.Path, "/"+tempopb.ServiceName+"/"):
			queries.ServeHTTP(w, req) // while it is closed clients take 503 for UNAVAILABLE
		case access.IsCall(req):
			calls.ServeHTTP(w, req)
		default:
			routes.ServeHTTP(w, req)
		}
	})
}

// pathProjects is where projects are administered.
const pathProjects = "/api/projects"

// routes are the paths of HTTP, each with what it takes to come there. What is
// not here does not exist, and what stands behind "/api/" and "/jaeger/" takes
// a key with the scope of queries, whatever it is.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", a.serveReady)
	mux.Handle("/metrics", a.access.Protect(project.ScopeMetrics, promhttp.HandlerFor(a.reg, promhttp.HandlerOpts{EnableOpenMetrics: true})))
	mux.Handle("/debug/pprof/", localOnly(pprofHandler()))
	if a.cfg.receives() {
		mux.Handle("POST /flush", localOnly(&a.flushes))
	}
	admin := a.access.Protect(project.ScopeAdmin, &a.admin)
	if a.cfg.Auth.Mode == access.ModeNone {
		admin = localOnly(admin)
	}
	queries := http.NotFoundHandler()
	if a.cfg.answers() {
		queries = &a.queries
	}
	queries = protocols.ProtectQueries(a.access, queries)
	// Not through the mux, which redirects to a cleaned path: those of tags
	// hold names with slashes and dots.
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch path := req.URL.Path; {
		case path == pathProjects || strings.HasPrefix(path, pathProjects+"/"):
			admin.ServeHTTP(w, req)
		case strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, jaeger.Prefix):
			queries.ServeHTTP(w, req)
		default:
			mux.ServeHTTP(w, req)
		}
	})
}

func (a *App) serveReady(w http.ResponseWriter, _ *http.Request) {
	if err := a.ready(); err != nil {
		unavailable(w, "not ready: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ready\n"))
}

// ready returns nil while every module runs and the log can be used, else what
// is missing.
func (a *App) ready() error {
	var missing []string
	for _, name := range a.names {
		if state := a.modules[name].State(); state != services.Running {
			missing = append(missing, fmt.Sprintf("%s is %s", name, strings.ToLower(state.String())))
		}
	}
	if len(missing) > 0 {
		return errors.New(strings.Join(missing, ", "))
	}
	return a.log.Ready()
}

func unavailable(w http.ResponseWriter, text string) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, text, http.StatusServiceUnavailable)
}
