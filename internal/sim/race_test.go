//go:build race

package sim_test

// thinning makes the long tests do every n-th of their cases. The race detector
// makes each take ten times as long, and is for what happens at the same time.
const thinning = 10
