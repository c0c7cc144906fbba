//go:build !race

package block_test

const thinning = 1
