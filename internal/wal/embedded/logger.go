package embedded

import (
	"fmt"
	"log/slog"

	"github.com/nats-io/nats-server/v2/server"
)

var _ server.Logger = (*natsLogger)(nil)

// natsLogger gives the server's messages to slog. What the server calls a
// notice is of interest to its own operators only, so it is logged as debug.
type natsLogger struct{ logger *slog.Logger }

func (l *natsLogger) text(format string, v []any) slog.Attr {
	return slog.String("text", fmt.Sprintf(format, v...))
}

// Noticef implements server.Logger.
func (l *natsLogger) Noticef(format string, v ...any) {
	l.logger.Debug("log server notice", l.text(format, v))
}

// Warnf implements server.Logger.
func (l *natsLogger) Warnf(format string, v ...any) {
	l.logger.Warn("log server warning", l.text(format, v))
}

// Fatalf implements server.Logger. The server goes on after it: Start then
// finds that it is not ready.
func (l *natsLogger) Fatalf(format string, v ...any) {
	l.logger.Error("log server cannot run", l.text(format, v))
}

// Errorf implements server.Logger.
func (l *natsLogger) Errorf(format string, v ...any) {
	l.logger.Error("log server error", l.text(format, v))
}

// Debugf implements server.Logger.
func (l *natsLogger) Debugf(format string, v ...any) {
	l.logger.Debug("log server debug", l.text(format, v))
}

// Tracef implements server.Logger.
func (l *natsLogger) Tracef(format string, v ...any) {
	l.logger.Debug("log server trace", l.text(format, v))
}
