package querier

import (
	"errors"
	"flag"
	"time"
)

// Config holds the limits of queries.
type Config struct {
	Timeout        time.Duration `yaml:"timeout"`
	MaxSearchRange time.Duration `yaml:"max_search_range"`
	Concurrency    int           `yaml:"concurrency"`
	OpenBlocks     int           `yaml:"open_blocks"`
}

// RegisterFlagsWithPrefix registers every key as a flag and sets its default.
func (c *Config) RegisterFlagsWithPrefix(prefix string, f *flag.FlagSet) {
	f.DurationVar(&c.Timeout, prefix+"timeout", 5*time.Minute, "How long one query may take.")
	f.DurationVar(&c.MaxSearchRange, prefix+"max-search-range", 168*time.Hour, "Longest time range of a search. 0 means no limit.")
	f.IntVar(&c.Concurrency, prefix+"concurrency", 8, "Blocks that one query reads at once.")
	f.IntVar(&c.OpenBlocks, prefix+"open-blocks", 512, "Blocks whose footer and filter stay in memory.")
}

// Validate names every key whose value cannot work.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(bad bool, reason string) {
		if bad {
			errs = append(errs, errors.New(reason))
		}
	}
	refuse(c.Timeout <= 0, "querier.timeout must be positive")
	refuse(c.MaxSearchRange < 0, "querier.max-search-range must not be negative")
	refuse(c.Concurrency < 1, "querier.concurrency must be at least 1")
	refuse(c.OpenBlocks < 1, "querier.open-blocks must be at least 1")
	return errors.Join(errs...)
}
