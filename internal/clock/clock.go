// Package clock tells how much time has passed for the world, also when this process
// did not run meanwhile: Go's own answer is that of a clock which never steps, but
// may stand still while the machine sleeps or is frozen.
package clock

import "time"

// Since is how long ago t was by the clock that says more: the steady one, or the
// wall's.
func Since(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t))
}

// Before reports whether t was before u by either clock.
func Before(t, u time.Time) bool {
	return t.Before(u) || t.Round(0).Before(u)
}
