package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/internal/wal/waltest"
)

const patience = time.Minute

// freePort is a loopback port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // nothing was written
	return l.Addr().(*net.TCPAddr).Port
}

// cluster starts three servers that sync every write.
func cluster(t *testing.T) []*server.Server {
	t.Helper()
	const size = 3
	ports := make([]int, size)
	var routes []*url.URL
	for i := range ports {
		ports[i] = freePort(t)
		routes = append(routes, &url.URL{Scheme: "nats", Host: fmt.Sprintf("127.0.0.1:%d", ports[i])})
	}
	servers := make([]*server.Server, size)
	for i := range servers {
		s, err := server.NewServer(&server.Options{
			ServerName: fmt.Sprintf("node%d", i),
			Host:       "127.0.0.1", Port: server.RANDOM_PORT,
			HTTPHost: "127.0.0.1", HTTPPort: server.RANDOM_PORT,
			Cluster:   server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: ports[i]},
			Routes:    routes,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true,
			JetStreamMaxMemory: 16 << 20, JetStreamMaxStore: 256 << 20,
			NoSigs: true, NoLog: true,
		})
		require.NoError(t, err)
		s.Start()
		t.Cleanup(func() { stopServer(s) })
		servers[i] = s
	}
	require.Eventually(t, func() bool {
		for _, s := range servers {
			if !s.JetStreamIsCurrent() {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond)
	return servers
}

func stopServer(s *server.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}

func TestClusterLosesAServer(t *testing.T) {
	servers := cluster(t)
	o := wal.Options{
		Partitions:           2,
		Replicas:             3,
		MaxBytesPerPartition: 1 << 20,
		Covered: func(_ context.Context, epochs []uint64, _ time.Time) ([]uint64, error) {
			return make([]uint64, len(epochs)), nil
		},
	}
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.ClientURL())
		o.MonitorURLs = append(o.MonitorURLs, "http://"+s.MonitorAddr().String())
	}
	o.URL = strings.Join(urls, ",")
	l, err := wal.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(l.Close)

	s := l.Stream(0)
	for i := range 10 {
		requirePublish(t, s, i)
	}
	acknowledged := len(waltest.Read(t, s, 10))

	// The leader of partition 0 goes: whichever server the client talks to,
	// readers start again and publishing goes on when the checks are made.
	stream := fmt.Sprintf("%s-p000-%d", wal.DefaultName, s.Epoch())
	reset := make(chan error, 1)
	go func() {
		reset <- s.Read(t.Context(), func(m wal.Message) error {
			if m.Position == uint64(acknowledged) { //nolint:gosec // a small count
				go stopLeader(servers, stream)
			}
			return nil
		})
	}()
	require.ErrorIs(t, <-reset, wal.ErrReset)
	require.Same(t, s, l.Stream(0), "the epoch survives an election")
	for i := range 5 {
		requirePublish(t, s, i)
	}
	st, err := s.State(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, st.Last, uint64(15))
	require.Len(t, waltest.Read(t, s, int(st.Last)), int(st.Last)) //nolint:gosec // a small count
}

func stopLeader(servers []*server.Server, stream string) {
	for _, s := range servers {
		if s.JetStreamIsStreamLeader(server.DEFAULT_GLOBAL_ACCOUNT, stream) {
			stopServer(s)
			return
		}
	}
}

// requirePublish publishes, again while the cluster is finding itself.
func requirePublish(t *testing.T, s wal.Stream, i int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var err error
	require.Eventually(t, func() bool {
		if _, err = s.Publish(ctx, fmt.Appendf(nil, "%d", i), ""); err == nil {
			return true
		}
		return !errors.Is(err, wal.ErrUnavailable) && !errors.Is(err, wal.ErrUnknownOutcome)
	}, patience, 20*time.Millisecond)
	require.NoError(t, err)
}
