package e2e_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
)

// loopback makes a server listen on free ports of this machine.
func loopback() []string {
	return []string{"-api.addr=127.0.0.1:0", "-otlp.grpc-addr=127.0.0.1:0", "-otlp.http-addr=127.0.0.1:0"}
}

// fromBlocks makes a server forget a batch as soon as it is stored, so that its
// spans can come from nowhere but blocks.
const fromBlocks = "-ingester.live-bytes=0"

// server is the product running in this process.
type server struct {
	*client

	stop func() // returns when it has ended; may be called again
}

// startServer starts the product on dir and returns when it is ready. It stops
// with the test at the latest.
func startServer(t *testing.T, dir string, args ...string) *server {
	t.Helper()
	cfg, err := app.Load(append(append(loopback(), "-data-dir="+dir), args...), os.LookupEnv)
	require.NoError(t, err)
	log := new(output)
	a, err := app.New(cfg, slog.New(slog.NewTextHandler(log, nil)), prometheus.NewRegistry())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	s := &server{}
	s.stop = sync.OnceFunc(func() {
		if s.client != nil {
			s.close()
		}
		cancel()
		require.NoError(t, <-ended)
		requireCalm(t, log.String())
	})
	t.Cleanup(s.stop)
	require.NoError(t, a.AwaitReady(t.Context()))
	s.client = newClient(t, endpoints{api: a.APIAddr().String(), grpc: a.OTLPGRPCAddr().String(), http: a.OTLPHTTPAddr().String()})
	return s
}

// output collects what a server writes. Safe for concurrent use.
type output struct {
	mu    sync.Mutex
	bytes bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.String()
}

// requireCalm fails when a server's messages hold one that needs a person: an
// error, a panic, a data race.
func requireCalm(t *testing.T, log string) {
	t.Helper()
	if alarm := regexp.MustCompile(`(?m)^.*(level=ERROR|panic:|fatal error:|DATA RACE).*$`).FindString(log); alarm != "" {
		require.Fail(t, "the server raised an alarm", "%s\n\nall messages:\n%s", alarm, log)
	}
}

// eventually calls f until it returns true or the test's time is up.
func eventually(t *testing.T, f func() bool) {
	t.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	for !f() {
		select {
		case <-t.Context().Done():
			require.NoError(t, t.Context().Err())
		case <-ticker.C:
		}
	}
}
