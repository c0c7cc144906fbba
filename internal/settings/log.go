package settings

import (
	"errors"
	"flag"
	"fmt"
	"math"

	"github.com/grafana/dskit/flagext"

	"github.com/spanlake/spanlake/internal/login"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// NATS is the server that holds the log.
type NATS struct {
	URL             string `yaml:"url"`
	CredentialsFile string `yaml:"credentials_file"`
	// CredentialsSecret is its name, not what it says.
	CredentialsSecret string                 `yaml:"credentials_secret"`
	MonitorURLs       flagext.StringSliceCSV `yaml:"monitor_urls"`
	AllowWeakSync     bool                   `yaml:"allow_weak_sync"`
}

// RegisterFlags registers every key as a flag and sets its default.
func (c *NATS) RegisterFlags(f *flag.FlagSet) {
	f.StringVar(&c.URL, "nats.url", "", "`URL` of the NATS server that holds the log; several of one cluster are separated by commas. Empty: a server inside this process, below -data-dir.")
	f.StringVar(&c.CredentialsFile, "nats.credentials-file", "", "NATS credentials `file` for -nats.url.")
	f.StringVar(&c.CredentialsSecret, "nats.credentials-secret", "", "`ARN` of a secret of AWS Secrets Manager with what a NATS credentials file holds, or JSON with username and password, or with token. It is read at the start, and again when the server refuses it.")
	f.Var(&c.MonitorURLs, "nats.monitor-urls", "HTTP monitoring `URLs` of all servers of -nats.url, separated by commas. Their sync setting is read there.")
	f.BoolVar(&c.AllowWeakSync, "nats.allow-weak-sync", false, "Accept a NATS server or stream with which acknowledged spans may be lost when a machine loses power.")
}

// Validate names the key whose value cannot work.
func (c *NATS) Validate() error {
	if c.CredentialsSecret == "" {
		return nil
	}
	if c.CredentialsFile != "" {
		return errors.New("nats.credentials-secret and nats.credentials-file are both set: one of them is to count")
	}
	if err := login.CheckARN(c.CredentialsSecret); err != nil {
		return fmt.Errorf("nats.credentials-secret: %w", err)
	}
	return nil
}

// Login is who connections to URL are made by.
func (c *NATS) Login() *login.Login { return login.New(c.CredentialsFile, c.CredentialsSecret) }

// Log is what a log is created with.
type Log struct {
	Partitions   int           `yaml:"partitions"`
	MergeWindows Windows       `yaml:"merge_windows"`
	MaxBytes     flagext.Bytes `yaml:"max_bytes"`
	Replicas     int           `yaml:"replicas"`
}

// RegisterFlags registers every key as a flag and sets its default.
func (c *Log) RegisterFlags(f *flag.FlagSet) {
	c.MaxBytes = wal.DefaultMaxBytesPerPartition
	f.IntVar(&c.Partitions, "log.partitions", 0, "Partitions of a log that is created, a power of two. 0: with the embedded log one for every two processors, up to 4, else 4. An existing log keeps its own number.")
	c.MergeWindows = wal.DefaultWindows()
	f.Var(&c.MergeWindows, "log.merge-windows", "Windows of the log's time of which blocks are merged, of a log that is created: `durations`, each a multiple of the one before, the last at most a day and a divisor of it. An existing log keeps its own.")
	f.Var(&c.MaxBytes, "log.max-bytes", "Size limit of each partition of the log. When it is reached, senders are told to wait.")
	f.IntVar(&c.Replicas, "log.replicas", 1, "Servers of -nats.url that hold each partition of the log.")
}

// Validate names every key whose value cannot work. cutBytes is the size of a batch.
func (c *Log) Validate(cutBytes flagext.Bytes) error {
	var errs []error
	if c.Partitions != 0 && !schema.ValidPartitionCount(c.Partitions) {
		errs = append(errs, fmt.Errorf("log.partitions %d: want 0 or a power of two up to %d", c.Partitions, schema.MaxPartitions))
	}
	if err := wal.CheckWindows(c.MergeWindows); err != nil {
		errs = append(errs, fmt.Errorf("log.merge-windows %s: %w", &c.MergeWindows, err))
	}
	if c.MaxBytes < 2*cutBytes {
		// The cut that ends a batch is itself a message: a log that fills up
		// before it is emptied only by raising its limit.
		errs = append(errs, fmt.Errorf("log.max-bytes %s: want at least twice ingester.cut-bytes, so that a full log holds a whole batch", &c.MaxBytes))
	}
	if c.Replicas < 1 || c.Replicas > 5 {
		errs = append(errs, fmt.Errorf("log.replicas %d: want 1 to 5", c.Replicas))
	}
	return errors.Join(errs...)
}

// Options are how both sections have the log opened. The caller adds what is its
// own: whether it may write, and who is told.
func (c *Log) Options(n *NATS) wal.Options {
	return wal.Options{
		URL: n.URL, Login: n.Login(), MonitorURLs: n.MonitorURLs, AllowWeakSync: n.AllowWeakSync,
		Partitions: c.Partitions, Windows: c.MergeWindows, Replicas: c.Replicas,
		MaxBytesPerPartition: int64(min(c.MaxBytes, math.MaxInt64)), //nolint:gosec // bounded here
	}
}
