// Command compact is an AWS Lambda function (provided.al2023) that a schedule
// invokes: blocks are merged and deleted by the code of the compactor.
// Format of its events: event.Task. Configuration: docs/functions.md.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/spanlake/spanlake/functions/internal/host"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "compact:", err)
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
	lambda.StartWithOptions(f.handle, lambda.WithContext(ctx))
	return nil
}
