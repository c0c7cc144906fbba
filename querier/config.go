package querier

import (
	"errors"
	"flag"
	"math"
	"time"

	"github.com/grafana/dskit/flagext"
)

// Config holds the limits of queries.
type Config struct {
	Timeout        time.Duration `yaml:"timeout"`
	MaxSearchRange time.Duration `yaml:"max_search_range"`
	MaxReadBytes   flagext.Bytes `yaml:"max_read_bytes"`
	MaxGroups      int           `yaml:"max_groups"`
	Concurrency    int           `yaml:"concurrency"`
	CacheBytes     flagext.Bytes `yaml:"cache_bytes"`
	PageCacheBytes flagext.Bytes `yaml:"page_cache_bytes"`
}

// defaultCacheBytes is for about 200 million spans: a block of a million takes
// 0.2 MB for the filter, at two bytes for each of some hundred thousand traces,
// and as much again for its directory, at tens of bytes for each page of each of
// some hundred columns.
const defaultCacheBytes = 128 << 20

// defaultPageCacheBytes is for the columns that queries ask about, and no
// content, of some ten million spans.
const defaultPageCacheBytes = 64 << 20

// defaultMaxReadBytes is for the columns that a query needs of some ten billion
// spans: what takes longer than its time anyway.
const defaultMaxReadBytes = 64 << 30

// RegisterFlagsWithPrefix registers every key as a flag and sets its default.
func (c *Config) RegisterFlagsWithPrefix(prefix string, f *flag.FlagSet) {
	f.DurationVar(&c.Timeout, prefix+"timeout", 5*time.Minute, "How long one query may take.")
	f.DurationVar(&c.MaxSearchRange, prefix+"max-search-range", 168*time.Hour, "Longest time range of a search. 0 means no limit.")
	c.MaxReadBytes = defaultMaxReadBytes
	f.Var(&c.MaxReadBytes, prefix+"max-read-bytes", "How much of blocks one query may read from the bucket. 0 means no limit.")
	f.IntVar(&c.MaxGroups, prefix+"max-groups", 10_000, "Groups of spans that by() may make in the answer to one search. 0 means no limit.")
	f.IntVar(&c.Concurrency, prefix+"concurrency", 8, "Blocks that one query reads at once.")
	c.CacheBytes = defaultCacheBytes
	f.Var(&c.CacheBytes, prefix+"cache-bytes", "Memory for the footers and filters of blocks, which every query of a block needs.")
	c.PageCacheBytes = defaultPageCacheBytes
	f.Var(&c.PageCacheBytes, prefix+"page-cache-bytes", "Memory for the parts of blocks that queries used last, decompressed. 0 keeps none.")
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
	refuse(c.MaxReadBytes > math.MaxInt64, "querier.max-read-bytes is too large")
	refuse(c.MaxGroups < 0, "querier.max-groups must not be negative")
	refuse(c.Concurrency < 1, "querier.concurrency must be at least 1")
	refuse(c.CacheBytes == 0 || c.CacheBytes > math.MaxInt64, "querier.cache-bytes must be positive")
	refuse(c.PageCacheBytes > math.MaxInt64, "querier.page-cache-bytes is too large")
	return errors.Join(errs...)
}
