// Package host is what the functions have in common: the keys that all of them
// need, the bucket, and a log that is opened while they answer already.
package host

import (
	"errors"
	"flag"
	"fmt"

	"github.com/spanlake/spanlake/functions/internal/env"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/settings"
)

// Config is where the data is. Its keys are the service's, with the same names and
// defaults.
type Config struct {
	Bucket  string
	NATS    settings.NATS
	Logging settings.Logging
}

// RegisterFlags registers every key and sets its default.
func (c *Config) RegisterFlags(f *flag.FlagSet) {
	f.StringVar(&c.Bucket, "bucket", "", "Where blocks are stored, as a `URL`: s3://name/prefix?region=…")
	c.NATS.RegisterFlags(f)
	c.Logging.RegisterFlags(f)
}

// Validate names everything that cannot work.
func (c *Config) Validate() error {
	var errs []error
	if _, _, err := s3.ParseURL(c.Bucket); err != nil {
		errs = append(errs, fmt.Errorf("%s: want s3://bucket/prefix: %w", env.Name("bucket"), err))
	}
	if c.NATS.URL == "" {
		errs = append(errs, fmt.Errorf("%s must be set: a function has no log of its own", env.Name("nats.url")))
	}
	return errors.Join(append(errs, c.NATS.Validate(), c.Logging.Validate())...)
}

// Load reads the keys that register registers from an environment in the form of
// os.Environ, for the function of a name. It names every variable that is wrong.
func Load(name string, environ []string, register func(*flag.FlagSet)) error {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	register(f)
	settings.AcceptSizes(f)
	return env.Parse(f, environ)
}
