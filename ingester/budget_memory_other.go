//go:build !linux

package ingester

// machineMemory is not known: GOMEMLIMIT says what there is.
func machineMemory() int64 { return 0 }
