package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/grafana/dskit/services"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/ingester/jaeger"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/protocols"
)

const (
	// readTimeout bounds the whole of an OTLP request: 64 MB at 1 MB/s.
	readTimeout = 64 * time.Second
	// writeTimeout leaves a publish its time after the last byte was read.
	writeTimeout = 2 * time.Minute
	// minPingInterval is how often exporters may ping; usual are 10 s and more.
	minPingInterval = 5 * time.Second
	// maxConnectionAge makes exporters connect anew, so that they spread over
	// the processes behind a balancer.
	maxConnectionAge = 30 * time.Minute
)

func (a *App) newReceiver() services.Service {
	return late(func(context.Context) (services.Service, error) {
		a.receiver = ingester.NewReceiver(a.cfg.Ingester, a.log, a.bucket, a.projects, a.logger.With(slog.String("component", "receiver")), a.reg)
		return a.stopping.bounded(phasePublish, a.receiver), nil
	})
}

func (a *App) newOTLPHTTP() services.Service {
	return late(func(context.Context) (services.Service, error) {
		s := newHTTPServer(a.serveOTLP(), a.logger)
		s.ReadTimeout, s.WriteTimeout = readTimeout, writeTimeout
		return a.otlpHTTP.service(s.Serve, func(ctx context.Context) { shutdownHTTP(ctx, s) }), nil
	})
}

// serveOTLP is the port of OTLP over HTTP, with the other protocols beside it.
func (a *App) serveOTLP() http.Handler {
	receiving := protocols.Receiving{Receiver: a.receiver, Bucket: a.bucket, Projects: a.projects, Version: a.cfg.Version}
	if a.querier != nil { // else the process that answers queries is another one
		receiving.Spans = a.querier
	}
	return receiving.Handler(a.access, a.readsBesideOTLP())
}

func (a *App) newOTLPGRPC() services.Service {
	return late(func(context.Context) (services.Service, error) {
		s := grpc.NewServer(append(a.receiver.ServerOptions(),
			grpc.InTapHandle(a.access.TapIngest),
			grpc.MaxHeaderListSize(access.MaxHeaderBytes),
			grpc.ConnectionTimeout(readHeaderTimeout),
			grpc.KeepaliveParams(keepalive.ServerParameters{
				MaxConnectionAge: maxConnectionAge, MaxConnectionAgeGrace: writeTimeout,
				Time: pingInterval, Timeout: pingTimeout,
			}),
			grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPingInterval, PermitWithoutStream: true}),
		)...)
		a.receiver.RegisterGRPC(s)
		jaeger.NewHandler(a.receiver).RegisterGRPC(s)
		grpc_health_v1.RegisterHealthServer(s, health{ready: a.ready})
		return a.otlpGRPC.service(func(l net.Listener) error { return s.Serve(l) },
			func(ctx context.Context) { shutdownGRPC(ctx, s) }), nil
	})
}

// shutdownGRPC lets calls finish until ctx ends and cuts off the rest.
func shutdownGRPC(ctx context.Context, s *grpc.Server) {
	release := context.AfterFunc(ctx, s.Stop)
	defer release()
	s.GracefulStop() // returns early when stopped
}
