package main

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/spanlake/spanlake/internal/settings"
)

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func isHelp(arg string) bool {
	switch arg {
	case "-h", "-help", "--help":
		return true
	}
	return false
}

// help answers "spanlake help [command]".
func help(args []string, e env) int {
	if len(args) == 0 {
		rootHelp(e.stdout)
		return exitOK
	}
	for _, c := range commands() {
		if c.name == args[0] {
			c.help(e.stdout)
			return exitOK
		}
	}
	fmt.Fprintf(e.stderr, "spanlake help: unknown command %q\nRun \"spanlake help\" for the commands.\n", args[0])
	return exitUsage
}

func rootHelp(w io.Writer) {
	fmt.Fprint(w, `spanlake keeps traces in a bucket and answers Grafana's Tempo queries about them.

Usage:
  spanlake [command] [flags]

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `  help      Print this, or a command's help: spanlake help serve

Without configuration everything runs in one process on this machine:
  spanlake
`)
}

// section is a titled group of flags, those whose names begin with a prefix.
type section struct{ title, prefix string }

// printFlags prints the flags of fs by section. Each flag goes to the section
// with the longest prefix that it has.
func printFlags(w io.Writer, fs *flag.FlagSet, sections []section) {
	groups := make([][]*flag.Flag, len(sections))
	fs.VisitAll(func(f *flag.Flag) {
		best := -1
		for i, s := range sections {
			if strings.HasPrefix(f.Name, s.prefix) && (best < 0 || len(s.prefix) > len(sections[best].prefix)) {
				best = i
			}
		}
		if best >= 0 {
			groups[best] = append(groups[best], f)
		}
	})
	for i, s := range sections {
		if len(groups[i]) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s:\n", s.title)
		for _, f := range groups[i] {
			printFlag(w, f)
		}
	}
}

func printFlag(w io.Writer, f *flag.Flag) {
	kind, usage := flag.UnquoteUsage(f)
	if _, ok := f.Value.(*settings.Size); ok {
		kind = "size"
	}
	fmt.Fprintf(w, "  -%s", f.Name)
	if kind != "" {
		fmt.Fprintf(w, " %s", kind)
	}
	if f.DefValue != "" && f.DefValue != "false" {
		fmt.Fprintf(w, "  (default %s)", f.DefValue)
	}
	fmt.Fprintf(w, "\n      %s\n", usage)
}
