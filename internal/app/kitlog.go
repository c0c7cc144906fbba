package app

import (
	"context"
	"fmt"
	"log/slog"

	kitlog "github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

// kitLogger gives what dskit logs to slog. What it calls info, the steps of
// starting and stopping, is debug here.
type kitLogger struct{ logger *slog.Logger }

var _ kitlog.Logger = kitLogger{}

// Log implements the go-kit logger: keys and values in turn.
func (l kitLogger) Log(keyvals ...any) error {
	severity, msg := slog.LevelDebug, ""
	var attrs []slog.Attr
	for i := 0; i+1 < len(keyvals); i += 2 {
		key, value := fmt.Sprint(keyvals[i]), keyvals[i+1]
		switch key {
		case fmt.Sprint(level.Key()):
			severity = severityOf(value)
		case "msg":
			msg = fmt.Sprint(value)
		default:
			attrs = append(attrs, slog.Any(key, value))
		}
	}
	l.logger.LogAttrs(context.Background(), severity, msg, attrs...) //nolint:sloglint // dskit's messages, which are constants there
	return nil
}

func severityOf(value any) slog.Level {
	switch value {
	case level.ErrorValue():
		return slog.LevelError
	case level.WarnValue():
		return slog.LevelWarn
	}
	return slog.LevelDebug
}
