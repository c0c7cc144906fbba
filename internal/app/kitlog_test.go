package app

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-kit/log/level"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/settings"
)

func TestKitLogger(t *testing.T) {
	var out strings.Builder
	text := settings.Logging{Level: slog.LevelInfo, Format: "text"}
	l := kitLogger{text.New(&out)}
	require.NoError(t, level.Info(l).Log("msg", "starting", "module", "api"))
	require.Empty(t, out.String(), "what dskit calls info is debug")
	require.NoError(t, level.Warn(l).Log("msg", "module failed with error", "module", "api", "err", errors.New("boom")))
	require.Contains(t, out.String(), `level=WARN msg="module failed with error" module=api err=boom`)
	require.NoError(t, l.Log(level.Key(), level.ErrorValue(), "msg", "worse", "a key without a value"))
	require.Contains(t, out.String(), "level=ERROR msg=worse\n")
}

func TestJSONLogger(t *testing.T) {
	var out strings.Builder
	asJSON := settings.Logging{Level: slog.LevelDebug, Format: "json"}
	asJSON.New(&out).Debug("stopping", slog.String("project", "default"))
	require.Contains(t, out.String(), `"level":"DEBUG","msg":"stopping","project":"default"`)
}
