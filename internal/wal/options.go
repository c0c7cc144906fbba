package wal

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/spanlake/spanlake/internal/login"
	"github.com/spanlake/spanlake/schema"
)

// Defaults of Options.
const (
	DefaultName                 = "spanlake"
	DefaultPartitions           = 4
	DefaultMaxBytesPerPartition = 1 << 30
	DefaultTimeout              = 10 * time.Second
)

// DefaultWindows is the merge window tree of a new log.
func DefaultWindows() []time.Duration {
	return []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour}
}

// CoveredFunc returns the highest position that any block of a partition's
// epoch covers, 0 if there is none, by partition. epochs are those of all partitions.
// It is called once while a session is made. Blocks whose first message was published
// before from, by the log's clock, cover nothing beyond the end of any partition, and
// need not be looked at.
type CoveredFunc func(ctx context.Context, epochs []uint64, from time.Time) (highest []uint64, err error)

// LookFunc returns the state of a stream as it is during the call, which is what
// the stream's leader would answer, in the terms of State. It is false if the
// server does not have the stream.
type LookFunc func(stream string) (first, last, bytes, maxBytes uint64, ok bool)

// Options say which log to open and how.
type Options struct {
	// URL is one or more NATS URLs, separated by commas. Ignored if Dial is set.
	URL string
	// Dial returns a new connection to a server in this process.
	Dial func() (net.Conn, error)
	// Look sees into the server in this process that Dial connects to. Nil: State
	// asks through a connection.
	Look LookFunc
	// Login is who the server is told that this is, nil for nobody.
	Login *login.Login
	// TLS secures connections to URL, nil as the URL says.
	TLS *tls.Config

	// Name prefixes streams, subjects and the control record: letters, digits,
	// - and _. Logs of several names may share a server. Default DefaultName.
	Name string
	// Partitions is the partition count of a log that is created, a power of
	// two. An existing log has its own. Default DefaultPartitions.
	Partitions int
	// Windows is the merge window tree of a log that is created: ascending,
	// each a multiple of the one before, the last at most a day and a divisor of it.
	// An existing log has its own. Default DefaultWindows.
	Windows []time.Duration
	// Replicas is the number of servers that hold each stream. Default 1.
	Replicas int
	// MaxBytesPerPartition bounds each stream. Default DefaultMaxBytesPerPartition.
	MaxBytesPerPartition int64

	// Covered is needed to write. A log without it is only read from: its
	// settings are not judged and nothing is created.
	Covered CoveredFunc
	// ServerSyncAlways says that the server is known to sync every write.
	ServerSyncAlways bool
	// MonitorURLs are the HTTP monitoring addresses of all servers, from which
	// their sync setting is read unless ServerSyncAlways is set.
	MonitorURLs []string
	// AllowWeakSync accepts weak settings with a warning: acknowledged data may
	// be lost when a machine loses power.
	AllowWeakSync bool

	// Timeout bounds every request to the server whose context has no
	// deadline. Default DefaultTimeout.
	Timeout time.Duration
	// Logger gets the state changes. Default: discarded.
	Logger *slog.Logger
	// Registerer gets the metrics, nil for none.
	Registerer prometheus.Registerer
}

func (o *Options) setDefaults() {
	setDefault(&o.Name, DefaultName)
	setDefault(&o.Partitions, DefaultPartitions)
	setDefault(&o.Replicas, 1)
	setDefault(&o.MaxBytesPerPartition, DefaultMaxBytesPerPartition)
	setDefault(&o.Timeout, DefaultTimeout)
	if o.Windows == nil {
		o.Windows = DefaultWindows()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func setDefault[T comparable](v *T, to T) {
	var zero T
	if *v == zero {
		*v = to
	}
}

func (o *Options) validate() error {
	switch {
	case o.URL == "" && o.Dial == nil:
		return errors.New("neither URL nor Dial is set")
	case !regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`).MatchString(o.Name):
		return fmt.Errorf("name %q: want 1 to 64 letters, digits, - and _", o.Name)
	case o.MaxBytesPerPartition < 0:
		return fmt.Errorf("maximum of %d bytes per partition is negative", o.MaxBytesPerPartition)
	case o.Replicas < 1 || o.Replicas > 5:
		return fmt.Errorf("%d replicas: want 1 to 5", o.Replicas)
	case o.Timeout < 0:
		return fmt.Errorf("timeout %s is negative", o.Timeout)
	}
	return record{Partitions: o.Partitions, Windows: windowList(o.Windows)}.validate()
}

func (o *Options) readOnly() bool { return o.Covered == nil }

// CheckWindows checks a merge window tree, as Options.Windows has it.
func CheckWindows(windows []time.Duration) error {
	if len(windows) == 0 {
		return errors.New("no merge windows")
	}
	const day = 24 * time.Hour
	for i, w := range windows {
		switch {
		case w < time.Second || w > day || day%w != 0:
			return fmt.Errorf("merge window %s: want a divisor of a day of at least a second", w)
		case i > 0 && (w <= windows[i-1] || w%windows[i-1] != 0):
			return fmt.Errorf("merge window %s: want a multiple of %s", w, windows[i-1])
		}
	}
	return nil
}

// validPartitions checks a partition count.
func validPartitions(n int) error {
	if !schema.ValidPartitionCount(n) {
		return fmt.Errorf("%d partitions: want a power of two up to %d", n, schema.MaxPartitions)
	}
	return nil
}
