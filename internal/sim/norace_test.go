//go:build !race

package sim_test

// thinning makes the long tests do every n-th of their cases.
const thinning = 1
