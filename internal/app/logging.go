package app

import (
	"io"
	"log/slog"
)

// NewLogger returns a logger that writes to w as configured.
func NewLogger(cfg LoggingConfig, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.Level}
	if cfg.Format == formatJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
