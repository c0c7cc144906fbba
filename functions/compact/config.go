package main

import (
	"errors"
	"flag"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/internal/settings"
)

// config is the part of the service's keys that compaction needs, with the same
// names and defaults.
type config struct {
	host      host.Config
	retention settings.Retention
	compactor compactor.Config
}

// registerFlags registers every key and sets its default.
func (c *config) registerFlags(f *flag.FlagSet) {
	c.host.RegisterFlags(f)
	c.retention.RegisterFlags(f)
	c.compactor.RegisterFlagsWithPrefix("compactor.", f)
}

// loadConfig reads an environment in the form of os.Environ. It names everything
// that is wrong with it.
func loadConfig(environ []string) (c config, err error) {
	if err := host.Load("compact", environ, c.registerFlags); err != nil {
		return c, err
	}
	return c, errors.Join(c.host.Validate(), c.retention.Validate(), c.compactor.Validate())
}
