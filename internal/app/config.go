package app

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/grafana/dskit/flagext"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

//go:generate go test . -run TestConfigurationDocs -rewrite

// Config is the configuration of a process. Load fills it from the defaults,
// the file and the command line.
type Config struct {
	// ConfigFile is where the rest of the file's keys come from.
	ConfigFile string `yaml:"-"`

	Target  string `yaml:"target"`
	DataDir string `yaml:"data_dir"`
	Bucket  string `yaml:"bucket"`

	API  APIConfig  `yaml:"api"`
	OTLP OTLPConfig `yaml:"otlp"`
	Auth AuthConfig `yaml:"auth"`

	Retention RetentionConfig `yaml:"retention"`
	Projects  ProjectsConfig  `yaml:"projects"`
	Limits    project.Limits  `yaml:"limits"`

	NATS      NATSConfig       `yaml:"nats"`
	Log       LogConfig        `yaml:"log"`
	Ingester  ingester.Config  `yaml:"ingester"`
	Compactor compactor.Config `yaml:"compactor"`
	Querier   querier.Config   `yaml:"querier"`
	Shutdown  ShutdownConfig   `yaml:"shutdown"`
	Logging   LoggingConfig    `yaml:"logging"`

	// Version and Revision of the program, for /api/status/buildinfo.
	Version  string `yaml:"-"`
	Revision string `yaml:"-"`
}

// APIConfig is the port of queries and operators.
type APIConfig struct {
	Addr string `yaml:"addr"`
}

// OTLPConfig is the ports of receiving.
type OTLPConfig struct {
	GRPCAddr string `yaml:"grpc_addr"`
	HTTPAddr string `yaml:"http_addr"`
}

// AuthConfig says who may do what.
type AuthConfig struct {
	Mode     string `yaml:"mode"`
	Insecure bool   `yaml:"insecure"`
}

// NATSConfig is the server that holds the log.
type NATSConfig struct {
	URL             string                 `yaml:"url"`
	CredentialsFile string                 `yaml:"credentials_file"`
	MonitorURLs     flagext.StringSliceCSV `yaml:"monitor_urls"`
	AllowWeakSync   bool                   `yaml:"allow_weak_sync"`
}

// LogConfig is what a log is created with.
type LogConfig struct {
	Partitions   int           `yaml:"partitions"`
	MergeWindows windowList    `yaml:"merge_windows"`
	MaxBytes     flagext.Bytes `yaml:"max_bytes"`
	Replicas     int           `yaml:"replicas"`
}

// ShutdownConfig is how the process stops.
type ShutdownConfig struct {
	Timeout time.Duration `yaml:"timeout"`
}

// LoggingConfig is how the process tells what it does.
type LoggingConfig struct {
	Level  slog.Level `yaml:"level"`
	Format string     `yaml:"format"`
}

// Targets of a process.
const (
	TargetAll       = "all"
	TargetIngester  = "ingester"
	TargetQuerier   = "querier"
	TargetCompactor = "compactor"
)

const (
	formatText = "text"
	formatJSON = "json"
)

// RegisterFlags registers every key as a flag and sets its default.
func (c *Config) RegisterFlags(f *flag.FlagSet) {
	f.StringVar(&c.ConfigFile, "config.file", "", "YAML `file` with any of these keys; flags win over it. ${NAME} in it stands for an environment variable.")
	f.StringVar(&c.Target, "target", TargetAll, "What this process does: all, ingester (receive and store), querier (answer queries) or compactor (merge and delete blocks).")
	f.StringVar(&c.DataDir, "data-dir", "./spanlake-data", "Folder of the embedded log and, unless -bucket is set, of the bucket. One process at a time.")
	f.StringVar(&c.Bucket, "bucket", "", "Where blocks are stored, as a `URL`: s3://name/prefix?region=… or file:///absolute/path. Empty: the folder bucket below -data-dir.")

	f.StringVar(&c.API.Addr, "api.addr", "127.0.0.1:3200", "Where queries are answered, HTTP and gRPC, as `host:port`. Port 0 takes a free one, here and below.")
	f.StringVar(&c.OTLP.GRPCAddr, "otlp.grpc-addr", "127.0.0.1:4317", "Where OTLP over gRPC is taken, as `host:port`.")
	f.StringVar(&c.OTLP.HTTPAddr, "otlp.http-addr", "127.0.0.1:4318", "Where OTLP over HTTP is taken, as `host:port`.")
	f.StringVar(&c.Auth.Mode, "auth.mode", authNone, "Who may write and read: none (whoever reaches a port; X-Scope-OrgID picks the project), header (a proxy in front has authenticated them, and names the project in X-Scope-OrgID) or keys (who brings a project's key).")
	f.BoolVar(&c.Auth.Insecure, "auth.insecure", false, "Allow addresses that other machines can reach with -auth.mode=none: whoever reaches a port can write and read everything.")
	c.registerProjectFlags(f)

	f.StringVar(&c.NATS.URL, "nats.url", "", "`URL` of the NATS server that holds the log; several of one cluster are separated by commas. Empty: a server inside this process, below -data-dir.")
	f.StringVar(&c.NATS.CredentialsFile, "nats.credentials-file", "", "NATS credentials `file` for -nats.url.")
	f.Var(&c.NATS.MonitorURLs, "nats.monitor-urls", "HTTP monitoring `URLs` of all servers of -nats.url, separated by commas. Their sync setting is read there.")
	f.BoolVar(&c.NATS.AllowWeakSync, "nats.allow-weak-sync", false, "Accept a NATS server or stream with which acknowledged spans may be lost when a machine loses power.")

	c.Log.MaxBytes = wal.DefaultMaxBytesPerPartition
	f.IntVar(&c.Log.Partitions, "log.partitions", 0, "Partitions of a log that is created, a power of two. 0: with the embedded log one for every two processors, up to 4, else 4. An existing log keeps its own number.")
	c.Log.MergeWindows = wal.DefaultWindows()
	f.Var(&c.Log.MergeWindows, "log.merge-windows", "Windows of the log's time of which blocks are merged, of a log that is created: `durations`, each a multiple of the one before, the last at most a day and a divisor of it. An existing log keeps its own.")
	f.Var(&c.Log.MaxBytes, "log.max-bytes", "Size limit of each partition of the log. When it is reached, senders are told to wait.")
	f.IntVar(&c.Log.Replicas, "log.replicas", 1, "Servers of -nats.url that hold each partition of the log.")

	c.Ingester.RegisterFlagsWithPrefix("ingester.", f)
	c.Compactor.RegisterFlagsWithPrefix("compactor.", f)
	c.Querier.RegisterFlagsWithPrefix("querier.", f)

	f.DurationVar(&c.Shutdown.Timeout, "shutdown.timeout", 25*time.Second, "How long stopping may take: to finish requests, to store what is in the log, to finish queries, in this order. What is not stored by then stays in the log.")

	f.TextVar(&c.Logging.Level, "logging.level", slog.LevelInfo, "Least `level` of messages on standard error: debug, info, warn or error.")
	f.StringVar(&c.Logging.Format, "logging.format", formatText, "Form of the messages: text or json.")
	acceptSizes(f)
}

// Validate names every key whose value cannot work.
func (c *Config) Validate() error {
	_, bucketErr := c.bucketPlace()
	return errors.Join(
		c.validateTarget(),
		c.Auth.validate(),
		c.validateProjects(),
		bucketErr,
		c.validateAddr("api.addr", c.API.Addr),
		c.validateAddr("otlp.grpc-addr", c.OTLP.GRPCAddr),
		c.validateAddr("otlp.http-addr", c.OTLP.HTTPAddr),
		c.validateLog(),
		c.Ingester.Validate(),
		c.Compactor.Validate(),
		c.Querier.Validate(),
		c.Shutdown.validate(),
		c.Logging.validate(),
	)
}

func (c *Config) validateTarget() error {
	switch c.Target {
	case TargetAll:
		if c.DataDir == "" && c.usesDataDir() {
			return errors.New("data-dir must not be empty")
		}
		return nil
	case TargetIngester, TargetQuerier, TargetCompactor:
		if c.NATS.URL == "" {
			return fmt.Errorf("nats.url must be set with -target=%s: the embedded log serves one process only", c.Target)
		}
		if c.Bucket == "" {
			return fmt.Errorf("bucket must be set with -target=%s: the processes have to share it", c.Target)
		}
		return nil
	}
	return fmt.Errorf("target %q: want %s, %s, %s or %s", c.Target, TargetAll, TargetIngester, TargetQuerier, TargetCompactor)
}

// receives and answers report whether the process takes spans in, and whether it
// serves queries.
func (c *Config) receives() bool { return c.Target == TargetAll || c.Target == TargetIngester }
func (c *Config) answers() bool  { return c.Target == TargetAll || c.Target == TargetQuerier }

// usesDataDir reports whether anything lies in the data folder.
func (c *Config) usesDataDir() bool { return c.NATS.URL == "" || c.Bucket == "" }

func (c *Config) validateAddr(key, addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" {
		return fmt.Errorf("%s %q: want host:port", key, addr)
	}
	if c.Auth.Mode != authNone || c.Auth.Insecure || loopback(host) {
		return nil
	}
	return fmt.Errorf("%s %q can be reached from other machines and -auth.mode is none: listen on 127.0.0.1, ask for keys with -auth.mode=keys, or set -auth.insecure to allow it", key, addr)
}

func (c *AuthConfig) validate() error {
	switch {
	case c.Mode != authNone && c.Mode != authHeader && c.Mode != authKeys:
		return fmt.Errorf("auth.mode %q: want %s, %s or %s", c.Mode, authNone, authHeader, authKeys)
	case c.Insecure && c.Mode != authNone:
		return fmt.Errorf("auth.insecure is for auth.mode=%s only: with %s nothing is open that it could allow", authNone, c.Mode)
	}
	return nil
}

// loopback reports whether only this machine can reach a host. Other names than
// localhost are not resolved: what they mean may change.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Config) validateLog() error {
	var errs []error
	if c.Log.Partitions != 0 && !schema.ValidPartitionCount(c.Log.Partitions) {
		errs = append(errs, fmt.Errorf("log.partitions %d: want 0 or a power of two up to %d", c.Log.Partitions, schema.MaxPartitions))
	}
	if err := wal.CheckWindows(c.Log.MergeWindows); err != nil {
		errs = append(errs, fmt.Errorf("log.merge-windows %s: %w", &c.Log.MergeWindows, err))
	}
	if c.Log.MaxBytes < 2*c.Ingester.CutBytes {
		// The cut that ends a batch is itself a message: a log that fills up
		// before it is emptied only by raising its limit.
		errs = append(errs, fmt.Errorf("log.max-bytes %s: want at least twice ingester.cut-bytes, so that a full log holds a whole batch", &c.Log.MaxBytes))
	}
	switch {
	case c.Log.Replicas < 1 || c.Log.Replicas > 5:
		errs = append(errs, fmt.Errorf("log.replicas %d: want 1 to 5", c.Log.Replicas))
	case c.Log.Replicas > 1 && c.NATS.URL == "":
		errs = append(errs, errors.New("log.replicas must be 1 with the embedded log: replicas need a NATS cluster, set nats.url"))
	}
	return errors.Join(errs...)
}

func (c *ShutdownConfig) validate() error {
	if c.Timeout <= 0 {
		return errors.New("shutdown.timeout must be positive")
	}
	return nil
}

func (c *LoggingConfig) validate() error {
	if c.Format != formatText && c.Format != formatJSON {
		return fmt.Errorf("logging.format %q: want %s or %s", c.Format, formatText, formatJSON)
	}
	return nil
}

// Locations tell a person where blocks and the log lie: folders as absolute
// paths, servers without credentials.
func (c *Config) Locations() (blocks, log string) {
	if place, err := c.bucketPlace(); err == nil {
		blocks = place.String()
	}
	if c.NATS.URL == "" {
		return blocks, absolute(c.natsDir())
	}
	var servers []string
	for server := range strings.SplitSeq(c.NATS.URL, ",") {
		scheme, rest, found := strings.Cut(server, "://")
		if !found {
			scheme, rest = "nats", server
		}
		servers = append(servers, scheme+"://"+rest[strings.LastIndex(rest, "@")+1:])
	}
	return blocks, strings.Join(servers, ",")
}

// natsDir is the folder of the embedded log.
func (c *Config) natsDir() string { return filepath.Join(c.DataDir, "nats") }

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
