package host

import (
	"math"
	"runtime/debug"
	"strconv"
)

const (
	memoryVariable = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
	// memoryShare of what a function has, in percent, is for what the garbage
	// collector manages. The rest is for the program itself, stacks, and buffers of
	// the system.
	memoryShare = 80
)

// LimitMemory has the garbage collector keep within what the function has, unless
// GOMEMLIMIT says otherwise. Builders and queries take their budgets of it.
func LimitMemory(lookupEnv func(string) (string, bool)) {
	if _, set := lookupEnv("GOMEMLIMIT"); set {
		return
	}
	text, _ := lookupEnv(memoryVariable)
	if limit, ok := memoryLimit(text); ok {
		debug.SetMemoryLimit(limit)
	}
}

// Memory is what a function has in bytes, 0 if that is not known.
func Memory(lookupEnv func(string) (string, bool)) int64 {
	text, _ := lookupEnv(memoryVariable)
	limit, ok := memoryLimit(text)
	if !ok {
		return 0
	}
	return limit / memoryShare * 100
}

// memoryLimit is how many bytes a function may use that has so many MiB.
func memoryLimit(text string) (int64, bool) {
	mib, err := strconv.ParseInt(text, 10, 64)
	if err != nil || mib <= 0 || mib > math.MaxInt64>>20/memoryShare {
		return 0, false
	}
	return mib << 20 / 100 * memoryShare, true
}
