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

// limitOf draws how many codes a dictionary of this width has, one at least.
func limitOf(rng *rand.Rand, width int) uint64 {
	most := uint64(1) << width
	if width == 32 || rng.IntN(2) == 0 {
		most-- // 1<<32 is no uint32
	}
	if rng.IntN(3) > 0 {
		most -= rng.Uint64N(most/2 + 1)
	}
	return max(most, 1)
}

func TestHybridIsLossless(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for width := range 33 {
		for range 60 {
			limit := limitOf(rng, width)
			codes := randomCodes(rng, rng.IntN(1500), limit)
			data := encoding.AppendHybrid([]byte("before"), codes, width)
			require.Equal(t, "before", string(data[:6]))
			data = data[6:]
			require.Equal(t, string(naiveAppendHybrid(codes, width)), string(data))
			have := make([]uint32, len(codes))
			require.NoError(t, encoding.DecodeHybrid(have, data, width, uint32(limit)))
			require.Equal(t, codes, have)
		}
	}
}

func TestHybridLeavesCapacityAlone(t *testing.T) {
	for width := 1; width <= 32; width++ {
		buffer := slices.Repeat([]byte{0xee}, 4096)
		data := encoding.AppendHybrid(buffer[:0], []uint32{1, 0, 1, 1, 0, 1, 0, 1, 1}, width)
		require.Len(t, data, 2*width+1)
		require.Equal(t, slices.Repeat([]byte{0xee}, 4096-len(data)), buffer[len(data):], "width %d", width)
	}
}

func TestForeignHybrid(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for width := range 33 {
		for range 60 {
			limit := limitOf(rng, width)
			codes := randomCodes(rng, 1+rng.IntN(700), limit)
			data := foreignHybrid(rng, codes, width)
			have := make([]uint32, len(codes))
			require.NoError(t, encoding.DecodeHybrid(have, data, width, uint32(limit)))
			require.Equal(t, codes, have)
			requireSome(t, rng, codes, data, width, uint32(limit))
		}
	}
}

// requireSome picks codes, some of them twice, and leaves places alone.
func requireSome(t *testing.T, rng *rand.Rand, codes []uint32, data []byte, width int, limit uint32) {
	t.Helper()
	at := make([]int32, rng.IntN(12))
	for k := range at {
		at[k] = int32(rng.IntN(len(codes)))
	}
	slices.Sort(at)
	want, have := make([]uint32, len(at)), make([]uint32, len(at))
	for k, i := range at {
		want[k], have[k] = codes[i], math.MaxUint32
		if rng.IntN(4) == 0 {
			at[k], want[k] = -1, math.MaxUint32
		}
	}
	require.NoError(t, encoding.DecodeSome(have, data, width, at, limit))
	require.Equal(t, want, have)
	one := make([]uint32, 1)
	require.ErrorIs(t, encoding.DecodeSome(one, data, width, []int32{int32(len(codes) + 8)}, limit), encoding.ErrMalformed)
	for i, c := range codes {
		if c > 0 {
			require.ErrorIs(t, encoding.DecodeSome(one, data, width, []int32{int32(i)}, c), encoding.ErrMalformed)
			break
		}
	}
}

// A position that does not ascend can not be found any more.
func TestDecodeSomeAscends(t *testing.T) {
	codes := make([]uint32, 100)
	codes[0] = 1
	data := encoding.AppendHybrid(nil, codes, 1)
	require.ErrorIs(t, encoding.DecodeSome(make([]uint32, 2), data, 1, []int32{50, 0}, 2), encoding.ErrMalformed)
}

// tableOf says for limit codes which of them are in a set of one of the kinds
// that are treated in different ways.
func tableOf(rng *rand.Rand, limit uint64) []bool {
	table := make([]bool, limit)
	kind := rng.IntN(5)
	for i := range table {
		table[i] = kind == 0 || kind == 4 && rng.IntN(2) == 0
	}
	switch kind {
	case 1:
		table[rng.Uint64N(limit)] = true
	case 2:
		for i := range table {
			table[i] = true
		}
		table[rng.Uint64N(limit)] = false
	}
	return table
}

func TestMatchHybrid(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for width := range 33 {
		for range 100 {
			// A table of all codes of a wide dictionary is too large, but
			// nothing says that a dictionary uses its width.
			limit := min(limitOf(rng, width), 1<<(10+rng.IntN(8)))
			codes := randomCodes(rng, rng.IntN(2000), limit)
			data := foreignHybrid(rng, codes, width)
			table := tableOf(rng, limit)
			want := bitsOf(len(codes), func(i int) bool { return table[codes[i]] })
			have := dirty(len(codes))
			require.NoError(t, encoding.MatchHybrid(have, data, len(codes), width, table))
			require.Equal(t, want, clean(have), "width %d, limit %d", width, limit)

			if len(codes) == 0 {
				continue
			}
			// One code beyond the limit, in a run or in a group.
			if high := rng.Uint64N(1 << 8); limit+high < 1<<width {
				codes[rng.IntN(len(codes))] = uint32(limit + high)
				data = foreignHybrid(rng, codes, width)
				require.ErrorIs(t, encoding.MatchHybrid(have, data, len(codes), width, table), encoding.ErrMalformed,
					"width %d, limit %d", width, limit)
				require.ErrorIs(t, encoding.DecodeHybrid(make([]uint32, len(codes)), data, width, uint32(limit)), encoding.ErrMalformed)
			}
		}
	}
}

// TestMatchHybridAtEveryLimit needs no luck: every width, limit, and kind of set.
func TestMatchHybridAtEveryLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for limit := 1; limit <= 300; limit++ {
		width := encoding.CodeWidth(limit)
		codes := make([]uint32, 8*31+rng.IntN(8))
		for i := range codes {
			codes[i] = uint32(rng.IntN(limit))
		}
		tables := [][]bool{make([]bool, limit), make([]bool, limit), make([]bool, limit), make([]bool, limit)}
		one := rng.IntN(limit)
		for i := range limit {
			tables[0][i] = i == one
			tables[1][i] = i != one
			tables[2][i] = rng.IntN(2) == 0
		}
		for _, table := range tables {
			set := encoding.NewCodeSet(table)
			data := encoding.AppendHybrid(nil, codes, width)
			have := dirty(len(codes))
			require.NoError(t, set.Match(have, data, len(codes), width))
			require.Equal(t, bitsOf(len(codes), func(i int) bool { return table[codes[i]] }), clean(have), "limit %d", limit)
			for high := limit; high < 1<<width; high++ {
				at := rng.IntN(len(codes))
				was := codes[at]
				codes[at] = uint32(high)
				data = encoding.AppendHybrid(data[:0], codes, width)
				codes[at] = was
				require.ErrorIs(t, set.Match(have, data, len(codes), width), encoding.ErrMalformed, "limit %d, code %d", limit, high)
			}
		}
	}
}

func TestLevels(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 1500 {
		codes := randomCodes(rng, rng.IntN(1000), 2)
		n := len(codes)
		want := bitsOf(n, func(i int) bool { return codes[i] == 1 })
		data := encoding.AppendLevels([]byte("x"), want, n)
		require.Equal(t, encoding.AppendHybrid([]byte("x"), codes, 1), data)

		for _, data := range [][]byte{data[1:], foreignHybrid(rng, codes, 1)} {
			have := dirty(n)
			defined, err := encoding.DecodeLevels(have, data, n)
			require.NoError(t, err)
			require.Equal(t, want, clean(have))
			ones := 0
			for _, c := range codes {
				ones += int(c)
			}
			require.Equal(t, ones, defined)
		}
	}
	_, err := encoding.DecodeLevels(make([]uint64, 1), []byte{16, 2}, 8)
	require.ErrorIs(t, err, encoding.ErrMalformed, "a run of twos")
}

// TestHybridCutOff leaves bytes out and adds some.
func TestHybridCutOff(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for width := 1; width <= 32; width++ {
		limit := min(limitOf(rng, width), 1<<12)
		codes := randomCodes(rng, 150, limit)
		data := foreignHybrid(rng, codes, width)
		n := len(codes)
		table := make([]bool, limit)
		check := func(data []byte, n int) {
			data = slices.Clip(data)
			_, valid := naiveHybrid(data, n, width)
			require.False(t, valid)
			require.ErrorIs(t, encoding.DecodeHybrid(make([]uint32, n), data, width, uint32(limit)), encoding.ErrMalformed)
			require.ErrorIs(t, encoding.MatchHybrid(make([]uint64, 4), data, n, width, table), encoding.ErrMalformed)
			if width == 1 {
				_, err := encoding.DecodeLevels(make([]uint64, 4), data, n)
				require.ErrorIs(t, err, encoding.ErrMalformed)
			}
		}
		for cut := range len(data) {
			check(data[:cut], n)
		}
		check(append(slices.Clip(data), 0), n)
		check(data, n+8)
	}
}

func TestHybridSizes(t *testing.T) {
	same := make([]uint32, 4096)
	require.Len(t, encoding.AppendHybrid(nil, same, 0), 2, "a run of the only code is its header")
	require.Len(t, encoding.AppendHybrid(nil, same, 9), 4)
	require.Equal(t, 0, encoding.CodeWidth(0))
	require.Equal(t, 0, encoding.CodeWidth(1))
	require.Equal(t, 1, encoding.CodeWidth(2))
	require.Equal(t, 8, encoding.CodeWidth(256))
	require.Equal(t, 9, encoding.CodeWidth(257))
}

func TestHybridRejects(t *testing.T) {
	codes := []uint32{1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 1}
	data := encoding.AppendHybrid(nil, codes, 2)
	tests := []struct {
		name  string
		data  []byte
		n     int
		width int
		limit int
	}{
		{"code at limit", data, len(codes), 2, 3},
		{"no codes at all", data, len(codes), 2, 0},
		{"more values than data", data, len(codes) + 8, 2, 4},
		{"fewer values than data", data, 3, 2, 4},
		{"trailing byte", append(slices.Clip(data), 0), len(codes), 2, 4},
		{"cut off", data[:len(data)-1], len(codes), 2, 4},
		{"width", data, len(codes), 33, 4},
		{"negative width", data, len(codes), -1, 4},
		{"empty run", []byte{0, 0}, 1, 2, 4},
		{"empty groups", []byte{1}, 1, 2, 4},
		{"endless groups", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 8, 2, 4},
		{"endless groups of nothing", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 8, 0, 4},
		{"endless header", []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 8, 2, 4},
		{"nothing", nil, 1, 2, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := encoding.DecodeHybrid(make([]uint32, tt.n), tt.data, tt.width, uint32(tt.limit))
			require.ErrorIs(t, err, encoding.ErrMalformed)
			err = encoding.MatchHybrid(make([]uint64, 1), tt.data, tt.n, tt.width, make([]bool, tt.limit))
			require.ErrorIs(t, err, encoding.ErrMalformed)
		})
	}
	require.ErrorIs(t, encoding.MatchHybrid(nil, nil, -1, 2, nil), encoding.ErrMalformed)
	_, err := encoding.DecodeLevels(nil, nil, -1)
	require.ErrorIs(t, err, encoding.ErrMalformed)
	// 1<<59 groups of 32 bits each would be of 1<<64 bytes.
	for _, wide := range [][]byte{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, binary.AppendUvarint(nil, 1<<60|1), {}} {
		err := encoding.DecodeSome(make([]uint32, 1), wide, 32, []int32{math.MaxInt32}, math.MaxUint32)
		require.ErrorIs(t, err, encoding.ErrMalformed)
	}
}
