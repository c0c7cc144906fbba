package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/spanlake/spanlake/functions/internal/env"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/settings"
)

// config is the part of the service's keys that receiving needs, with the same
// names and defaults.
type config struct {
	bucket    string
	auth      settings.Auth
	retention settings.Retention
	projects  settings.Projects
	limits    project.Limits
	nats      settings.NATS
	log       settings.Log
	ingester  ingester.Config
	logging   settings.Logging
}

// registerFlags registers every key and sets its default.
func (c *config) registerFlags(f *flag.FlagSet) {
	f.StringVar(&c.bucket, "bucket", "", "Where blocks are stored, as a `URL`: s3://name/prefix?region=…")
	c.auth.RegisterFlags(f)
	c.retention.RegisterFlags(f)
	c.projects.RegisterFlags(f)
	settings.RegisterLimits(&c.limits, f)
	c.nats.RegisterFlags(f)
	c.log.RegisterFlags(f)
	c.ingester.RegisterFlagsWithPrefix("ingester.", f)
	c.logging.RegisterFlags(f)
	settings.AcceptSizes(f)
}

// loadConfig reads an environment in the form of os.Environ. It names everything
// that is wrong with it.
func loadConfig(environ []string) (config, error) {
	var c config
	f := flag.NewFlagSet("ingest", flag.ContinueOnError)
	c.registerFlags(f)
	if err := env.Parse(f, environ); err != nil {
		return c, err
	}
	c.ingester.MaxBodyBytes = maxBodyBytes
	return c, c.validate()
}

func (c *config) validate() error {
	var errs []error
	if _, _, err := s3.ParseURL(c.bucket); err != nil {
		errs = append(errs, fmt.Errorf("%s: want s3://bucket/prefix: %w", env.Name("bucket"), err))
	}
	if c.nats.URL == "" {
		errs = append(errs, fmt.Errorf("%s must be set: a function has no log of its own", env.Name("nats.url")))
	}
	if c.auth.Mode == access.ModeNone && !c.auth.Insecure {
		errs = append(errs, fmt.Errorf("%s is none: whoever knows the function's URL could write everything. Ask for keys with %[1]s=keys, or set %s=true if something in front authenticates",
			env.Name("auth.mode"), env.Name("auth.insecure")))
	}
	return errors.Join(append(errs,
		c.auth.Validate(), c.retention.Validate(), c.projects.Validate(), settings.ValidateLimits(&c.limits),
		c.log.Validate(c.ingester.CutBytes), c.ingester.Validate(), c.logging.Validate())...)
}
