//go:build !race

package ingester_test

const thinning = 1
