package embedded_test

import (
	"bufio"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/internal/wal/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o embedded.Options) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown()) })
	return s
}

func TestServerGreets(t *testing.T) {
	var text strings.Builder
	logger := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := start(t, embedded.Options{Dir: t.TempDir(), MaxStoreBytes: 1 << 20, MaxPayloadBytes: 12345, Logger: logger})
	conn, err := s.Dial()
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "INFO {")
	require.Contains(t, line, `"jetstream":true`)
	require.Contains(t, line, `"max_payload":12345`)
	require.NoError(t, conn.Close())
	require.Empty(t, s.MonitorURL())
	require.NoError(t, s.Shutdown())
	require.Contains(t, text.String(), "subsystem=nats")
	require.NotContains(t, text.String(), "level=WARN")
}

func TestFolderIsForOne(t *testing.T) {
	dir := t.TempDir()
	s := start(t, embedded.Options{Dir: dir})
	_, err := embedded.Start(embedded.Options{Dir: dir})
	require.ErrorIs(t, err, embedded.ErrLocked)
	require.NoError(t, s.Shutdown())
	start(t, embedded.Options{Dir: dir})
}

func TestBadFolder(t *testing.T) {
	_, err := embedded.Start(embedded.Options{})
	require.ErrorContains(t, err, "no folder")
	_, err = embedded.Start(embedded.Options{Dir: "/dev/null/x"})
	require.Error(t, err)
}

func TestListen(t *testing.T) {
	s := start(t, embedded.Options{Dir: t.TempDir(), Listen: true})
	require.Contains(t, s.URL(), "nats://127.0.0.1:")
	require.Contains(t, s.MonitorURL(), "http://127.0.0.1:")
}
