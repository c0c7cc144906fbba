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

	"github.com/spanlake/spanlake/querier/tempopb"
)

// newAPI serves the API port: HTTP, and gRPC over HTTP/2 without TLS, which
// Grafana expects under the same address. grpc.Server's own listener cannot
// share a port, its handler can.
func (a *App) newAPI() services.Service {
	calls := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(calls, health{ready: a.ready})
	routes := a.routes()
	s := newHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		switch isCall := req.ProtoMajor == 2 && strings.HasPrefix(req.Header.Get("Content-Type"), "application/grpc"); {
		case isCall && a.cfg.answers() && strings.HasPrefix(req.URL.Path, "/"+tempopb.ServiceName+"/"):
			a.queries.ServeHTTP(w, req) // while it is closed clients take 503 for UNAVAILABLE
		case isCall:
			calls.ServeHTTP(w, req)
		default:
			routes.ServeHTTP(w, req)
		}
	}), a.logger)
	return a.api.service(s.Serve, func(ctx context.Context) {
		shutdownHTTP(ctx, s)
		calls.Stop()
	})
}

func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", a.serveReady)
	mux.Handle("/metrics", promhttp.HandlerFor(a.reg, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	mux.Handle("/debug/pprof/", localOnly(pprofHandler()))
	if a.cfg.receives() {
		mux.Handle("POST /flush", localOnly(&a.flushes))
	}
	if !a.cfg.answers() {
		return mux
	}
	// Not through the mux, which redirects to a cleaned path: those of tags
	// hold names with slashes and dots.
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if strings.HasPrefix(req.URL.Path, "/api/") {
			a.queries.ServeHTTP(w, req)
			return
		}
		mux.ServeHTTP(w, req)
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
