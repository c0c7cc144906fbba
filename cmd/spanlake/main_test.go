package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/app"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// call runs a command line and returns its exit code and output.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, env{&out, &errs, os.LookupEnv})
	return code, out.String(), errs.String()
}

func TestCommandLine(t *testing.T) {
	for _, tc := range []struct {
		name           string
		args           []string
		code           int
		stdout, stderr string
	}{
		{"unknown command", []string{"archive"}, exitUsage, "", `unknown command "archive"` + "\nRun \"spanlake help\""},
		{"help", []string{"help"}, exitOK, "Commands:\n  serve ", ""},
		{"-h", []string{"-h"}, exitOK, "Commands:", ""},
		{"--help", []string{"--help"}, exitOK, "Commands:", ""},
		{"help of serve", []string{"help", "serve"}, exitOK, "-otlp.grpc-addr host:port  (default 127.0.0.1:4317)", ""},
		{"serve --help", []string{"serve", "--help"}, exitOK, "Taking spans in:", ""},
		{"flags without a command", []string{"-data-dir=x", "-h"}, exitOK, "Taking spans in:", ""},
		{"help of canary", []string{"help", "canary"}, exitOK, "-traces int  (default 10)", ""},
		{"canary -h", []string{"canary", "-h"}, exitOK, "-otlp.endpoint URL", ""},
		{"help of version", []string{"version", "-h"}, exitOK, "spanlake version", ""},
		{"help of nothing", []string{"help", "nothing"}, exitUsage, "", `unknown command "nothing"`},
		{"version", []string{"version"}, exitOK, "\n" + runtime.Version() + " ", ""},
		{"version with an argument", []string{"version", "x"}, exitUsage, "", `unexpected argument "x"`},
		{"unknown flag", []string{"serve", "-nothing"}, exitUsage, "", "-nothing\nRun \"spanlake help serve\""},
		{"unknown flag without a command", []string{"-nothing"}, exitUsage, "", "-nothing"},
		{"bad value", []string{"serve", "-log.partitions=3"}, exitUsage, "", "log.partitions 3"},
		{"canary: unknown flag", []string{"canary", "-nothing"}, exitUsage, "", "-nothing"},
		{"canary: interval", []string{"canary", "-interval=-1s"}, exitUsage, "", "interval"},
		{"canary: traces", []string{"canary", "-traces=-1"}, exitUsage, "", "traces"},
		{"canary: after", []string{"canary", "-after=-1s"}, exitUsage, "", "after"},
		{"canary: timeout", []string{"canary", "-timeout=0s"}, exitUsage, "", "timeout"},
		{"canary: where to write", []string{"canary", "-otlp.endpoint=127.0.0.1"}, exitUsage, "", "otlp.endpoint"},
		{"canary: where to read", []string{"canary", "-api.endpoint=grpc://x"}, exitUsage, "", "api.endpoint"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := call(t, tc.args...)
			require.Equal(t, tc.code, code, stderr)
			require.Contains(t, stdout, tc.stdout)
			require.Contains(t, stderr, tc.stderr)
		})
	}
}

// Every flag of serve stands in a section of its help.
func TestHelpIsComplete(t *testing.T) {
	_, stdout, _ := call(t, "help", "serve")
	for _, flag := range []string{"config.file", "target", "bucket", "auth.insecure", "nats.url", "log.partitions", "ingester.cut-age", "querier.timeout", "logging.level"} {
		require.Contains(t, stdout, "\n  -"+flag)
	}
}

// output is a writer that tells when it has seen a text.
type output struct {
	pipe *io.PipeWriter
	seen chan string // everything, once it holds the text
}

func watch(text string) *output {
	r, w := io.Pipe()
	o := &output{w, make(chan string, 1)}
	go func() {
		var all strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := r.Read(buf)
			all.Write(buf[:n])
			if strings.Contains(all.String(), text) || err != nil {
				o.seen <- all.String()
				_, _ = io.Copy(io.Discard, r) // until the writer closes
				return
			}
		}
	}()
	return o
}

func freePorts(args ...string) []string {
	return append([]string{"-api.addr=127.0.0.1:0", "-otlp.grpc-addr=127.0.0.1:0", "-otlp.http-addr=127.0.0.1:0", "-logging.level=error"}, args...)
}

// The lines that serve prints work as they are.
func TestServe(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := watch("Read it back")
	code := make(chan int)
	var errs bytes.Buffer
	go func() {
		c := run(ctx, append([]string{"serve"}, freePorts("-data-dir", t.TempDir())...), env{out.pipe, &errs, os.LookupEnv})
		_ = out.pipe.Close()
		code <- c
	}()
	banner := <-out.seen
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	fetch := func(method, url, contentType, body string) string {
		req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", contentType)
		status, _, reply, err := do(client, req)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status, string(reply))
		return string(reply)
	}
	send := regexp.MustCompile(`curl -s (\S+) -H 'Content-Type: (\S+)' -d '(.*)'`).FindStringSubmatch(banner)
	require.Len(t, send, 4, banner)
	fetch(http.MethodPost, send[1], send[2], send[3])
	read := regexp.MustCompile(`curl -s (\S+/api/traces/\S+)`).FindStringSubmatch(banner)
	require.Len(t, read, 2, banner)
	require.Contains(t, fetch(http.MethodGet, read[1], "", ""), "hello spanlake")
	require.Regexp(t, `OTEL_EXPORTER_OTLP_ENDPOINT=http://127\.0\.0\.1:\d+ `, banner)

	cancel()
	require.Equal(t, exitOK, <-code, errs.String())
}

func TestServeFails(t *testing.T) {
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close() //nolint:errcheck // only listened
	code, stdout, stderr := call(t, append(freePorts(), "-data-dir", t.TempDir(), "-otlp.http-addr", taken.Addr().String())...)
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "is in use by another program")
	require.Contains(t, stderr, "-otlp.http-addr")
}

func TestBanner(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv6zero, Port: 1}
	for _, tc := range []struct {
		name         string
		banner       banner
		holds, lacks []string
	}{
		{
			"querier",
			banner{target: app.TargetQuerier, api: addr, blocks: "/b", log: "nats://one:4222"},
			[]string{"API        http://127.0.0.1:1", "Grafana", "/b", "nats://one:4222"},
			[]string{"OTLP", "curl"},
		},
		{
			"ingester",
			banner{target: app.TargetIngester, api: addr, grpc: addr, http: addr},
			[]string{"OTLP gRPC  127.0.0.1:1", "v1/traces"},
			[]string{"Grafana", "/api/traces"},
		},
		{
			"all",
			banner{target: app.TargetAll, api: addr, grpc: addr, http: addr, now: time.Unix(7, 0)},
			[]string{`"endTimeUnixNano":"7000000000"`, `"startTimeUnixNano":"6750000000"`, "/api/traces/" + firstTraceID},
			nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, printBanner(&out, tc.banner))
			for _, text := range tc.holds {
				require.Contains(t, out.String(), text)
			}
			for _, text := range tc.lacks {
				require.NotContains(t, out.String(), text)
			}
		})
	}
	require.True(t, json.Valid([]byte(firstSpan(time.Now()))))
}

// startApp runs everything in this process and returns where it writes and reads.
func startApp(t *testing.T) (otlpHTTP, otlpGRPC, api string) {
	t.Helper()
	return startAppIn(t, t.TempDir())
}

// startAppIn is startApp with a data folder.
func startAppIn(t *testing.T, dir string) (otlpHTTP, otlpGRPC, api string) {
	t.Helper()
	cfg, err := app.Load(freePorts("-data-dir", dir), os.LookupEnv)
	require.NoError(t, err)
	a, err := app.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)), prometheus.NewRegistry())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	require.NoError(t, a.AwaitReady(t.Context()))
	return fmt.Sprintf("http://%s", a.OTLPHTTPAddr()), fmt.Sprintf("grpc://%s", a.OTLPGRPCAddr()), fmt.Sprintf("http://%s", a.APIAddr())
}

// The whole program, as a user starts and stops it.
func TestProcessStopsOnSignal(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "spanlake")
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags=-X main.version=1.2.3", "-o", binary, ".")
	report, err := build.CombinedOutput()
	require.NoError(t, err, string(report))

	stdout := watch("is ready")
	serve := exec.CommandContext(t.Context(), binary, freePorts("-data-dir", t.TempDir())...)
	serve.Stdout = stdout.pipe
	var errs bytes.Buffer
	serve.Stderr = &errs
	require.NoError(t, serve.Start())
	require.Contains(t, <-stdout.seen, "spanlake 1.2.3 is ready")
	require.NoError(t, serve.Process.Signal(os.Interrupt))
	require.NoError(t, serve.Wait(), errs.String())
	require.NoError(t, stdout.pipe.Close())
	require.Empty(t, errs.String())
}
