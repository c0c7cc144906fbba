package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestLocalOnly(t *testing.T) {
	for _, tc := range []struct {
		name, remote string
		header       string
		code         int
	}{
		{"loopback", "127.0.0.1:1", "", http.StatusNoContent},
		{"IPv6 loopback", "[::1]:1", "", http.StatusNoContent},
		{"another machine", "10.0.0.1:1", "", http.StatusForbidden},
		{"the machine's own network address", "192.168.1.1:1", "", http.StatusForbidden},
		{"no address", "", "", http.StatusForbidden},
		{"through a proxy", "127.0.0.1:1", "X-Forwarded-For", http.StatusForbidden},
		{"through a standard proxy", "127.0.0.1:1", "Forwarded", http.StatusForbidden},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/flush", http.NoBody)
			req.RemoteAddr = tc.remote
			if tc.header != "" {
				req.Header.Set(tc.header, "for=10.0.0.1")
			}
			w := httptest.NewRecorder()
			localOnly(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, req)
			require.Equal(t, tc.code, w.Code)
			if tc.code == http.StatusForbidden {
				require.Contains(t, w.Body.String(), "127.0.0.1")
			}
		})
	}
}

// Which paths are the machine's own, as they are wired.
func TestAdminRoutes(t *testing.T) {
	cfg, err := Load([]string{"-data-dir", t.TempDir(), "-api.addr=127.0.0.1:0", "-otlp.grpc-addr=127.0.0.1:0", "-otlp.http-addr=127.0.0.1:0"}, os.LookupEnv)
	require.NoError(t, err)
	a, err := New(cfg, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	require.NoError(t, err)
	defer func() { // New has made services, which Run ends
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, a.Run(ctx))
	}()
	const open = http.StatusOK
	starting, forbidden := http.StatusServiceUnavailable, http.StatusForbidden
	for _, tc := range []struct {
		method, path  string
		local, remote int
	}{
		{http.MethodPost, "/flush", starting, forbidden},
		{http.MethodGet, "/debug/pprof/", open, forbidden},
		{http.MethodGet, "/debug/pprof/cmdline", http.StatusNotFound, forbidden}, // it may hold secrets
		{http.MethodGet, "/debug/pprof/symbol", open, forbidden},
		{http.MethodGet, "/metrics", open, open},
		{http.MethodGet, "/ready", starting, starting},
		{http.MethodGet, "/api/echo", starting, starting},
	} {
		t.Run(tc.path, func(t *testing.T) {
			for remote, code := range map[string]int{"127.0.0.1:1": tc.local, "10.0.0.1:1": tc.remote} {
				req := httptest.NewRequestWithContext(t.Context(), tc.method, tc.path, http.NoBody)
				req.RemoteAddr = remote
				w := httptest.NewRecorder()
				a.routes().ServeHTTP(w, req)
				require.Equal(t, code, w.Code, remote)
			}
		})
	}
}

func serveGate(t *testing.T, g *gate) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	return w
}

func TestGate(t *testing.T) {
	var g gate
	require.Equal(t, http.StatusServiceUnavailable, serveGate(t, &g).Code, "closed at first")

	inside, leave := make(chan struct{}), make(chan struct{})
	g.open(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(inside)
		<-leave
	}))
	served := make(chan int)
	go func() { served <- serveGate(t, &g).Code }()
	<-inside
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	g.close(ended) // does not wait for ever
	require.Equal(t, http.StatusServiceUnavailable, serveGate(t, &g).Code)

	closed := make(chan struct{})
	go func() {
		g.close(t.Context())
		close(closed)
	}()
	select {
	case <-closed:
		require.Fail(t, "closed with a request inside")
	default:
	}
	close(leave)
	require.Equal(t, http.StatusOK, <-served)
	<-closed
}

type brokenFlusher struct{}

func (brokenFlusher) Flush(context.Context) error { return errors.New("log is unavailable") }

func TestFlushFails(t *testing.T) {
	w := httptest.NewRecorder()
	flushHandler(brokenFlusher{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/flush", http.NoBody))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "log is unavailable")
}
