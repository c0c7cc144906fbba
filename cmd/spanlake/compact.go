package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/schema"
)

// errNotOnce is for compact without its flag.
var errNotOnce = errors.New("want -once: a process that goes on merging is \"spanlake serve -target compactor\"")

// compact merges and deletes blocks once.
func compact(ctx context.Context, args []string, e env) error {
	args, once := cutOnce(args)
	cfg, err := app.Load(args, e.lookupEnv)
	if err == nil && !once {
		err = errNotOnce
	}
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		return &usageError{err}
	}
	cfg.Logging.Level = max(cfg.Logging.Level, slog.LevelWarn) // the rest is in the summary
	bar := newProgress(e.stderr, "", 0)
	sum, err := app.CompactOnce(ctx, cfg, cfg.Logging.New(e.stderr), func(project schema.ProjectID, done, total int64) {
		bar.what, bar.total = "Merging blocks of "+string(project), total
		bar.update(done)
	})
	bar.end()
	if err == nil || sum.Merges+sum.Rewrites+sum.Repriced+sum.Covered+sum.Expired > 0 {
		printSummary(e.stdout, &sum)
	}
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("interrupted, what is done stays done: %w", err)
	}
	return err
}

// cutOnce cuts -once out of the flags of serve.
func cutOnce(args []string) (rest []string, once bool) {
	for _, a := range args {
		if a == "-once" || a == "--once" {
			once = true
		} else {
			rest = append(rest, a)
		}
	}
	return rest, once
}

func printSummary(w io.Writer, s *compactor.Summary) {
	var lines []string
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if s.Merges > 0 {
		add("%s of %s merged into %d of %s", counted(s.Inputs, "block"), formatBytes(s.Read), s.Merges, formatBytes(s.Written))
	}
	if s.Folded > 0 {
		add("%s left out that had been delivered twice", counted(s.Folded, "span"))
	}
	if s.Rewrites > 0 {
		add("%s written anew without what is to be gone", counted(s.Rewrites, "block"))
	}
	if s.Dropped > 0 {
		add("%s left out that are erased, or that no rule keeps", counted(s.Dropped, "span"))
	}
	if s.Repriced > 0 {
		add("%s written anew with what follows from their spans today", counted(s.Repriced, "block"))
	}
	if s.Erased > 0 {
		add("%s done: nothing of it is left", counted(s.Erased, "erasure"))
	}
	if s.Pending > 0 {
		add("%s not done", counted(s.Pending, "erasure"))
	}
	if s.Covered > 0 {
		add("%s deleted that others cover", counted(s.Covered, "block"))
	}
	if s.Expired > 0 {
		add("%s deleted that had expired", counted(s.Expired, "block"))
	}
	if s.Void > 0 {
		add("%s left to another process", counted(s.Void, "merge"))
	}
	if s.TooLarge > 0 {
		add("%s not merged: too large together (-compactor.max-bytes)", counted(s.TooLarge, "window"))
	}
	if s.Strangers > 0 {
		add("%s not merged: the log's clock was put back meanwhile", counted(s.Strangers, "window"))
	}
	if len(lines) == 0 {
		add("Nothing to do.")
	}
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}

func compactHelp(w io.Writer) {
	fmt.Fprint(w, `Merge small blocks into larger ones, and delete those that were merged half an hour ago or
have expired, until there is nothing left to merge. A process that runs does the same on its
own; any number of them may work at once, and be interrupted at any time.

Usage:
  spanlake compact -once [flags of serve]

Examples:
  The bucket and log of services:
    spanlake compact -once -nats.url nats://nats:4222 -bucket s3://my-traces
  A data folder that no process uses:
    spanlake compact -once -data-dir ./spanlake-data

"spanlake help serve" lists the flags; those of merging begin with -compactor.
`)
}
