package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// Set by the linker in releases (-X main.version=1.2.3 -X main.revision=…).
var version, revision string

// programVersion is the version and revision that the linker was told, else
// those that the go command recorded.
func programVersion() (string, string) {
	v, r := version, revision
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v, r
	}
	if v == "" {
		v = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && r == "" {
			r = s.Value
		}
	}
	if v == "" || v == "(devel)" {
		v = "dev"
	}
	return v, r
}

func printVersion(_ context.Context, args []string, e env) error {
	if err := parseFlags(flag.NewFlagSet("version", flag.ContinueOnError), args); err != nil {
		return err
	}
	v, r := programVersion()
	if r == "" {
		r = "unknown"
	}
	_, err := fmt.Fprintf(e.stdout, "spanlake %s\ncommit %s\n%s %s/%s\n", v, r, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

func versionHelp(w io.Writer) {
	fmt.Fprint(w, "Print version, commit and Go version.\n\nUsage:\n  spanlake version\n")
}

// parseFlags parses a command line that holds flags only.
func parseFlags(fs *flag.FlagSet, args []string) error {
	fs.SetOutput(io.Discard)
	if err := fs.Parse(args); err != nil {
		return &usageError{err}
	}
	if fs.NArg() > 0 {
		return &usageError{fmt.Errorf("unexpected argument %q: flags begin with -", fs.Arg(0))}
	}
	return nil
}
