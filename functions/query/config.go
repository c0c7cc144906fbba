package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/grafana/dskit/flagext"

	"github.com/spanlake/spanlake/functions/internal/env"
	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/querier"
)

// How answers are given to Lambda.
const (
	responseBuffered = "buffered" // whole, for an HTTP API
	responseStream   = "stream"   // while they are made, for a Function URL in the mode RESPONSE_STREAM
)

// config is the part of the service's keys that queries need, with the same names,
// and what only the function has.
type config struct {
	host        host.Config
	access      host.AccessConfig
	querier     querier.Config
	deleteAfter time.Duration
	response    string
	fanOut      int
}

// registerFlags registers every key and sets its default.
func (c *config) registerFlags(f *flag.FlagSet) {
	c.host.RegisterFlags(f)
	c.access.RegisterFlags(f)
	c.querier.RegisterFlagsWithPrefix("querier.", f)
	f.DurationVar(&c.deleteAfter, "compactor.delete-after", 30*time.Minute, "How long blocks stay after they were merged, by the compactor's settings.")
	f.StringVar(&c.response, "function.response", responseBuffered, "How answers are given to Lambda: buffered, for an HTTP API, or stream, for a Function URL in the mode RESPONSE_STREAM.")
	f.IntVar(&c.fanOut, "function.fan-out", 0, "From how many parts on the parts of a query are done by further invocations of this function. 0: never, and such invocations are refused.")
}

// hedgeAfter is longer than it takes to start a new environment.
const hedgeAfter = 6 * time.Second

// loadConfig reads an environment in the form of os.Environ, for a function with so
// much memory, 0 for any. It names everything that is wrong with it.
func loadConfig(environ []string, memory int64) (c config, err error) {
	register := func(f *flag.FlagSet) {
		c.registerFlags(f)
		c.fit(memory)
		c.querier.HedgeAfter = hedgeAfter
	}
	if err := host.Load("query", environ, register); err != nil {
		return c, err
	}
	return c, c.validate()
}

// fit lowers what is kept in memory by default to half of what there is.
func (c *config) fit(memory int64) {
	if memory <= 0 {
		return
	}
	for size, part := range map[*flagext.Bytes]int64{
		&c.querier.CacheBytes: 16, &c.querier.PageCacheBytes: 16, &c.querier.ResultCacheBytes: 16, &c.querier.JobMemory: 4, &c.querier.MaxMetricsBytes: 8,
	} {
		*size = min(*size, flagext.Bytes(memory/part))
	}
}

func (c *config) validate() error {
	var errs []error
	if c.response != responseBuffered && c.response != responseStream {
		errs = append(errs, fmt.Errorf("%s: want %s or %s", env.Name("function.response"), responseBuffered, responseStream))
	}
	if c.fanOut < 0 || c.fanOut == 1 {
		errs = append(errs, fmt.Errorf("%s: want 0, or at least 2: a query of one part is not divided", env.Name("function.fan-out")))
	}
	if c.deleteAfter <= 0 {
		errs = append(errs, fmt.Errorf("%s must be positive", env.Name("compactor.delete-after")))
	}
	return errors.Join(append(errs, c.host.Validate(), c.access.Validate(), c.querier.Validate())...)
}
