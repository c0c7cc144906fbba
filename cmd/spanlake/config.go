package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spanlake/spanlake/internal/app"
)

// config prints the configuration that serve would run with, or everything
// that is wrong with it.
func config(_ context.Context, args []string, e env) error {
	effective, err := app.LoadEffective(args, e.lookupEnv)
	if effective == nil {
		return &usageError{err}
	}
	if err := errors.Join(err, effective.Config.Validate()); err != nil {
		return fmt.Errorf("not valid:\n%w", err)
	}
	return effective.WriteYAML(e.stdout)
}

func configHelp(w io.Writer) {
	fmt.Fprint(w, `Check a configuration without using it. If it is valid, print all of it as YAML: the
defaults, the file over them, the flags over both. Keys that were set say where; secrets
are masked. If it is not, tell everything that is wrong and exit with 1.

Usage:
  spanlake config [flags of serve]

Examples:
  Is this file valid, and what does it change?
    spanlake config -config.file spanlake.yaml | grep '#'
  A file with every key, to begin with:
    spanlake config > spanlake.yaml

"spanlake help serve" lists the flags.
`)
}
