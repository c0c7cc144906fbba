package encoding_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// rowsOf keeps the number of rows that a fuzzer asks for within a page.
func rowsOf(n uint16) int { return int(n) % 4100 }

func FuzzHybrid(f *testing.F) {
	f.Add(encoding.AppendHybrid(nil, []uint32{1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, 2), uint16(13), 2, uint16(4), uint16(3))
	f.Add(encoding.AppendHybrid(nil, []uint32{1, 2, 3, 3, 700, 3, 3, 3, 3, 3, 3, 3, 3}, 10), uint16(13), 10, uint16(701), uint16(9))
	f.Fuzz(func(t *testing.T, data []byte, rows uint16, width int, limit, hits uint16) {
		n := rowsOf(rows)
		table := make([]bool, limit)
		for i := range table {
			table[i] = i*int(hits)%7 == 0 || i == int(hits)
		}
		codes := make([]uint32, n)
		err := encoding.DecodeHybrid(codes, data, width, uint32(limit))
		have := dirty(n)
		matchErr := encoding.MatchHybrid(have, data, n, width, table)
		require.Equal(t, err == nil, matchErr == nil)
		var want []uint32
		valid := width >= 0 && width <= 32
		if valid {
			want, valid = naiveHybrid(data, n, width)
		}
		for _, c := range want {
			valid = valid && c < uint32(limit)
		}
		require.Equal(t, valid, err == nil)
		if !valid {
			return
		}
		require.True(t, n == 0 || bytes.Equal(encoding.AppendHybrid(nil, codes, 32), encoding.AppendHybrid(nil, want, 32)))
		require.Equal(t, bitsOf(n, func(i int) bool { return table[codes[i]] }), clean(have))
		if n > 0 {
			at, code := int(hits)%n, make([]uint32, 1)
			require.NoError(t, encoding.DecodeSome(code, data, width, []int32{int32(at)}, uint32(limit)))
			require.Equal(t, codes[at], code[0])
		}
	})
}

func FuzzDecodeSome(f *testing.F) {
	f.Add(encoding.AppendHybrid(nil, []uint32{1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}, 2), 2, int32(1), int32(11), uint32(4))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 0, int32(0), int32(math.MaxInt32), uint32(1))
	f.Fuzz(func(t *testing.T, data []byte, width int, i, j int32, limit uint32) {
		codes := make([]uint32, 2)
		if encoding.DecodeSome(codes, data, width, []int32{i, j}, limit) == nil {
			require.True(t, i < 0 || codes[0] < limit)
			require.True(t, j < 0 || codes[1] < limit)
		}
	})
}

func FuzzLevels(f *testing.F) {
	f.Add(encoding.AppendHybrid(nil, []uint32{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 1}, 1), uint16(18))
	f.Add([]byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, data []byte, rows uint16) {
		n := rowsOf(rows)
		have := dirty(n)
		defined, err := encoding.DecodeLevels(have, data, n)
		codes := make([]uint32, n)
		require.Equal(t, encoding.DecodeHybrid(codes, data, 1, 2) == nil, err == nil)
		if err != nil {
			return
		}
		ones := 0
		for _, c := range codes {
			ones += int(c)
		}
		require.Equal(t, ones, defined)
		require.Equal(t, bitsOf(n, func(i int) bool { return codes[i] == 1 }), clean(have))
		require.Equal(t, string(encoding.AppendHybrid(nil, codes, 1)), string(encoding.AppendLevels(nil, clean(have), n)))
	})
}

func FuzzDelta(f *testing.F) {
	f.Add(encoding.AppendDelta(nil, []int64{1, 5, -9, math.MaxInt64}), uint16(4), int64(0), int64(7))
	f.Fuzz(func(t *testing.T, data []byte, rows uint16, least, most int64) {
		n := rowsOf(rows)
		values, have := make([]int64, n), dirty(n)
		err := encoding.DecodeDelta(values, data)
		require.Equal(t, err == nil, encoding.MatchDelta(have, data, n, least, most) == nil)
		prefix := make([]int64, n/2)
		prefixErr := encoding.DecodeDeltaPrefix(prefix, data)
		if err != nil {
			return
		}
		require.NoError(t, prefixErr)
		require.Equal(t, values[:n/2], prefix)
		require.Equal(t, bitsOf(n, func(i int) bool { return least <= values[i] && values[i] <= most }), clean(have))
		again := make([]int64, n)
		require.NoError(t, encoding.DecodeDelta(again, encoding.AppendDelta(nil, values)))
		require.Equal(t, values, again)
	})
}

func FuzzByteArrays(f *testing.F) {
	f.Add(encoding.AppendBytes(encoding.AppendBytes(nil, "a"), ""), uint16(2), []byte("a"))
	f.Fuzz(func(t *testing.T, data []byte, rows uint16, literal []byte) {
		n := rowsOf(rows)
		values := make([][]byte, n)
		err := encoding.SplitBytes(values, data)
		checkFind(t, data, literal, n)
		walk := encoding.NewByteArrays(data)
		skipped := walk.Skip(n)
		require.Equal(t, err == nil, skipped == nil && walk.Done())
		if err != nil {
			return
		}
		var again []byte
		for _, v := range values {
			again = encoding.AppendBytes(again, v)
		}
		require.Equal(t, string(data), string(again))
	})
}

func FuzzPlain(f *testing.F) {
	f.Add(encoding.AppendInt64s(nil, []int64{1, 2, -3}), int64(-1), int64(2))
	f.Fuzz(func(t *testing.T, data []byte, least, most int64) {
		n := len(data) / 8
		longs, doubles := make([]int64, n), make([]float64, n)
		have := dirty(n)
		err := encoding.MatchInt64s(have, data, n, least, most)
		require.Equal(t, encoding.DecodeInt64s(longs, data) == nil, err == nil)
		require.Equal(t, encoding.DecodeDoubles(doubles, data) == nil, err == nil)
		if err == nil {
			require.Equal(t, bitsOf(n, func(i int) bool { return least <= longs[i] && longs[i] <= most }), clean(have))
			low, high := math.Float64frombits(uint64(least)), math.Float64frombits(uint64(most))
			have = dirty(n)
			require.NoError(t, encoding.MatchDoubles(have, data, n, low, high))
			require.Equal(t, bitsOf(n, func(i int) bool { return low <= doubles[i] && doubles[i] <= high }), clean(have))
		}
		n = len(data) / 4
		ints := make([]int32, n)
		have = dirty(n)
		err = encoding.MatchInt32s(have, data, n, int32(least), int32(most))
		require.Equal(t, encoding.DecodeInt32s(ints, data) == nil, err == nil)
		if err == nil {
			require.Equal(t, bitsOf(n, func(i int) bool { return int32(least) <= ints[i] && ints[i] <= int32(most) }), clean(have))
		}
		n = len(data) * 8
		have = dirty(n)
		require.NoError(t, encoding.DecodeBools(have, data, n))
		require.Equal(t, string(data), string(encoding.AppendBools(nil, clean(have), n)))
	})
}
