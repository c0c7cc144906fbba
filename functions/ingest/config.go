package main

import (
	"errors"
	"flag"
	"math/rand/v2"

	"github.com/spanlake/spanlake/functions/internal/host"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/settings"
)

// config is the part of the service's keys that receiving needs, with the same
// names and defaults.
type config struct {
	host     host.Config
	access   host.AccessConfig
	log      settings.Log
	ingester ingester.Config
}

// registerFlags registers every key and sets its default.
func (c *config) registerFlags(f *flag.FlagSet) {
	c.host.RegisterFlags(f)
	c.access.RegisterFlags(f)
	c.log.RegisterFlags(f)
	c.ingester.RegisterFlagsWithPrefix("ingester.", f)
}

// loadConfig reads an environment in the form of os.Environ. It names everything
// that is wrong with it.
func loadConfig(environ []string) (c config, err error) {
	if err := host.Load("ingest", environ, c.registerFlags); err != nil {
		return c, err
	}
	c.ingester.MaxBodyBytes = maxBodyBytes
	c.ingester.CutPhase = rand.IntN(int(max(c.ingester.CutBytes, 1))) //nolint:gosec // chance, no secret
	return c, errors.Join(c.host.Validate(), c.access.Validate(), c.log.Validate(c.ingester.CutBytes), c.ingester.Validate())
}
