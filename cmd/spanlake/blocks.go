package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/objstore"
)

// blocks runs "spanlake blocks list", "inspect" and "verify".
func blocks(ctx context.Context, args []string, e env) error {
	if len(args) == 0 {
		return &usageError{errors.New("want list, inspect or verify")}
	}
	switch args[0] {
	case "list":
		return blocksList(ctx, args[1:], e)
	case "inspect":
		return blocksInspect(ctx, args[1:], e)
	case "verify":
		return blocksVerify(ctx, args[1:], e)
	}
	if isHelp(args[0]) {
		return flag.ErrHelp
	}
	return &usageError{fmt.Errorf("unknown command %q: want list, inspect or verify", args[0])}
}

// bucketFlags choose a bucket as serve does. They read it beside a process
// that may be running, and without its lock: blocks never change.
type bucketFlags struct{ set *flag.FlagSet }

// bucketFlagNames are those flags of serve that tell where blocks are.
func bucketFlagNames() []string { return []string{"config.file", "data-dir", "bucket"} }

func (b *bucketFlags) register(f *flag.FlagSet) {
	b.set = f
	serve := flag.NewFlagSet("", flag.ContinueOnError)
	new(app.Config).RegisterFlags(serve)
	for _, name := range bucketFlagNames() {
		f.Var(serve.Lookup(name).Value, name, serve.Lookup(name).Usage)
	}
}

// open opens the bucket that the flags and the file name, until release.
func (b *bucketFlags) open(ctx context.Context, e env) (bucket objstore.Bucket, release func(), err error) {
	cfg, err := b.config(e)
	if err != nil {
		return nil, nil, err
	}
	return app.OpenBucket(ctx, cfg)
}

// config is the configuration that the flags and the file make.
func (b *bucketFlags) config(e env) (*app.Config, error) {
	names := bucketFlagNames()
	var args []string
	b.set.Visit(func(f *flag.Flag) {
		if slices.Contains(names, f.Name) {
			args = append(args, fmt.Sprintf("-%s=%s", f.Name, f.Value))
		}
	})
	cfg, err := app.Load(args, e.lookupEnv)
	if err != nil {
		return nil, &usageError{err}
	}
	return &cfg, nil
}

func blocksHelp(w io.Writer) {
	fmt.Fprint(w, `Look at blocks in a bucket, also while a server uses it: nothing is changed.

Usage:
  spanlake blocks list [flags]
  spanlake blocks inspect [flags] <key, path or URL of a block>
  spanlake blocks verify [flags] [key, path or URL, also of a folder]

Examples:
  The blocks of one project of the last day, those that a merge has replaced marked hidden:
    spanlake blocks list -project default -since 24h
  What a block holds, column by column, what has a column and why, and whether all of it is as it was written:
    spanlake blocks inspect blocks/default/2026-01-15/p0of4/…parquet
  The largest blocks:
    spanlake blocks list -output json | jq '.blocks | sort_by(-.bytes) | .[:10]'
  Is anything damaged, in a whole bucket, in one project, in one month of it?
    spanlake blocks verify 's3://my-traces?region=eu-west-1'
    spanlake blocks verify -project default
    spanlake blocks verify blocks/default/2026-01
`)
	for _, command := range []struct {
		name     string
		register func(*flag.FlagSet)
	}{
		{"list", new(listConfig).registerFlags},
		{"inspect", new(inspectConfig).registerFlags},
		{"verify", new(verifyConfig).registerFlags},
	} {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		command.register(flags)
		printFlags(w, flags, []section{{"Flags of " + command.name, ""}})
	}
	fmt.Fprint(w, `
inspect and verify exit with 1 if a block is damaged; verify also if one could not be read. It goes on after
damage, and tells how far it is: on a terminal all the time, else every ten seconds. A block that vanishes
meanwhile was merged; the block that replaces it is verified instead.
`)
}
