package settings

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
)

// Logging is how the process tells what it does.
type Logging struct {
	Level  slog.Level `yaml:"level"`
	Format string     `yaml:"format"`
}

const (
	formatText = "text"
	formatJSON = "json"
)

// RegisterFlags registers every key as a flag and sets its default.
func (c *Logging) RegisterFlags(f *flag.FlagSet) {
	f.TextVar(&c.Level, "logging.level", slog.LevelInfo, "Least `level` of messages on standard error: debug, info, warn or error.")
	f.StringVar(&c.Format, "logging.format", formatText, "Form of the messages: text or json.")
}

// Validate names the key whose value cannot work.
func (c *Logging) Validate() error {
	if c.Format != formatText && c.Format != formatJSON {
		return fmt.Errorf("logging.format %q: want %s or %s", c.Format, formatText, formatJSON)
	}
	return nil
}

// New returns a logger that writes to w as configured.
func (c *Logging) New(w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: c.Level}
	if c.Format == formatJSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
