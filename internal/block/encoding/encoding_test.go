package encoding_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

func TestHybridIsLossless(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		width := rng.IntN(33)
		codes := make([]uint32, rng.IntN(300))
		var code uint32
		for i := range codes {
			if rng.IntN(1+rng.IntN(20)) == 0 {
				code = uint32(rng.Uint64() & (1<<width - 1))
			}
			codes[i] = code
		}
		limit := uint32(math.MaxUint32)
		if width < 32 {
			limit = 1 << width
		} else {
			for i := range codes {
				codes[i] = min(codes[i], limit-1)
			}
		}
		data := encoding.AppendHybrid(nil, codes, width)
		have := make([]uint32, len(codes))
		require.NoError(t, encoding.DecodeHybrid(have, data, width, limit))
		require.Equal(t, codes, have)
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
		limit uint32
	}{
		{"code at limit", data, len(codes), 2, 3},
		{"more values than data", data, len(codes) + 8, 2, 4},
		{"fewer values than data", data, 3, 2, 4},
		{"trailing byte", append(slices.Clip(data), 0), len(codes), 2, 4},
		{"cut off", data[:len(data)-1], len(codes), 2, 4},
		{"width", data, len(codes), 33, 4},
		{"empty run", []byte{0, 0}, 1, 2, 4},
		{"nothing", nil, 1, 2, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := encoding.DecodeHybrid(make([]uint32, tt.n), tt.data, tt.width, tt.limit)
			require.ErrorIs(t, err, encoding.ErrMalformed)
		})
	}
}

func TestDeltaIsLossless(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		values := make([]int64, rng.IntN(400))
		shift := rng.IntN(64)
		for i := range values {
			values[i] = int64(rng.Uint64()) >> shift
		}
		data := encoding.AppendDelta(nil, values)
		have := make([]int64, len(values))
		require.NoError(t, encoding.DecodeDelta(have, data))
		require.Equal(t, values, have)
		require.ErrorIs(t, encoding.DecodeDelta(make([]int64, len(values)+1), data), encoding.ErrMalformed)
		require.ErrorIs(t, encoding.DecodeDelta(have, append(data, 1)), encoding.ErrMalformed)
	}
}

func TestPlainIsLossless(t *testing.T) {
	words := []string{"", "a", "\xff\xfe", "longer than the others"}
	var data []byte
	for _, w := range words {
		data = encoding.AppendBytes(data, w)
	}
	texts := make([]string, len(words))
	require.NoError(t, encoding.SplitBytes(texts, string(data)))
	require.Equal(t, words, texts)
	require.ErrorIs(t, encoding.SplitBytes(texts[:3], string(data)), encoding.ErrMalformed)
	require.ErrorIs(t, encoding.SplitBytes(texts, string(data[:len(data)-1])), encoding.ErrMalformed)
	require.ErrorIs(t, encoding.SplitBytes(make([][]byte, 5), data), encoding.ErrMalformed)

	longs := []int64{0, -1, math.MinInt64, math.MaxInt64}
	haveLongs := make([]int64, len(longs))
	require.NoError(t, encoding.DecodeInt64s(haveLongs, encoding.AppendInt64s(nil, longs)))
	require.Equal(t, longs, haveLongs)
	require.ErrorIs(t, encoding.DecodeInt64s(haveLongs, make([]byte, 31)), encoding.ErrMalformed)

	ints := []int32{0, -1, math.MinInt32, math.MaxInt32}
	haveInts := make([]int32, len(ints))
	require.NoError(t, encoding.DecodeInt32s(haveInts, encoding.AppendInt32s(nil, ints)))
	require.Equal(t, ints, haveInts)
	require.ErrorIs(t, encoding.DecodeInt32s(haveInts, make([]byte, 15)), encoding.ErrMalformed)
}

func FuzzDecodeHybrid(f *testing.F) {
	f.Add(encoding.AppendHybrid(nil, []uint32{1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, 2), 13, 2)
	f.Fuzz(func(t *testing.T, data []byte, n, width int) {
		codes := make([]uint32, min(max(n, 0), 5000))
		if encoding.DecodeHybrid(codes, data, width, 1<<20) != nil {
			return
		}
		again := make([]uint32, len(codes))
		clean := encoding.AppendHybrid(nil, codes, 20)
		require.NoError(t, encoding.DecodeHybrid(again, clean, 20, 1<<20))
		require.Equal(t, codes, again)
	})
}

func FuzzDecodeDelta(f *testing.F) {
	f.Add(encoding.AppendDelta(nil, []int64{1, 5, -9, math.MaxInt64}), 4)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		values := make([]int64, min(max(n, 0), 5000))
		if encoding.DecodeDelta(values, data) != nil {
			return
		}
		again := make([]int64, len(values))
		require.NoError(t, encoding.DecodeDelta(again, encoding.AppendDelta(nil, values)))
		require.Equal(t, values, again)
	})
}

func FuzzSplitBytes(f *testing.F) {
	f.Add(encoding.AppendBytes(encoding.AppendBytes(nil, "a"), ""), 2)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		values := make([][]byte, min(max(n, 0), 5000))
		if encoding.SplitBytes(values, data) != nil {
			return
		}
		var again []byte
		for _, v := range values {
			again = encoding.AppendBytes(again, v)
		}
		require.Len(t, again, len(data))
		require.Equal(t, string(data), string(again))
	})
}
