package encoding_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

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

	doubles := []float64{0, math.Copysign(0, -1), math.Inf(1), math.SmallestNonzeroFloat64}
	haveDoubles := make([]float64, len(doubles))
	require.NoError(t, encoding.DecodeDoubles(haveDoubles, encoding.AppendDoubles(nil, doubles)))
	require.Equal(t, doubles, haveDoubles)
	require.True(t, math.Signbit(haveDoubles[1]))
	require.ErrorIs(t, encoding.DecodeDoubles(haveDoubles, make([]byte, 31)), encoding.ErrMalformed)
}

func TestBools(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for n := range 200 {
		want := bitsOf(n, func(int) bool { return rng.IntN(2) == 0 })
		data := encoding.AppendBools([]byte("x"), want, n)[1:]
		require.Len(t, data, (n+7)/8)
		for i := range n {
			require.Equal(t, has(want, i), data[i/8]>>(i%8)&1 != 0)
		}
		if n%8 != 0 {
			data[len(data)-1] |= 0xff << (n % 8) // what fills up does not count
		}
		have := dirty(n)
		require.NoError(t, encoding.DecodeBools(have, data, n))
		require.Equal(t, want, clean(have))
		require.ErrorIs(t, encoding.DecodeBools(have, append(data, 0), n), encoding.ErrMalformed)
		if n > 0 {
			require.ErrorIs(t, encoding.DecodeBools(have, data[1:], n), encoding.ErrMalformed)
		}
	}
	require.ErrorIs(t, encoding.DecodeBools(nil, nil, -1), encoding.ErrMalformed)
}

func TestMatchPlainIntegers(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for range 300 {
		values := randomValues(rng, rng.IntN(300), rng.IntN(65))
		n := len(values)
		narrow := make([]int32, n)
		for i, v := range values {
			narrow[i] = int32(v)
		}
		data, narrowData := encoding.AppendInt64s(nil, values), encoding.AppendInt32s(nil, narrow)
		for _, in := range intervals(rng, values) {
			have := dirty(n)
			require.NoError(t, encoding.MatchInt64s(have, data, n, in[0], in[1]))
			require.Equal(t, bitsOf(n, func(i int) bool { return in[0] <= values[i] && values[i] <= in[1] }), clean(have))

			least, most := int32(in[0]), int32(in[1])
			have = dirty(n)
			require.NoError(t, encoding.MatchInt32s(have, narrowData, n, least, most))
			require.Equal(t, bitsOf(n, func(i int) bool { return least <= narrow[i] && narrow[i] <= most }), clean(have))
		}
	}
	for _, n := range []int{-1, 0, 2, math.MaxInt / 8, math.MaxInt} {
		require.ErrorIs(t, encoding.MatchInt64s(nil, make([]byte, 8), n, 0, 1), encoding.ErrMalformed)
		require.ErrorIs(t, encoding.MatchInt32s(nil, make([]byte, 4), n, 0, 1), encoding.ErrMalformed)
		require.ErrorIs(t, encoding.MatchDoubles(nil, make([]byte, 8), n, 0, 1), encoding.ErrMalformed)
	}
	require.ErrorIs(t, encoding.MatchInt64s(nil, make([]byte, 15), 1, 0, 1), encoding.ErrMalformed)
	require.ErrorIs(t, encoding.MatchInt32s(nil, make([]byte, 7), 1, 0, 1), encoding.ErrMalformed)
}

func TestMatchDoubles(t *testing.T) {
	rng := rand.New(rand.NewPCG(25, 26))
	special := []float64{
		0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.Copysign(math.NaN(), -1),
		math.MaxFloat64, -math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64, 1, -1,
	}
	draw := func() float64 {
		switch rng.IntN(3) {
		case 0:
			return special[rng.IntN(len(special))]
		case 1:
			return math.Float64frombits(rng.Uint64())
		}
		return rng.NormFloat64()
	}
	for range 2000 {
		values := make([]float64, rng.IntN(150))
		for i := range values {
			values[i] = draw()
		}
		n, least, most := len(values), draw(), draw()
		have := dirty(n)
		require.NoError(t, encoding.MatchDoubles(have, encoding.AppendDoubles(nil, values), n, least, most))
		require.Equal(t, bitsOf(n, func(i int) bool { return least <= values[i] && values[i] <= most }), clean(have), "%v %v", least, most)
	}
}

func TestByteArrays(t *testing.T) {
	words := []string{"", "a", "\xff\xfe", "longer than the others"}
	var data []byte
	for _, w := range words {
		data = encoding.AppendBytes(data, w)
	}
	values := encoding.NewByteArrays(data)
	for _, w := range words {
		require.False(t, values.Done())
		v, err := values.Next()
		require.NoError(t, err)
		require.Equal(t, w, string(v))
		require.Len(t, v, cap(v))
	}
	require.True(t, values.Done())
	_, err := values.Next()
	require.ErrorIs(t, err, encoding.ErrMalformed)

	values = encoding.NewByteArrays(data)
	require.NoError(t, values.Skip(3))
	v, err := values.Next()
	require.NoError(t, err)
	require.Equal(t, words[3], string(v))
	values = encoding.NewByteArrays(data)
	require.ErrorIs(t, values.Skip(5), encoding.ErrMalformed)
	for cut := range data {
		values = encoding.NewByteArrays(slices.Clip(data[:cut]))
		require.ErrorIs(t, values.Skip(4), encoding.ErrMalformed)
	}
}

func TestFindBytes(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 28))
	// Few letters, among them those of the lengths of values: most searches
	// find something, and many hits touch the borders of values.
	const letters = "\x00\x00\x01\x02ab"
	word := func(most int) string {
		var b strings.Builder
		for range rng.IntN(most + 1) {
			b.WriteByte(letters[rng.IntN(len(letters))])
		}
		return b.String()
	}
	for range 20_000 {
		var data []byte
		n := rng.IntN(80)
		for range n {
			data = encoding.AppendBytes(data, word(rng.IntN(12)))
		}
		literal := []byte(word(4))
		if rng.IntN(4) == 0 && len(data) > 0 { // found for certain, perhaps across a border
			at := rng.IntN(len(data))
			literal = bytes.Clone(data[at:min(at+1+rng.IntN(9), len(data))])
		}
		checkFind(t, data, literal, n)
		checkFind(t, append(data, 0), literal, n)
		checkFind(t, append(data, 0, 0, 0, 0), literal, n)
		if n > 0 {
			checkFind(t, slices.Clip(data[:rng.IntN(len(data))]), literal, n)
			checkFind(t, data, literal, n-1)
		}
	}
	require.ErrorIs(t, encoding.FindBytes(nil, nil, nil, -1), encoding.ErrMalformed)
}

// checkFind compares with naiveFind. What is malformed may go unnoticed, but
// only behind the last place of the literal.
func checkFind(t *testing.T, data, literal []byte, n int) {
	t.Helper()
	want, valid := naiveFind(data, n, func(v []byte) bool { return bytes.Contains(v, literal) })
	have := dirty(n)
	err := encoding.FindBytes(have, data, literal, n)
	if err != nil {
		require.ErrorIs(t, err, encoding.ErrMalformed)
		require.False(t, valid)
		return
	}
	require.Equal(t, want, clean(have), "%q in %q", literal, data)
}
