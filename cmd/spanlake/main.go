// Command spanlake stores traces in a bucket and answers queries about them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// env is what a command gets from the outside.
type env struct {
	stdout, stderr io.Writer
	lookupEnv      func(string) (string, bool)
}

// command is a subcommand. run fails with a *usageError when it was not called
// as its help says, with flag.ErrHelp when it was asked for help.
type command struct {
	name, summary string
	run           func(ctx context.Context, args []string, e env) error
	help          func(w io.Writer)
}

func commands() []command {
	return []command{
		{"serve", "Run spanlake: take spans in, store them, answer queries. What spanlake does without a command.", serve, serveHelp},
		{"query", "Show a trace as a tree, search for traces or calculate metrics with TraceQL.", query, queryHelp},
		{"export", "Write the traces of a time range into a file: OTLP, JSON lines or CSV.", export, exportHelp},
		{"project", "Administer projects: retention, limits, keys.", projects, projectsHelp},
		{"explain", "Say what a project's retention removes when.", explain, explainHelp},
		{"erase", "Erase traces, such as all of a user's, and show what became of it.", erase, eraseHelp},
		{"prices", "List what tokens of models cost, or price a call.", prices, pricesHelp},
		{"reprice", "Price anew what is stored, by the prices of today, and show how far that is.", reprice, repriceHelp},
		{"blocks", "List the blocks of a bucket, show what one holds, verify one or all.", blocks, blocksHelp},
		{"compact", "Merge blocks and delete those that are covered or have expired, once.", compact, compactHelp},
		{"canary", "Write known traces, read them back and compare: is a deployment losing, doubling or changing anything?", canary, canaryHelp},
		{"config", "Check a configuration and print all of it, with where each value comes from.", config, configHelp},
		{"version", "Print the version.", printVersion, versionHelp},
	}
}

func main() {
	// The first signal ends the context; the second one, no longer caught,
	// ends the process.
	ctx, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, release)
	os.Exit(run(ctx, os.Args[1:], env{os.Stdout, os.Stderr, os.LookupEnv}))
}

// run finds and runs the command and returns the exit code.
func run(ctx context.Context, args []string, e env) int {
	name := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		name, args = args[0], args[1:]
	} else if len(args) > 0 && isHelp(args[0]) {
		name, args = "help", args[1:]
	}
	if name == "help" {
		return help(args, e)
	}
	for _, c := range commands() {
		if c.name == name {
			return report(c, c.run(ctx, args, e), e)
		}
	}
	fmt.Fprintf(e.stderr, "spanlake: unknown command %q\nRun \"spanlake help\" for the commands.\n", name)
	return exitUsage
}

// report prints a command's error and turns it into the exit code.
func report(c command, err error, e env) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		c.help(e.stdout)
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(e.stderr, "spanlake %s: %v\nRun \"spanlake help %s\" for its flags.\n", c.name, err, c.name)
		return exitUsage
	}
	fmt.Fprintf(e.stderr, "spanlake %s: %v\n", c.name, err)
	return exitFailed
}
