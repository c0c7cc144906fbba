package app

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/settings"
	"github.com/spanlake/spanlake/internal/spanmetrics"
	"github.com/spanlake/spanlake/querier"
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

	API  APIConfig     `yaml:"api"`
	OTLP OTLPConfig    `yaml:"otlp"`
	Auth settings.Auth `yaml:"auth"`

	Retention settings.Retention `yaml:"retention"`
	Projects  settings.Projects  `yaml:"projects"`
	Limits    project.Limits     `yaml:"limits"`

	NATS      settings.NATS    `yaml:"nats"`
	Log       settings.Log     `yaml:"log"`
	Ingester  ingester.Config  `yaml:"ingester"`
	Compactor compactor.Config `yaml:"compactor"`
	Querier   querier.Config   `yaml:"querier"`

	SpanMetrics spanmetrics.Config `yaml:"spanmetrics"`

	Shutdown ShutdownConfig   `yaml:"shutdown"`
	Logging  settings.Logging `yaml:"logging"`

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

// ShutdownConfig is how the process stops.
type ShutdownConfig struct {
	Timeout time.Duration `yaml:"timeout"`
}

// Targets of a process.
const (
	TargetAll       = "all"
	TargetIngester  = "ingester"
	TargetQuerier   = "querier"
	TargetCompactor = "compactor"
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
	c.Auth.RegisterFlags(f)
	c.Retention.RegisterFlags(f)
	c.Projects.RegisterFlags(f)
	settings.RegisterLimits(&c.Limits, f)

	c.NATS.RegisterFlags(f)
	c.Log.RegisterFlags(f)
	c.Ingester.RegisterFlagsWithPrefix("ingester.", f)
	c.Compactor.RegisterFlagsWithPrefix("compactor.", f)
	c.Querier.RegisterFlagsWithPrefix("querier.", f)
	c.SpanMetrics.RegisterFlagsWithPrefix("spanmetrics.", f)

	f.DurationVar(&c.Shutdown.Timeout, "shutdown.timeout", 25*time.Second, "How long stopping may take: to finish requests, to store what is in the log, to finish queries, in this order. What is not stored by then stays in the log.")

	c.Logging.RegisterFlags(f)
	settings.AcceptSizes(f)
}

// Validate names every key whose value cannot work.
func (c *Config) Validate() error {
	_, bucketErr := c.bucketPlace()
	return errors.Join(
		c.validateTarget(),
		c.Auth.Validate(),
		c.Retention.Validate(),
		c.Projects.Validate(),
		settings.ValidateLimits(&c.Limits),
		bucketErr,
		c.validateAddr("api.addr", c.API.Addr),
		c.validateAddr("otlp.grpc-addr", c.OTLP.GRPCAddr),
		c.validateAddr("otlp.http-addr", c.OTLP.HTTPAddr),
		c.Log.Validate(c.Ingester.CutBytes),
		c.validateReplicas(),
		c.Ingester.Validate(),
		c.Compactor.Validate(),
		c.Querier.Validate(),
		c.SpanMetrics.Validate(),
		c.Shutdown.validate(),
		c.NATS.Validate(),
		c.Logging.Validate(),
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
	if c.Auth.Mode != access.ModeNone || c.Auth.Insecure || loopback(host) {
		return nil
	}
	return fmt.Errorf("%s %q can be reached from other machines and -auth.mode is none: listen on 127.0.0.1, ask for keys with -auth.mode=keys, or set -auth.insecure to allow it", key, addr)
}

// loopback reports whether only this machine can reach a host. Other names than
// localhost are not resolved: what they mean may change.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Config) validateReplicas() error {
	if c.Log.Replicas > 1 && c.NATS.URL == "" {
		return errors.New("log.replicas must be 1 with the embedded log: replicas need a NATS cluster, set nats.url")
	}
	return nil
}

func (c *ShutdownConfig) validate() error {
	if c.Timeout <= 0 {
		return errors.New("shutdown.timeout must be positive")
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
