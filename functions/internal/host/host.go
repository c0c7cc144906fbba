package host

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/clock"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/s3"
	"github.com/spanlake/spanlake/internal/wal"
)

// Host lives as long as an execution environment, which is frozen between
// invocations: nothing in it relies on a ticker.
type Host struct {
	Logger *slog.Logger
	Bucket objstore.Bucket
	// Store is the bucket on S3, in which keys begin with Root.
	Store *s3.Bucket
	Root  string

	mu   sync.Mutex
	used time.Time // when the last invocation began, zero before the first
}

// New opens the bucket, which asks nothing of it yet.
func New(ctx context.Context, cfg *Config, logger *slog.Logger) (*Host, error) {
	opts, prefix, err := s3.ParseURL(cfg.Bucket)
	if err != nil {
		return nil, err
	}
	store, err := s3.Open(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", opts.Bucket, err)
	}
	h := &Host{Logger: logger, Store: store}
	h.Bucket = objstore.Retry(objstore.Prefixed(store, prefix), objstore.RetryOptions{})
	if prefix != "" {
		h.Root = prefix + "/"
	}
	return h, nil
}

// frozenFor is after how long without an invocation the network may have forgotten
// connections to the bucket: what is sent into such a one waits in vain until it is
// found to stand still.
const frozenFor = 3 * time.Second

// Thaw lets go of connections to the bucket that were not used for a while. It is
// for the beginning of an invocation.
func (h *Host) Thaw() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.used.IsZero() && clock.Since(h.used) > frozenFor {
		h.Store.Close()
	}
	h.used = time.Now()
}

// Writing completes the options of a log for who writes to it.
func (h *Host) Writing(opts wal.Options) wal.Options {
	opts.Covered = func(ctx context.Context, epochs []uint64, from time.Time) ([]uint64, error) {
		return catalog.Highest(ctx, h.Bucket, epochs, from)
	}
	return opts
}
