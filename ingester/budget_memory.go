package ingester

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// memoryPerByte is how much memory a byte of received spans takes at most,
	// for all but the smallest spans.
	memoryPerByte = 3
	// buildShare of the memory that a process may take is for building: rows that
	// wait come twice while the collector has not run, and on top come the blocks
	// that are made of them, requests and queries.
	buildShare = 8
	// cgroupLimit says what a container may take.
	cgroupLimit = "/sys/fs/cgroup/memory.max"
)

// buildMemory is what the spans of batches may take in a process that has so many
// partitions, encodes so many blocks at once and may take so much memory, 0 if
// that is not known: as configured, or enough for an open batch in each partition
// and the ones that are being stored. More would only be taken when storing falls
// behind. It is at least one batch.
func (c *Config) buildMemory(partitions, encoding int, memory int64) int64 {
	if c.BuildMemory > 0 {
		return clampBytes(uint64(c.BuildMemory))
	}
	batches := uint64(partitions + min(partitions, encoding)) //nolint:gosec // not negative
	need := clampBytes(batches*memoryPerByte*uint64(c.CutBytes) + uint64(c.LiveBytes))
	if memory > 0 {
		need = min(need, memory/buildShare)
	}
	return max(need, clampBytes(uint64(c.CutBytes)))
}

func clampBytes(n uint64) int64 { return int64(min(n, math.MaxInt64)) } //nolint:gosec // bounded here

// processMemory is how much memory this process may take: what GOMEMLIMIT says,
// else what its container has, else what the machine has; 0 if none is known.
func processMemory() int64 {
	if limit := debug.SetMemoryLimit(-1); limit != math.MaxInt64 {
		return limit
	}
	machine := machineMemory()
	text, err := os.ReadFile(cgroupLimit)
	if err != nil {
		return machine // no container, or an old kernel
	}
	return smaller(string(text), machine)
}

// smaller is a limit as a container has it, or the machine's memory if that is
// less or there is no limit.
func smaller(limit string, machine int64) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(limit), 10, 64)
	if err != nil || n <= 0 || machine > 0 && machine < n {
		return machine // "max"
	}
	return n
}
