// Command ingest is an AWS Lambda function (provided.al2023) that takes OTLP over
// HTTP and the other protocols as the service does: it answers when the log has
// acknowledged.
// Format of its events: package event. Configuration: docs/functions.md.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/spanlake/spanlake/functions/internal/host"
)

// version is set by the build.
var version string

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "ingest:", err)
		os.Exit(1)
	}
}

// run serves events until the environment is thrown away, which ends the process.
func run(ctx context.Context) error {
	host.LimitMemory(os.LookupEnv)
	cfg, err := loadConfig(os.Environ())
	if err != nil {
		return err
	}
	f, err := newFunction(ctx, cfg, cfg.host.Logging.New(os.Stderr))
	if err != nil {
		return err
	}
	f.start(ctx)
	lambda.StartWithOptions(f.handle, lambda.WithContext(ctx))
	return nil
}
