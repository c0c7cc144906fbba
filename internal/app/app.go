package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"

	"github.com/grafana/dskit/services"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wire/workers"
	"github.com/spanlake/spanlake/querier"
)

// App is a process made of the modules that its target needs. Use New, then
// Run once.
type App struct {
	cfg    Config
	logger *slog.Logger
	reg    *prometheus.Registry

	onShared func(shared bool) // nil: nobody is told

	names   []string                    // of the modules in use, a module after those it needs
	parts   map[string]services.Service // what the modules are made of
	modules map[string]services.Service // the same, started and stopped in order
	manager *services.Manager

	api, otlpGRPC, otlpHTTP *port
	queries, flushes, admin gate
	access                  *access.Guard
	stopping                shutdown

	// Each is set by one module while it starts, and read by modules that
	// need that one.
	opened   *openedBucket
	bucket   objstore.Bucket // the same, with retries and metrics
	projects *project.Directory
	log      *wal.Log
	catalog  *catalog.Catalog
	live     *ingester.Builder
	receiver *ingester.Receiver
	querier  *querier.Querier
	workers  *workers.Pool // of queriers that run apart
	erasures erasures

	eraser atomic.Pointer[querier.Querier] // while the querier runs
}

// New returns a process that does nothing yet: it opens neither files nor
// ports. All metrics go to reg, which serves /metrics.
func New(cfg Config, logger *slog.Logger, reg *prometheus.Registry) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &App{
		cfg: cfg, logger: logger, reg: reg,
		parts:    make(map[string]services.Service),
		stopping: shutdown{total: cfg.Shutdown.Timeout},
		access:   access.New(cfg.Auth.Mode, reg),
	}
	a.api = &port{key: "api.addr", addr: cfg.API.Addr, phase: phaseClose, stopping: &a.stopping}
	a.otlpGRPC = &port{key: "otlp.grpc-addr", addr: cfg.OTLP.GRPCAddr, phase: phaseReceive, stopping: &a.stopping}
	a.otlpHTTP = &port{key: "otlp.http-addr", addr: cfg.OTLP.HTTPAddr, phase: phaseReceive, stopping: &a.stopping}
	if err := a.registerMetrics(); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	if err := a.buildModules(); err != nil {
		return nil, fmt.Errorf("build the modules: %w", err)
	}
	return a, nil
}

func (a *App) registerMetrics() error {
	info := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "spanlake_build_info", Help: "Always 1, with the program's version.",
		ConstLabels: prometheus.Labels{"version": a.cfg.Version, "revision": a.cfg.Revision},
	}, func() float64 { return 1 })
	return errors.Join(
		a.reg.Register(collectors.NewGoCollector()),
		a.reg.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
		a.reg.Register(info),
	)
}

// SpareProcessor gives Go one processor more than there are while the queries of
// several projects share them. Queries take turns on as many as there are: with all
// of them busy Go would look only every 10 ms whether something else, like another
// request, has arrived. It must be called before Run.
func (a *App) SpareProcessor() {
	processors := runtime.GOMAXPROCS(0)
	a.onShared = func(shared bool) {
		if shared {
			runtime.GOMAXPROCS(processors + 1)
		} else {
			runtime.GOMAXPROCS(processors)
		}
	}
}

// Run starts all modules, works until ctx ends or a module fails, and stops
// them in order. It returns when everything has stopped: nil when ctx was the
// reason, else the failure.
func (a *App) Run(ctx context.Context) error {
	background := context.WithoutCancel(ctx) // modules stop one after the other, not all at once
	a.manager.AddListener(services.NewManagerListener(nil, nil, func(services.Service) { a.manager.StopAsync() }))
	startErr := a.manager.StartAsync(background)
	if startErr != nil { // the listener has stopped modules that were not started yet
		a.manager.StopAsync()
	}
	release := context.AfterFunc(ctx, func() {
		a.logger.Info("stopping")
		a.manager.StopAsync()
	})
	defer release()
	if err := a.manager.AwaitStopped(background); err != nil {
		return err
	}
	err := orError(a.failure(), startErr)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // a start that was cut short
	}
	return err
}

// failure is why the first module that failed of its own did, or else why one
// did whose start was cut short.
func (a *App) failure() error {
	var interrupted error
	for _, name := range a.names {
		switch err := a.parts[name].FailureCase(); {
		case errors.Is(err, context.Canceled):
			interrupted = orError(interrupted, err)
		case err != nil:
			return err
		}
	}
	return interrupted
}

// AwaitReady returns nil when all modules run and the log is usable, or fails
// when they cannot. Run tells why.
func (a *App) AwaitReady(ctx context.Context) error { return a.manager.AwaitHealthy(ctx) }

// APIAddr is where the API port listens, nil before it does.
func (a *App) APIAddr() net.Addr { return a.api.bound() }

// OTLPGRPCAddr is where OTLP over gRPC is taken, nil before and without it.
func (a *App) OTLPGRPCAddr() net.Addr { return a.otlpGRPC.bound() }

// OTLPHTTPAddr is where OTLP over HTTP is taken, nil before and without it.
func (a *App) OTLPHTTPAddr() net.Addr { return a.otlpHTTP.bound() }
