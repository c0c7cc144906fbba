package compactor

import (
	"errors"
	"flag"
	"time"

	"github.com/grafana/dskit/flagext"

	"github.com/spanlake/spanlake/internal/project"
)

// Config says how often a Compactor works, and on how much at a time.
type Config struct {
	Enabled     bool          `yaml:"enabled"`
	Interval    time.Duration `yaml:"interval"`
	MaxBytes    flagext.Bytes `yaml:"max_bytes"`
	MinInputs   int           `yaml:"min_inputs"`
	MaxInputs   int           `yaml:"max_inputs"`
	Grace       time.Duration `yaml:"grace"`
	DeleteAfter time.Duration `yaml:"delete_after"`
	SpoolDir    string        `yaml:"spool_dir"`

	Lifecycle      LifecycleOwner `yaml:"lifecycle"`
	LifecycleGrace time.Duration  `yaml:"lifecycle_grace"`
}

// RegisterFlagsWithPrefix registers every key as a flag and sets its default.
func (c *Config) RegisterFlagsWithPrefix(prefix string, f *flag.FlagSet) {
	f.BoolVar(&c.Enabled, prefix+"enabled", true, "Merge and delete blocks in this process, with -target=all. Others of the targets do not look at it.")
	f.DurationVar(&c.Interval, prefix+"interval", time.Minute, "How long to rest after having looked for work.")
	c.MaxBytes = 512 << 20
	f.Var(&c.MaxBytes, prefix+"max-bytes", "Bytes of blocks that are merged into one, together. A window of the log that has more stays as the blocks of its smaller windows.")
	f.IntVar(&c.MinInputs, prefix+"min-inputs", 16, "Blocks of a window from which on it is merged although it will be merged again in a larger one.")
	f.IntVar(&c.MaxInputs, prefix+"max-inputs", 200, "Blocks of a window above which its smaller windows are merged first.")
	f.DurationVar(&c.Grace, prefix+"grace", 2*time.Minute, "How long after its end a window is open, by the log's time, or by this machine's when no later span has come: more than clocks differ, and than the log's clock may be put back.")
	f.DurationVar(&c.DeleteAfter, prefix+"delete-after", 30*time.Minute, "How long blocks stay after they were merged. Below 20 minutes a process that slept, or a slow query, may find what it should not, or nothing.")
	f.StringVar(&c.SpoolDir, prefix+"spool-dir", "", "Folder for the blocks of the merge at hand, up to twice -compactor.max-bytes. Empty: that of the system for temporary files.")
	f.StringVar((*string)(&c.Lifecycle), prefix+"lifecycle", string(LifecycleCompactor), "Who writes the lifecycle rules of a bucket on S3, which delete what no compactor has deleted: compactor, which leaves the rules of others as they are; terraform, and the compactor warns of what differs; or off.")
	f.DurationVar(&c.LifecycleGrace, prefix+"lifecycle-grace", 72*time.Hour, "How much later than the retention lifecycle rules delete blocks, rounded up to whole days.")
}

// Validate names every key whose value cannot work.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(bad bool, reason string) {
		if bad {
			errs = append(errs, errors.New(reason))
		}
	}
	refuse(c.Interval <= 0, "compactor.interval must be positive")
	refuse(c.MaxBytes <= 0, "compactor.max-bytes must be positive")
	refuse(c.MinInputs < 2, "compactor.min-inputs must be at least 2")
	refuse(c.MaxInputs < c.MinInputs, "compactor.max-inputs must not be below compactor.min-inputs")
	refuse(c.Grace < 0, "compactor.grace must not be negative")
	refuse(c.DeleteAfter <= 0, "compactor.delete-after must be positive")
	refuse(c.Lifecycle != LifecycleCompactor && c.Lifecycle != LifecycleTerraform && c.Lifecycle != LifecycleOff,
		"compactor.lifecycle must be compactor, terraform or off")
	refuse(c.LifecycleGrace < 24*time.Hour, "compactor.lifecycle-grace must be at least 24h: rules are late by as much when a retention is raised")
	return errors.Join(errs...)
}

// policy is what plans follow for a project.
func (c *Config) policy(windows []time.Duration, retention time.Duration, rules project.Rules) Policy {
	return Policy{
		Windows: windows, Retention: retention, Rules: rules, MaxBytes: int64(c.MaxBytes), //nolint:gosec // sizes are far below
		MinInputs: c.MinInputs, MaxInputs: c.MaxInputs, Grace: c.Grace, DeleteAfter: c.DeleteAfter,
	}
}
