package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// verifyConfig is the command line of "blocks verify".
type verifyConfig struct {
	listConfig

	rows        bool
	concurrency int
}

// defaultConcurrency keeps two cores and most networks busy, and needs about
// half a gigabyte of memory.
const defaultConcurrency = 4

func (c *verifyConfig) registerFlags(f *flag.FlagSet) {
	c.listConfig.registerFlags(f)
	f.BoolVar(&c.rows, "rows", true, "Also read every row, and compare with it what the block says about its rows elsewhere. Without it only checksums are compared, which takes a small part of the time.")
	f.IntVar(&c.concurrency, "concurrency", defaultConcurrency, "How many blocks are verified at a time; each takes about 100 MB of memory, a large one up to 300 MB.")
}

// blocksVerify verifies one block, or many.
func blocksVerify(ctx context.Context, args []string, e env) error {
	var cfg verifyConfig
	fs := flag.NewFlagSet("blocks verify", flag.ContinueOnError)
	cfg.registerFlags(fs)
	rest, err := parseMixed(fs, args)
	if err != nil {
		return err
	}
	filter, err := cfg.filter(time.Now())
	switch {
	case err != nil:
		return &usageError{err}
	case len(rest) > 1:
		return &usageError{fmt.Errorf("want at most one key, path or URL, have %d: a prefix stands for many", len(rest))}
	case cfg.concurrency < 1:
		return &usageError{fmt.Errorf("concurrency %d: want 1 or more", cfg.concurrency)}
	}
	bucket, release, err := cfg.place(ctx, rest, &filter, e)
	if err != nil {
		return err
	}
	defer release()
	listed, foreign, err := listBlocks(ctx, bucket, filter)
	if err != nil {
		return err
	}
	warnForeign(e, foreign, filter)
	if len(rest) > 0 && len(listed) == 0 {
		return nothingThere(filter.prefix)
	}
	return cfg.verify(ctx, bucket, listed, filter, e)
}

// place opens the bucket and narrows the filter down to the argument, if there
// is one.
func (c *verifyConfig) place(ctx context.Context, args []string, filter *blockFilter, e env) (objstore.Bucket, func(), error) {
	if len(args) == 0 {
		return c.bucket.open(ctx, e)
	}
	bucket, release, prefix, err := c.bucket.locate(ctx, args[0], e)
	filter.prefix = prefix
	return bucket, release, err
}

// nothingThere says that an argument names nothing.
func nothingThere(prefix string) error {
	if _, err := schema.ParseBlockName(prefix); err == nil {
		return withAdvice(fmt.Errorf("verify %s: %w", prefix, objstore.ErrNotExist))
	}
	return fmt.Errorf("no blocks below %s", prefix)
}

// verify verifies the listed blocks and prints what it finds.
func (c *verifyConfig) verify(ctx context.Context, bucket objstore.Bucket, found []listed, filter blockFilter, e env) error {
	out := newVerifyOutput(e, c.output)
	run := verifyRun{bucket: bucket, rows: c.rows, concurrency: c.concurrency, hold: heldBytes, out: out}
	interrupted := run.blocks(ctx, newBlockList(found, filter).Blocks)
	if interrupted == nil && len(run.gone) > 0 {
		interrupted = run.replacements(ctx, found, filter)
	}
	if interrupted != nil {
		interrupted = fmt.Errorf("not all blocks were verified: %w", interrupted)
	}
	report := run.report()
	return errors.Join(out.end(report), report.err(), interrupted)
}
