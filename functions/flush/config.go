package main

import (
	"errors"
	"flag"

	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/settings"
)

// config is the part of the service's keys that building blocks needs, with the
// same names and defaults.
type config struct {
	host     host.Config
	log      settings.Log
	ingester ingester.Config
}

// registerFlags registers every key and sets its default.
func (c *config) registerFlags(f *flag.FlagSet) {
	c.host.RegisterFlags(f)
	c.log.RegisterFlags(f)
	c.ingester.RegisterFlagsWithPrefix("ingester.", f)
}

// loadConfig reads an environment in the form of os.Environ. It names everything
// that is wrong with it.
func loadConfig(environ []string) (c config, err error) {
	if err := host.Load("flush", environ, c.registerFlags); err != nil {
		return c, err
	}
	c.ingester.LiveBytes = 0 // nobody asks
	return c, errors.Join(c.host.Validate(), c.log.Validate(c.ingester.CutBytes), c.ingester.Validate())
}
