package wal_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/embedded"
	"github.com/spanlake/spanlake/internal/wal/waltest"
)

// external starts a server that listens, and the options for it.
func external(t *testing.T, weakSync bool) (*embedded.Server, wal.Options) {
	t.Helper()
	s, err := embedded.Start(embedded.Options{Dir: t.TempDir(), MaxStoreBytes: 1 << 30, Listen: true, WeakSync: weakSync})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown()) })
	return s, wal.Options{
		URL:                  s.URL(),
		MaxBytesPerPartition: waltest.MaxBytes,
		Covered: func(_ context.Context, epochs []uint64, _ time.Time) ([]uint64, error) {
			return make([]uint64, len(epochs)), nil
		},
	}
}

func TestExternalServer(t *testing.T) {
	s, o := external(t, false)
	o.MonitorURLs = []string{s.MonitorURL() + "/"}
	l := open(t, o)
	require.Equal(t, wal.DefaultPartitions, l.Partitions())
	publish(t, l.Stream(3), entry("a", false))
	require.Len(t, waltest.Read(t, l.Stream(3), 1), 1)
}

func TestUnsyncedServerIsRefused(t *testing.T) {
	s, o := external(t, true)
	o.MonitorURLs = []string{s.MonitorURL()}
	_, err := wal.Open(t.Context(), o)
	require.ErrorIs(t, err, wal.ErrWeak)
	require.ErrorContains(t, err, "sync_interval: always")

	o.AllowWeakSync = true
	publish(t, open(t, o).Stream(0), entry("a", false))
}

func TestUnknownSyncIsRefused(t *testing.T) {
	_, o := external(t, false)
	_, err := wal.Open(t.Context(), o)
	require.ErrorIs(t, err, wal.ErrWeak)
	require.ErrorContains(t, err, "monitoring URL")

	o.AllowWeakSync = true
	publish(t, open(t, o).Stream(0), entry("a", false))
}

func TestMonitorOfAnotherServer(t *testing.T) {
	_, o := external(t, true)
	other, _ := external(t, false)
	notFound := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(notFound.Close)
	for _, c := range []struct{ name, url, want string }{
		{"another", other.MonitorURL(), "none of the monitoring URLs"},
		{"away", "http://127.0.0.1:1", "ask monitor"},
		{"not found", notFound.URL, "404"},
		{"nonsense", "http://\x00", "ask monitor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.MonitorURLs = []string{c.url}
			err := openOnce(t, o)
			require.ErrorIs(t, err, wal.ErrUnavailable)
			require.ErrorContains(t, err, c.want)
		})
	}
	o.MonitorURLs = []string{notFound.URL}
	o.AllowWeakSync = true
	publish(t, open(t, o).Stream(0), entry("a", false))
}

func TestServerIsAway(t *testing.T) {
	err := openOnce(t, wal.Options{URL: "nats://127.0.0.1:1"})
	require.ErrorIs(t, err, wal.ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
}

// The end of the context is told, whatever it interrupts.
func TestOpenIsInterrupted(t *testing.T) {
	s, o := external(t, false)
	o.MonitorURLs = []string{s.MonitorURL()}
	// With a log that exists: a NATS server that is shut down while it creates
	// a stream leaves goroutines behind.
	open(t, o)
	for _, c := range []struct {
		name   string
		change func(o *wal.Options, cancel func())
	}{
		{"while it connects", func(o *wal.Options, cancel func()) {
			cancel()
			o.URL = "nats://127.0.0.1:1"
		}},
		{"while it makes its checks", func(o *wal.Options, cancel func()) {
			o.Covered = func(context.Context, []uint64, time.Time) ([]uint64, error) {
				cancel()
				return nil, errors.New("listing was slow")
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			opts := o
			c.change(&opts, cancel)
			_, err := wal.Open(ctx, opts)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, wal.ErrUnavailable)
		})
	}
}
