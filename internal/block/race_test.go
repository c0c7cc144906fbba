//go:build race

package block_test

// thinning makes large inputs smaller under the race detector, which makes
// everything many times slower and looks for what happens at the same time.
const thinning = 8
