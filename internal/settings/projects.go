package settings

import (
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/internal/project"
)

// Retention is what counts for projects that set none.
type Retention struct {
	Default project.Retention `yaml:"default"`
}

// RegisterFlags registers every key as a flag and sets its default.
func (c *Retention) RegisterFlags(f *flag.FlagSet) {
	f.TextVar(&c.Default, "retention.default", project.Retention(0), "How long the spans of projects are kept that set no retention of their own: a `duration` such as 36h, 90d or 1y, or unlimited.")
}

// Validate names the key whose value cannot work.
func (c *Retention) Validate() error {
	if r := c.Default; r != 0 && (r < project.MinRetention || r > project.MaxRetention) {
		return fmt.Errorf("retention.default must be from %s to %s, or unlimited", project.MinRetention, project.MaxRetention)
	}
	return nil
}

// Projects is how projects are looked up.
type Projects struct {
	RefreshInterval time.Duration `yaml:"refresh_interval"`
}

// RegisterFlags registers every key as a flag and sets its default.
func (c *Projects) RegisterFlags(f *flag.FlagSet) {
	f.DurationVar(&c.RefreshInterval, "projects.refresh-interval", project.RefreshInterval, "How often settings and keys of projects are looked for in the bucket: so long a change may take to be seen.")
}

// Validate names the key whose value cannot work.
func (c *Projects) Validate() error {
	if d := c.RefreshInterval; d <= 0 || d > project.MaxStale/2 {
		return fmt.Errorf("projects.refresh-interval must be positive and at most %s", project.MaxStale/2)
	}
	return nil
}

// RegisterLimits registers every limit of projects that set none.
func RegisterLimits(c *project.Limits, f *flag.FlagSet) {
	limit := func(dst *int64, name, usage string) {
		f.Int64Var(dst, "limits."+name, 0, usage+" 0 means no limit. A project's settings count more.")
	}
	limit(&c.IngestBytesPerSecond, "ingest-bytes-per-second", "Bytes that each process receives for a project in a second, after decompression.")
	limit(&c.IngestSpansPerSecond, "ingest-spans-per-second", "Spans that each process receives for a project in a second.")
	limit(&c.LiveTraces, "live-traces", "Traces of a project of which each process has received spans within the last minute.")
	limit(&c.AttributeBytes, "attribute-bytes", "Size of the largest attribute of a span, or of its scope or resource, with its key.")
	limit(&c.ConcurrentQueries, "concurrent-queries", "Queries that each process answers at once for a project.")
	limit(&c.QueryBytes, "query-bytes", "Bytes of blocks that one query may read from the bucket.")
}

// ValidateLimits names every limit whose value cannot work.
func ValidateLimits(c *project.Limits) error {
	var errs []error
	for name, value := range c.All() {
		if value < 0 {
			errs = append(errs, fmt.Errorf("limits.%s must not be negative", name))
		}
	}
	return errors.Join(errs...)
}
