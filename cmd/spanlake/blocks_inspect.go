package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
)

// inspectConfig is the command line of "blocks inspect".
type inspectConfig struct {
	bucket bucketFlags
	output outputForm
}

func (c *inspectConfig) registerFlags(f *flag.FlagSet) {
	c.bucket.register(f)
	c.output.register(f)
}

// blocksInspect prints what a block holds and verifies it.
func blocksInspect(ctx context.Context, args []string, e env) error {
	var cfg inspectConfig
	fs := flag.NewFlagSet("blocks inspect", flag.ContinueOnError)
	cfg.registerFlags(fs)
	rest, err := parseMixed(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return &usageError{fmt.Errorf("want one key, path or URL, have %d", len(rest))}
	}
	bucket, release, key, err := cfg.bucket.locate(ctx, rest[0], e)
	if err != nil {
		return err
	}
	defer release()
	return inspect(ctx, bucket, key, cfg.output, e)
}

// inspect prints what can be read even if the rest is damaged.
func inspect(ctx context.Context, bucket objstore.Bucket, key string, form outputForm, e env) error {
	r, err := block.Open(ctx, bucket, key)
	if err != nil {
		return withAdvice(err)
	}
	description, err := r.Describe(ctx)
	if err != nil {
		return withAdvice(err)
	}
	line := newProgress(e.stderr, "verifying", description.Bytes)
	verifyErr := r.Verify(ctx, line.update)
	line.end()
	if verifyErr != nil && !errors.Is(verifyErr, block.ErrCorrupt) {
		return withAdvice(verifyErr)
	}
	report := newBlockReport(r.Name(), description, block.Damage(verifyErr))
	if form == outputJSON {
		err = printJSON(e.stdout, report)
	} else {
		err = report.print(e.stdout)
	}
	return errors.Join(err, verifyErr)
}

// withAdvice adds what to do about a block that is not there.
func withAdvice(err error) error {
	if errors.Is(err, objstore.ErrNotExist) || errors.Is(err, objstore.ErrChanged) {
		return fmt.Errorf("%w: it may have been merged into another one meanwhile; see spanlake blocks list", err)
	}
	return err
}
