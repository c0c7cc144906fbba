package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/grafana/dskit/flagext"
	"golang.org/x/sys/unix"

	"github.com/spanlake/spanlake/compactor"
)

// spoolShare of what is free for the spool, in percent, may be used.
const spoolShare = 90

// freeBytes is how much room there is for the spool of merges.
func freeBytes(cfg *compactor.Config) (uint64, error) {
	dir := cmp.Or(cfg.SpoolDir, os.TempDir())
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("find out how much room %s has: %w", dir, err)
	}
	return fs.Bavail * uint64(fs.Bsize), nil //nolint:gosec // sizes are positive
}

// fit bounds merges by the room for their inputs and outputs, and reports whether
// that is less than was configured. What is larger together stays unmerged.
func fit(cfg *compactor.Config, free uint64) bool {
	most := flagext.Bytes(max(free/100*spoolShare/2, 1))
	if cfg.MaxBytes <= most {
		return false
	}
	cfg.MaxBytes = most
	return true
}
