package ingester

import (
	"errors"
	"flag"
	"time"

	"github.com/grafana/dskit/flagext"
)

// Config holds the limits of receiving and building.
type Config struct {
	MaxRequestBytes  flagext.Bytes `yaml:"max_request_bytes"`
	MaxInflightBytes flagext.Bytes `yaml:"max_inflight_bytes"`
	MaxMessageBytes  flagext.Bytes `yaml:"max_message_bytes"`
	PublishTimeout   time.Duration `yaml:"publish_timeout"`
	CutBytes         flagext.Bytes `yaml:"cut_bytes"`
	CutAge           time.Duration `yaml:"cut_age"`
	LiveBytes        flagext.Bytes `yaml:"live_bytes"`
	LiveAge          time.Duration `yaml:"live_age"`
	BuildMemory      flagext.Bytes `yaml:"build_memory"`

	// MaxBodyBytes bounds a request before decompression, for those who receive
	// it whole. 0: only what it becomes counts.
	MaxBodyBytes int64 `yaml:"-"`
	// CutPhase is how far on the way to its first cut a Receiver begins, up to
	// CutBytes. Where there are many that send little each, they begin at random:
	// else none of them ever ends a batch, or all do at once.
	CutPhase int `yaml:"-"`
}

// RegisterFlagsWithPrefix registers every key as a flag and sets its default.
func (c *Config) RegisterFlagsWithPrefix(prefix string, f *flag.FlagSet) {
	bytes := func(dst *flagext.Bytes, name string, def int, usage string) {
		*dst = flagext.Bytes(def)
		f.Var(dst, prefix+name, usage)
	}
	bytes(&c.MaxRequestBytes, "max-request-bytes", 64<<20, "Largest export request, after decompression.")
	bytes(&c.MaxInflightBytes, "max-inflight-bytes", 128<<20, "Decompressed bytes of all requests being received at once; above it, new ones are answered 429.")
	bytes(&c.MaxMessageBytes, "max-message-bytes", 900<<10, "Bytes of spans gathered into one message of the log. What does not fit into one goes to the bucket first.")
	f.DurationVar(&c.PublishTimeout, prefix+"publish-timeout", 10*time.Second, "How long to wait for the log's acknowledgement before answering 503.")
	bytes(&c.CutBytes, "cut-bytes", 16<<20, "Bytes of spans per partition after which a batch ends and becomes a block.")
	f.DurationVar(&c.CutAge, prefix+"cut-age", time.Minute, "Age of a batch's first message after which the batch ends although it is small.")
	bytes(&c.LiveBytes, "live-bytes", 16<<20, "Memory per process for stored batches that stay for queries, which saves listing the bucket: those of a process that receives little. Large ones go when they are stored.")
	f.DurationVar(&c.LiveAge, prefix+"live-age", time.Minute, "How long a stored batch stays in memory at most.")
	bytes(&c.BuildMemory, "build-memory", 0, "Memory per process for spans of all batches, open, waiting for their blocks or stored. Above it the log is not read further, and queries read there what follows. 0: enough for an open batch in each partition and those that are being stored, but at most an eighth of GOMEMLIMIT, or of the memory of the container or machine.")
}

// maxRequestBytes keeps every accepted value below what a block can hold.
const maxRequestBytes = 192 << 20

// Validate names every key whose value cannot work.
func (c *Config) Validate() error {
	var errs []error
	refuse := func(bad bool, reason string) {
		if bad {
			errs = append(errs, errors.New(reason))
		}
	}
	refuse(c.MaxRequestBytes <= 0 || c.MaxRequestBytes > maxRequestBytes, "ingester.max-request-bytes must be from 1 B to 192 MiB")
	refuse(c.MaxInflightBytes < c.MaxRequestBytes, "ingester.max-inflight-bytes must not be below ingester.max-request-bytes")
	refuse(c.MaxMessageBytes <= 0, "ingester.max-message-bytes must be positive")
	refuse(c.CutBytes <= 0, "ingester.cut-bytes must be positive")
	refuse(c.BuildMemory > 0 && c.BuildMemory < c.CutBytes, "ingester.build-memory must be 0 or not below ingester.cut-bytes")
	refuse(c.CutAge <= 0, "ingester.cut-age must be positive")
	refuse(c.PublishTimeout <= 0, "ingester.publish-timeout must be positive")
	return errors.Join(errs...)
}
