package ingester

import "golang.org/x/sys/unix"

// machineMemory is how much memory the machine has, 0 if that is not known.
func machineMemory() int64 {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0
	}
	return clampBytes(uint64(info.Totalram) * uint64(info.Unit)) //nolint:unconvert // 32 bits wide on some machines
}
