package encoding_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// randomValues have differences of about as many bits, one in 64 more.
func randomValues(rng *rand.Rand, n, width int) []int64 {
	values := make([]int64, n)
	value := int64(rng.Uint64())
	for i := range values {
		d := rng.Uint64() >> (64 - width)
		if rng.IntN(64) == 0 {
			d = rng.Uint64() >> rng.IntN(64)
		}
		value += int64(d) >> rng.IntN(2)
		values[i] = value
	}
	return values
}

func TestDeltaIsLossless(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for width := range 65 {
		for range 25 {
			values := randomValues(rng, rng.IntN(700), width)
			data := encoding.AppendDelta([]byte("x"), values)[1:]
			data = slices.Clip(data)
			have := make([]int64, len(values))
			require.NoError(t, encoding.DecodeDelta(have, data))
			require.Equal(t, values, have)
			require.ErrorIs(t, encoding.DecodeDelta(make([]int64, len(values)+1), data), encoding.ErrMalformed)
			require.ErrorIs(t, encoding.DecodeDelta(have, append(data, 1)), encoding.ErrMalformed)
			require.ErrorIs(t, encoding.DecodeDeltaPrefix(make([]int64, len(values)+1), data), encoding.ErrMalformed)

			prefix := make([]int64, rng.IntN(len(values)+1))
			require.NoError(t, encoding.DecodeDeltaPrefix(prefix, data))
			require.Equal(t, values[:len(prefix)], prefix)
			if len(values) > 0 {
				require.ErrorIs(t, encoding.DecodeDelta(have[1:], data), encoding.ErrMalformed)
			}
		}
	}
}

func TestDeltaSizes(t *testing.T) {
	values := make([]int64, 1000)
	for i := range values {
		values[i] = int64(i) * -1_000_000
	}
	// Of every block the least difference, in three bytes, and four widths.
	require.Len(t, encoding.AppendDelta(nil, values), 2+1+2+1+8*(3+4))
	values[999]++
	require.Len(t, encoding.AppendDelta(nil, values), 2+1+2+1+8*(3+4)+4, "a bit for each value of one miniblock")
}

// TestDeltaPrefixReadsNoMore shows that what is behind the prefix may be
// missing, but nothing of the prefix.
func TestDeltaPrefixReadsNoMore(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	values := randomValues(rng, 500, 20)
	data := encoding.AppendDelta(nil, values)
	have := make([]int64, 200)
	least := 0
	for cut := range data {
		if encoding.DecodeDeltaPrefix(have, slices.Clip(data[:cut])) == nil {
			require.Equal(t, values[:200], have)
			if least == 0 {
				least = cut
			}
			continue
		}
		require.Zero(t, least, "longer data fail")
	}
	require.NotZero(t, least)
	require.Less(t, least, len(data)/2+64)
}

// intervals of the kinds that a query may ask for.
func intervals(rng *rand.Rand, values []int64) [][2]int64 {
	var some [2]int64
	if len(values) > 0 {
		some = [2]int64{values[rng.IntN(len(values))], values[rng.IntN(len(values))]}
	}
	return [][2]int64{
		some,
		{some[0], math.MaxInt64},
		{math.MinInt64, some[0]},
		{some[0], some[0]},
		{some[0], some[0] - 1},
		{math.MinInt64, math.MaxInt64},
		{math.MaxInt64, math.MinInt64},
		{-5, 5},
	}
}

func TestMatchDelta(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for range 400 {
		values := randomValues(rng, rng.IntN(700), rng.IntN(65))
		n := len(values)
		data := encoding.AppendDelta(nil, values)
		for _, in := range intervals(rng, values) {
			have := dirty(n)
			require.NoError(t, encoding.MatchDelta(have, data, n, in[0], in[1]))
			want := bitsOf(n, func(i int) bool { return in[0] <= values[i] && values[i] <= in[1] })
			require.Equal(t, want, clean(have), in)
		}
	}
}

func TestDeltaRejects(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	check := func(data []byte, n int) {
		require.ErrorIs(t, encoding.DecodeDelta(make([]int64, n), data), encoding.ErrMalformed)
		require.ErrorIs(t, encoding.MatchDelta(dirty(n), data, n, 0, 1), encoding.ErrMalformed)
	}
	values := randomValues(rng, 300, 11)
	data := encoding.AppendDelta(nil, values)
	for cut := range data {
		check(slices.Clip(data[:cut]), len(values))
	}
	check(append(slices.Clip(data), 0), len(values))
	check(data, len(values)-1)
	require.ErrorIs(t, encoding.MatchDelta(nil, data, -1, 0, 1), encoding.ErrMalformed)

	header := func(block, minis, n uint64) []byte {
		b := binary.AppendUvarint(nil, block)
		b = binary.AppendUvarint(b, minis)
		return binary.AppendVarint(binary.AppendUvarint(b, n), 7)
	}
	check(header(256, 4, 1), 1)
	check(header(128, 8, 1), 1)
	check(header(128, 4, math.MaxUint64), 1)
	wide := append(header(128, 4, 2), 0, 65, 0, 0, 0)
	check(append(wide, make([]byte, 65*32/8)...), 2)
	require.NoError(t, encoding.DecodeDelta(make([]int64, 1), header(128, 4, 1)))
	require.NoError(t, encoding.DecodeDelta(nil, header(128, 4, 0)))
}

func TestDeltaIndex(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, n := range []int{1, 2, 31, 128, 129, 130, 257, 4096} {
		values := make([]int64, n)
		for i := range values {
			values[i] = int64(rng.Uint64()) >> rng.IntN(64)
		}
		data := encoding.AppendDelta(nil, values)
		index, err := encoding.NewDeltaIndex(data, n)
		require.NoError(t, err)
		for i := range values {
			requireIndexed(t, index, values, []int32{int32(i)})
		}
		for range 20 {
			var at []int32
			for i := range values {
				switch rng.IntN(1 + rng.IntN(200)) {
				case 0:
					at = append(at, int32(i))
				case 1:
					at = append(at, -1)
				}
			}
			requireIndexed(t, index, values, at)
		}
		for _, bad := range [][]byte{data[:len(data)-1], append(slices.Clip(data), 0)} {
			_, err = encoding.NewDeltaIndex(bad, n)
			require.ErrorIs(t, err, encoding.ErrMalformed)
		}
		requireIndexMatches(t, rng, index, values)
		_, err = encoding.NewDeltaIndex(data, n+1)
		require.ErrorIs(t, err, encoding.ErrMalformed)
	}
}

// requireIndexed compares the values at some places, -1 for none.
func requireIndexed(t *testing.T, index *encoding.DeltaIndex, values []int64, at []int32) {
	t.Helper()
	want, have := make([]uint64, len(at)), make([]uint64, len(at))
	for i, v := range at {
		if v >= 0 {
			want[i] = uint64(values[v])
		}
	}
	require.NoError(t, index.Some(have, at))
	require.Equal(t, want, have)
}

// requireIndexMatches compares what an index finds with the values themselves.
func requireIndexMatches(t *testing.T, rng *rand.Rand, index *encoding.DeltaIndex, values []int64) {
	t.Helper()
	for range 20 {
		least, most := values[rng.IntN(len(values))], values[rng.IntN(len(values))]
		if rng.IntN(3) > 0 {
			least, most = min(least, most), max(least, most)
		}
		wanted := make([]uint64, (len(values)+63)/64)
		for range rng.IntN(4) {
			i := rng.IntN(len(values))
			wanted[i/64] |= 1 << (i % 64)
		}
		all, some := make([]uint64, len(wanted)), slices.Clone(wanted)
		require.NoError(t, index.Match(all, nil, least, most))
		require.NoError(t, index.Match(some, wanted, least, most))
		for i, v := range values {
			in := uint64(0)
			if v >= least && v <= most {
				in = 1
			}
			require.Equal(t, in, all[i/64]>>(i%64)&1, "value %d of %d", i, len(values))
			if wanted[i/64]>>(i%64)&1 == 1 {
				require.Equal(t, in, some[i/64]>>(i%64)&1, "wanted value %d of %d", i, len(values))
			}
		}
		for i := len(values); i < 64*len(all); i++ {
			require.Zero(t, all[i/64]>>(i%64)&1)
		}
	}
}
