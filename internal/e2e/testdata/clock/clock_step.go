package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

// clockStep is what the wall clock is off, in nanoseconds: the first bytes of
// the file that CLOCK_STEP_FILE names, so that another process can move it.
var clockStep = mapClockStep()

func mapClockStep() *atomic.Int64 {
	const size = 8
	path, found := syscall.Getenv("CLOCK_STEP_FILE")
	if !found {
		return new(atomic.Int64)
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("open " + path + ": " + err.Error())
	}
	page, err := syscall.Mmap(fd, 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("map " + path + ": " + err.Error())
	}
	return (*atomic.Int64)(unsafe.Pointer(&page[0]))
}

// stepped moves what the system's clock says.
func stepped(sec int64, nsec int32) (int64, int32) {
	const second = 1_000_000_000
	sum := int64(nsec) + clockStep.Load()
	whole, rest := sum/second, sum%second
	if rest < 0 {
		whole, rest = whole-1, rest+second
	}
	return sec + whole, int32(rest)
}
