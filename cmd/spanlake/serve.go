package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/internal/app"
)

// serve runs the process until ctx ends.
func serve(ctx context.Context, args []string, e env) error {
	cfg, err := app.Load(args, e.lookupEnv)
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return &usageError{err}
	}
	cfg.Version, cfg.Revision = programVersion()
	a, err := app.New(cfg, cfg.Logging.New(e.stderr), prometheus.NewRegistry())
	if err != nil {
		return err
	}
	if _, chosen := e.lookupEnv("GOMAXPROCS"); !chosen {
		a.SpareProcessor()
	}
	greeted := make(chan error, 1)
	running, stopped := context.WithCancel(context.WithoutCancel(ctx))
	go func() { greeted <- greetWhenReady(running, e.stdout, a, &cfg) }()
	err = a.Run(ctx)
	stopped()
	return errors.Join(err, <-greeted)
}

// greetWhenReady prints the banner. When the process ends before it is ready,
// Run knows why.
func greetWhenReady(ctx context.Context, w io.Writer, a *app.App, cfg *app.Config) error {
	if a.AwaitReady(ctx) != nil {
		return nil //nolint:nilerr // Run returns the reason
	}
	blocks, log := cfg.Locations()
	return printBanner(w, banner{
		version: cfg.Version, target: cfg.Target, blocks: blocks, log: log,
		auth: cfg.Auth.Mode, retention: cfg.Retention.Default.String(),
		api: a.APIAddr(), grpc: a.OTLPGRPCAddr(), http: a.OTLPHTTPAddr(),
		now: time.Now(),
	})
}

func serveHelp(w io.Writer) {
	fmt.Fprint(w, `Run spanlake: take spans in, store them, answer queries.

Usage:
  spanlake serve [flags]
  spanlake [flags]

Examples:
  Everything in one process, data below ./spanlake-data:
    spanlake
  Another folder, and take spans from other machines too:
    spanlake serve -data-dir /var/lib/spanlake -otlp.grpc-addr :4317 -otlp.http-addr :4318 -auth.mode keys
  Blocks on S3, with the credentials of the environment:
    spanlake serve -bucket 's3://my-traces?region=eu-west-1'
  Ingesters, queriers and compactors apart, over a NATS cluster and one bucket:
    spanlake serve -target ingester  -nats.url nats://nats:4222 -nats.monitor-urls http://nats:8222 -bucket s3://my-traces
    spanlake serve -target querier   -nats.url nats://nats:4222 -bucket s3://my-traces
    spanlake serve -target compactor -nats.url nats://nats:4222 -bucket s3://my-traces

Every flag is also a key of the file that -config.file names: docs/configuration.md.
`)
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	new(app.Config).RegisterFlags(fs)
	printFlags(w, fs, []section{
		{"General", ""},
		{"Taking spans in", "otlp."},
		{"Queries and operators", "api."},
		{"Who may write and read", "auth."},
		{"Retention of projects that set none", "retention."},
		{"Limits of projects that set none", "limits."},
		{"Projects", "projects."},
		{"The log", "nats."},
		{"The log, when it is created", "log."},
		{"Limits of receiving and storing", "ingester."},
		{"Merging blocks", "compactor."},
		{"Limits of queries", "querier."},
		{"Messages", "logging."},
	})
}
