// Command query is an AWS Lambda function (provided.al2023) that answers queries as
// the service's querier does, and reads what is not in blocks yet in the log itself.
// Format of its events: package event, and taskEvent. Configuration: docs/functions.md.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/functions/internal/lambda"
)

// version and revision are set by the build.
var version, revision string

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "query:", err)
		os.Exit(1)
	}
}

// run serves events until the environment is thrown away, which ends the process.
func run(ctx context.Context) error {
	host.LimitMemory(os.LookupEnv)
	cfg, err := loadConfig(os.Environ(), host.Memory(os.LookupEnv))
	if err != nil {
		return err
	}
	f, err := newFunction(ctx, cfg, cfg.host.Logging.New(os.Stderr))
	if err != nil {
		return err
	}
	if cfg.fanOut > 0 {
		if err := f.shareWithOthers(ctx, os.Getenv); err != nil {
			return err
		}
	}
	f.start(ctx)
	return lambda.Serve(ctx, os.Getenv(lambda.AddressVariable), f.handle)
}
