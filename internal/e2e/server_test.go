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
	return []string{
		"-api.addr=127.0.0.1:0", "-otlp.grpc-addr=127.0.0.1:0", "-otlp.http-addr=127.0.0.1:0",
		"-log.partitions=4", // however many processors there are
	}
}

const (
	// fromBlocks makes a server forget a batch as soon as it is stored, so that
	// its spans can come from nowhere but blocks.
	fromBlocks = "-ingester.live-bytes=0"
	// noCutByAge leaves it to the test when the spans become blocks.
	noCutByAge = "-ingester.cut-age=1h"
)

// server is the product running, in this process or in one of its own.
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

// startProgram does the same with the built program, whose blocks are at the
// place.
func startProgram(t *testing.T, place place, dir string, args ...string) *server {
	t.Helper()
	args = append(append(loopback(), "-data-dir="+dir, "-bucket="+place.url), args...)
	p := runProcess(t, place.env, buildProgram(t), args...)
	s := &server{client: newClient(t, p.ready(t))}
	s.stop = sync.OnceFunc(func() {
		s.close()
		require.Zero(t, p.terminate(t), p.stderr)
		requireCalm(t, p.stderr.String())
	})
	t.Cleanup(s.stop)
	return s
}

// starter starts a server on what the last one of its kind has left.
type starter func(args ...string) *server

// everywhere runs a test of one server in parallel with itself: in this process
// on a folder, and as the built program on S3. There everything takes several
// times as long, so that short says to do only a part, unless -full is set.
func everywhere(t *testing.T, test func(t *testing.T, start starter, short bool)) {
	t.Helper()
	inThisProcess(t, func(t *testing.T, start starter) {
		t.Helper()
		test(t, start, false)
	})
	asProgram(t, func(t *testing.T, start starter) {
		t.Helper()
		test(t, start, !*full)
	})
}

func inThisProcess(t *testing.T, test func(t *testing.T, start starter)) {
	t.Helper()
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		test(t, func(args ...string) *server { return startServer(t, dir, args...) })
	})
}

func asProgram(t *testing.T, test func(t *testing.T, start starter)) {
	t.Helper()
	t.Run("S3", func(t *testing.T) {
		t.Parallel()
		place, dir := onS3(t), t.TempDir()
		test(t, func(args ...string) *server { return startProgram(t, place, dir, args...) })
	})
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
