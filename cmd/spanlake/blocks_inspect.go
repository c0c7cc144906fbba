package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
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
		return &usageError{fmt.Errorf("want one key or path, have %d", len(rest))}
	}
	bucket, release, key, err := cfg.locate(ctx, rest[0], e)
	if err != nil {
		return err
	}
	defer release()
	return inspect(ctx, bucket, key, cfg.output, e)
}

// locate returns the bucket and the key of a block, which is either a key of
// the bucket that the flags choose, or the path of a file in a folder bucket.
func (c *inspectConfig) locate(ctx context.Context, arg string, e env) (bucket objstore.Bucket, release func(), key string, err error) {
	if strings.HasPrefix(arg, schema.BlocksPrefix) {
		bucket, release, err = c.bucket.open(ctx, e)
		return bucket, release, arg, err
	}
	path, err := filepath.Abs(arg)
	if err != nil {
		return nil, nil, "", err
	}
	path = filepath.ToSlash(path)
	i := strings.LastIndex(path, "/"+schema.BlocksPrefix)
	if i < 0 {
		return nil, nil, "", &usageError{fmt.Errorf("%s is neither a key nor a path of a block: want %s<project>/<day>/<partition>/<name>, since its name tells what it holds", arg, schema.BlocksPrefix)}
	}
	bucket, release, err = app.OpenBucket(ctx, &app.Config{Bucket: "file://" + filepath.Clean(path[:i]+"/")})
	return bucket, release, path[i+1:], err
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
