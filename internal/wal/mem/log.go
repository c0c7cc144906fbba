package mem

import (
	"context"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/wal"
)

// Defaults of Options.
const (
	DefaultMaxBytes   = 1 << 30
	DefaultMaxPayload = 1 << 20
)

// Options describe a log in memory.
type Options struct {
	// Partitions is the number of partitions. Default 1.
	Partitions int
	// MaxBytes bounds each stream. Default DefaultMaxBytes.
	MaxBytes uint64
	// MaxPayload bounds one payload. Default DefaultMaxPayload.
	MaxPayload int
	// Epoch is the first epoch of every partition. Default 1.
	Epoch uint64
	// Windows is the merge window tree. Default wal.DefaultWindows.
	Windows []time.Duration
	// Now is the server's clock. Default time.Now.
	Now func() time.Time
}

func (o *Options) setDefaults() {
	if o.Partitions == 0 {
		o.Partitions = 1
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = DefaultMaxPayload
	}
	if o.Epoch == 0 {
		o.Epoch = 1
	}
	if o.Windows == nil {
		o.Windows = wal.DefaultWindows()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Log is a log in memory. It has the methods of wal.Log and is safe for
// concurrent use.
type Log struct {
	opts Options

	mu      sync.Mutex
	streams []*Stream
	leases  map[string]lease
	closed  bool
}

type lease struct {
	holder string
	until  time.Time
}

// New returns an empty log.
func New(opts Options) *Log {
	opts.setDefaults()
	l := &Log{opts: opts, streams: make([]*Stream, opts.Partitions), leases: make(map[string]lease)}
	for p := range l.streams {
		l.streams[p] = newStream(opts, opts.Epoch)
	}
	return l
}

// Partitions is the number of partitions.
func (l *Log) Partitions() int { return l.opts.Partitions }

// Windows is the merge window tree.
func (l *Log) Windows() []time.Duration { return l.opts.Windows }

// MaxPayload is the size in bytes of the largest payload that Publish takes.
func (l *Log) MaxPayload() int { return l.opts.MaxPayload }

// Stream returns the newest epoch of partition p.
func (l *Log) Stream(p int) wal.Stream { return l.Mem(p) }

// Lease is as that of wal.Log.
func (l *Log) Lease(_ context.Context, name, holder string, while time.Duration) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false, wal.ErrClosed
	}
	now := time.Now()
	if have := l.leases[name]; have.holder != holder && now.Before(have.until) {
		return false, nil
	}
	l.leases[name] = lease{holder, now.Add(while)}
	return true, nil
}

// Mem is Stream with the type that has the methods for tests.
func (l *Log) Mem(p int) *Stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.streams[p]
}

// Lose replaces partition p's stream by an empty one of the next epoch, as
// when someone deletes it.
func (l *Log) Lose(p int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.streams[p]
	l.streams[p] = newStream(l.opts, old.epoch+1)
	old.end(wal.ErrEpochEnded)
}

// Ready returns nil until the log is closed, then wal.ErrClosed.
func (l *Log) Ready() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return wal.ErrClosed
	}
	return nil
}

// Close ends all streams.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for _, s := range l.streams {
		s.end(wal.ErrClosed)
	}
}
