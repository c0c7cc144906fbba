package e2e_test

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSecondProcess starts a second server on the folder of a first one, which
// must be refused with the folder's name and leave the first one alone.
func TestSecondProcess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := startProcess(t, dir)
	c := newClient(t, p.ready(t))
	require.NoError(t, c.export(t.Context(), jsonSpan(longTraceID, "00000000000000a1", "shop")))

	code, stdout, stderr := runProgram(t, append(loopback(), "-data-dir="+dir)...)
	require.Equal(t, 1, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, dir)
	require.Contains(t, stderr, "in use")

	data, err := c.trace(t.Context(), "", form{"v2", acceptJSON}, longTraceID)
	require.NoError(t, err)
	require.Len(t, onlyTrace(t, data), 1)
	require.Zero(t, p.terminate(t), p.stderr)
	requireCalm(t, p.stderr.String())
}

// TestFreshStart does what the first lines of a started server propose: send
// the span that they hold, and read it back.
func TestFreshStart(t *testing.T) {
	p := startProcess(t, t.TempDir())
	c := newClient(t, p.ready(t))
	send := regexp.MustCompile(`curl -s (\S+) -H '(\S+): (\S+)' -d '(.*)'\n`).FindStringSubmatch(p.stdout.String())
	require.NotNil(t, send, p.stdout)
	got, err := c.do(t.Context(), http.MethodPost, send[1], http.Header{send[2]: {send[3]}}, []byte(send[4]))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, string(got.body))

	read := regexp.MustCompile(`curl -s (http://\S+/api/traces/\S+)\n`).FindStringSubmatch(p.stdout.String())
	require.NotNil(t, read, p.stdout)
	got, err = c.do(t.Context(), http.MethodGet, read[1], nil, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, got.status, string(got.body))
	require.Contains(t, string(got.body), "hello spanlake")
	require.Zero(t, p.terminate(t), p.stderr)
}

// TestCommandLine covers what somebody sees who asks for help or makes a
// mistake.
func TestCommandLine(t *testing.T) {
	for _, tc := range []struct {
		name   string
		args   []string
		code   int
		stdout []string // parts of it; none: it is empty
		stderr []string
	}{
		{"help", []string{"-h"}, 0, []string{"spanlake [command] [flags]", "serve", "canary", "version"}, nil},
		{"long help", []string{"--help"}, 0, []string{"spanlake [command] [flags]"}, nil},
		{"help of serve", []string{"serve", "-h"}, 0, []string{"-data-dir", "-otlp.grpc-addr", "127.0.0.1:4317", "-bucket", "-nats.url"}, nil},
		{"help of canary", []string{"help", "canary"}, 0, []string{"-otlp.endpoint", "-api.endpoint"}, nil},
		{"version", []string{"version"}, 0, []string{"spanlake"}, nil},
		{"unknown command", []string{"sevre"}, 2, nil, []string{"sevre", "spanlake help"}},
		{"unknown flag", []string{"-data-dri=x"}, 2, nil, []string{"data-dri", "help serve"}},
		{"unknown flag of serve", []string{"serve", "-data-dri=x"}, 2, nil, []string{"data-dri", "help serve"}},
		{"unknown flag of canary", []string{"canary", "-x"}, 2, nil, []string{"-x", "help canary"}},
		{"argument", []string{"serve", "here"}, 2, nil, []string{"here"}},
		{"bad value", []string{"serve", "-log.partitions=3"}, 2, nil, []string{"log.partitions"}},
		{"unknown target", []string{"-target=everything"}, 2, nil, []string{"target", "everything"}},
		{"open to the network", []string{"-api.addr=0.0.0.0:3200"}, 2, nil, []string{"api.addr", "auth.insecure"}},
		{"no configuration file", []string{"-config.file=missing.yaml"}, 2, nil, []string{"missing.yaml"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, stdout, stderr := runProgram(t, tc.args...)
			require.Equal(t, tc.code, code, stderr)
			requireParts(t, tc.stdout, stdout)
			requireParts(t, tc.stderr, stderr)
		})
	}
}

func requireParts(t *testing.T, parts []string, text string) {
	t.Helper()
	if parts == nil {
		require.Empty(t, text)
	}
	for _, part := range parts {
		require.Contains(t, text, part)
	}
}

// TestCanary lets the program watch itself: over both protocols, while batches
// become blocks, and with nobody there.
func TestCanary(t *testing.T) {
	p := startProcess(t, t.TempDir(), fromBlocks, "-ingester.cut-age=100ms")
	e := p.ready(t)
	for _, endpoint := range []string{"http://" + e.http, "grpc://" + e.grpc} {
		t.Run(strings.SplitN(endpoint, ":", 2)[0], func(t *testing.T) {
			code, stdout, stderr := runProgram(t, "canary", "-traces=20", "-interval=20ms",
				"-otlp.endpoint="+endpoint, "-api.endpoint=http://"+e.api)
			require.Zero(t, code, "%s\n%s", stdout, stderr)
		})
	}
	require.Zero(t, p.terminate(t), p.stderr)
	requireCalm(t, p.stderr.String())
	t.Run("nobody there", func(t *testing.T) {
		code, stdout, stderr := runProgram(t, "canary", "-traces=1", "-timeout=100ms",
			"-otlp.endpoint=http://"+e.http, "-api.endpoint=http://"+e.api)
		require.Equal(t, 1, code, "%s\n%s", stdout, stderr)
	})
}
