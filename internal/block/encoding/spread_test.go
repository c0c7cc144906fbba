package encoding_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// randomBits is a bitmap whose words are of every density, runs included.
func randomBits(rng *rand.Rand, n int) []uint64 {
	b := make([]uint64, (n+63)/64)
	for i := range b {
		switch rng.IntN(7) {
		case 0: // none
		case 1:
			b[i] = ^uint64(0)
		case 2:
			b[i] = rng.Uint64() & rng.Uint64() & rng.Uint64() & rng.Uint64()
		case 3:
			b[i] = rng.Uint64() | rng.Uint64() | rng.Uint64() | rng.Uint64()
		case 4:
			b[i] = ^uint64(0) >> rng.IntN(64) << rng.IntN(64)
		case 5:
			b[i] = 1<<rng.IntN(64) | 1<<rng.IntN(32)
		default:
			b[i] = rng.Uint64()
		}
	}
	if n%64 != 0 {
		b[len(b)-1] &= 1<<(n%64) - 1
	}
	return b
}

func TestExpandAndCompact(t *testing.T) {
	rng := rand.New(rand.NewPCG(29, 30))
	for range 5000 {
		n := rng.IntN(500)
		defined, rows := randomBits(rng, n), randomBits(rng, n)
		var places []int
		for i := range n {
			if has(defined, i) {
				places = append(places, i)
			}
		}
		count := len(places)

		dense := randomBits(rng, count)
		want := make([]uint64, (n+63)/64)
		for i, row := range places {
			if has(dense, i) {
				want[row/64] |= 1 << (row % 64)
			}
		}
		have := dirty(n)
		encoding.Expand(have, dense, defined, n)
		require.Equal(t, want, clean(have))

		wantDense := bitsOf(count, func(i int) bool { return has(rows, places[i]) })
		have = dirty(count)
		require.Equal(t, count, encoding.Compact(have, rows, defined))
		require.Equal(t, wantDense, clean(have))

		have = dirty(count)
		encoding.Compact(have, want, defined)
		require.Equal(t, dense, clean(have), "the inverse")

		inPlace := append(make([]uint64, 0, len(defined)), defined...)
		encoding.Expand(inPlace, dense, inPlace, n)
		require.Equal(t, want, inPlace)

		if len(dense) > 0 { // what dense lacks is zero
			cut := rng.IntN(len(dense))
			for i, row := range places {
				if i >= cut*64 {
					want[row/64] &^= 1 << (row % 64)
				}
			}
			have = dirty(n)
			encoding.Expand(have, dense[:cut], defined, n)
			require.Equal(t, want, clean(have))
		}
	}
}
