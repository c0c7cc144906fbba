package app

import (
	"context"
	"slices"

	"github.com/grafana/dskit/modules"
	"github.com/grafana/dskit/services"
)

// The modules of a process.
const (
	moduleFolder   = "folder"
	moduleAPI      = "api"
	moduleBucket   = "bucket"
	moduleProjects = "projects"
	moduleAdmin    = "admin"
	moduleLog      = "log"
	moduleLive     = "live"
	moduleFollower = "follower"
	moduleQuerier  = "querier"
	moduleWorker   = "worker"
	moduleBuilder  = "builder"
	moduleFlush    = "flush"
	moduleReceiver = "receiver"
	moduleOTLPGRPC = "otlp-grpc"
	moduleOTLPHTTP = "otlp-http"
	moduleCompact  = "compactor"
	moduleCounts   = "spanmetrics"
)

// module is a row of the table: it starts after and stops before those it needs.
type module struct {
	name  string
	make  func() services.Service
	needs []string
}

// table lists the modules of the target, each below those that it needs. Only
// the data folder's lock comes before the API port, so that a second process
// on one folder hears of the folder and not of the port.
func (a *App) table() []module {
	rows := []module{
		{moduleFolder, func() services.Service { return newFolder(a.cfg.DataDir) }, nil},
		{moduleAPI, a.newAPI, []string{moduleFolder}},
		{moduleBucket, a.newBucket, []string{moduleAPI}},
		{moduleProjects, a.newProjects, []string{moduleBucket}},
		{moduleLog, a.newLog, []string{moduleProjects}},
		{moduleAdmin, a.newAdmin, []string{moduleLog}},
	}
	if !a.cfg.usesDataDir() {
		rows[0].make = func() services.Service { return services.NewIdleService(nil, nil) }
	}
	if a.compacts() {
		rows = append(rows, module{moduleCompact, a.newCompactor, []string{moduleLog}})
	}
	if a.cfg.Target == TargetCompactor {
		return rows
	}
	rows = append(rows, module{moduleLive, a.newLive, []string{moduleLog}})
	builderNeeds := []string{moduleLive}
	if a.cfg.SpanMetrics.Enabled && a.cfg.Target != TargetQuerier {
		rows = append(rows, module{moduleCounts, a.newSpanMetrics, []string{moduleLog}})
	}
	switch a.cfg.Target {
	case TargetQuerier:
		return append(rows,
			module{moduleFollower, a.newBuilder, []string{moduleLive}},
			module{moduleQuerier, a.newQuerier, []string{moduleFollower, moduleAdmin}},
			module{moduleWorker, a.newWorker, []string{moduleQuerier}})
	case TargetAll:
		// The querier answers while the builder, whose live data it reads,
		// flushes at the end. At the start it waits for the builder.
		rows = append(rows, module{moduleQuerier, a.newQuerier, []string{moduleLive, moduleAdmin}})
		builderNeeds = append(builderNeeds, moduleQuerier)
	}
	return append(rows,
		module{moduleBuilder, a.newBuilder, builderNeeds},
		module{moduleFlush, a.newFlush, []string{moduleBuilder}},
		module{moduleReceiver, a.newReceiver, []string{moduleBuilder}},
		module{moduleOTLPGRPC, a.newOTLPGRPC, []string{moduleReceiver}},
		module{moduleOTLPHTTP, a.newOTLPHTTP, []string{moduleReceiver}})
}

func (a *App) buildModules() error {
	manager := modules.NewManager(kitLogger{a.logger})
	for _, row := range a.table() {
		part := row.make()
		a.names = append(a.names, row.name)
		a.parts[row.name] = part
		manager.RegisterModule(row.name, func() (services.Service, error) { return part, nil })
		if err := manager.AddDependency(row.name, row.needs...); err != nil {
			return err
		}
	}
	var err error
	if a.modules, err = manager.InitModuleServices(a.names...); err != nil {
		return err
	}
	all := make([]services.Service, 0, len(a.names))
	for _, name := range slices.Sorted(slices.Values(a.names)) {
		all = append(all, a.modules[name])
	}
	a.manager, err = services.NewManager(all...)
	return err
}

// late is a service that is made only when those it needs run, because it is
// made of what they have opened.
func late(build func(ctx context.Context) (services.Service, error)) services.Service {
	var inner services.Service
	start := func(ctx context.Context) error {
		made, err := build(ctx)
		if err != nil {
			return err
		}
		inner = made
		return startInner(ctx, inner)
	}
	// The end of ctx is what stops the inner one: it is the parent of its own.
	run := func(ctx context.Context) error {
		_ = inner.AwaitTerminated(context.WithoutCancel(ctx)) // its failure, without dskit's frame:
		return inner.FailureCase()
	}
	return services.NewBasicService(start, run, nil)
}

// startInner starts a service whose end is that of ctx, and waits until it runs.
func startInner(ctx context.Context, inner services.Service) error {
	if err := inner.StartAsync(ctx); err != nil {
		return err
	}
	if err := inner.AwaitRunning(context.WithoutCancel(ctx)); err != nil {
		return orError(inner.FailureCase(), orError(ctx.Err(), err))
	}
	return nil
}

func orError(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
