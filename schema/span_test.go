package schema_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/schema"
)

func TestParseTraceID(t *testing.T) {
	want := schema.TraceID{14: 0x0a, 15: 0xf7}
	for _, s := range []string{"af7", "AF7", "0af7", "00000000000000000000000000000af7"} {
		id, err := schema.ParseTraceID(s)
		require.NoError(t, err, s)
		require.Equal(t, want, id)
	}
	require.Equal(t, "00000000000000000000000000000af7", want.String())
	for _, s := range []string{"", "zz", "000000000000000000000000000000af7", "-1", "0x1"} {
		_, err := schema.ParseTraceID(s)
		require.ErrorIs(t, err, schema.ErrBadID, s)
	}
	span, err := schema.ParseSpanID("c2")
	require.NoError(t, err)
	require.Equal(t, "00000000000000c2", span.String())
	require.True(t, schema.SpanID{}.IsZero())
	require.True(t, schema.TraceID{}.IsZero())
	require.False(t, want.IsZero())
}

func TestPartition(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	counts := make([]int, 16)
	for range 16000 {
		var id schema.TraceID
		for i := range id {
			id[i] = byte(rng.Uint32())
		}
		p := id.Partition(16)
		counts[p]++
		require.Equal(t, p%8, id.Partition(8), "the ancestor of a doubled partition")
		require.Zero(t, id.Partition(1))
	}
	for _, n := range counts {
		require.InDelta(t, 1000, n, 200)
	}
	for n, want := range map[int]bool{0: false, 1: true, 2: true, 3: false, 1024: true, 2048: false, -4: false} {
		require.Equal(t, want, schema.ValidPartitionCount(n), n)
	}
}

func TestParseProjectID(t *testing.T) {
	long := "a23456789012345678901234567890123456789012345678901234567890123"
	for _, s := range []string{"default", "a", "0", "a.b_c-d", long} {
		p, err := schema.ParseProjectID(s)
		require.NoError(t, err, s)
		require.Equal(t, s, string(p))
	}
	for _, s := range []string{"", "A", "-a", ".a", "_a", "a/b", "a b", "ä", "a\x00", long + "4", "..", "a|b"} {
		_, err := schema.ParseProjectID(s)
		require.ErrorIs(t, err, schema.ErrBadProject, s)
	}
}

func TestDuration(t *testing.T) {
	s := schema.Span{StartNanos: 10, EndNanos: 4}
	require.EqualValues(t, -6, s.DurationNanos())
	s = schema.Span{StartNanos: 1 << 63, EndNanos: 1<<63 + 5}
	require.EqualValues(t, 5, s.DurationNanos())
}

func TestFold(t *testing.T) {
	row := func(span byte, kind int32, end uint64, payload string, pos uint64) schema.Span {
		return schema.Span{TraceID: schema.TraceID{1}, SpanID: schema.SpanID{span}, Kind: kind, EndNanos: end, Name: payload, Position: pos}
	}
	tests := []struct {
		name     string
		in, want []schema.Span
	}{
		{"distinct", []schema.Span{row(1, 1, 1, "", 1), row(2, 1, 1, "", 1)}, []schema.Span{row(1, 1, 1, "", 1), row(2, 1, 1, "", 1)}},
		{"kinds are distinct", []schema.Span{row(1, 2, 1, "", 1), row(1, 3, 1, "", 1)}, []schema.Span{row(1, 2, 1, "", 1), row(1, 3, 1, "", 1)}},
		{"earliest position", []schema.Span{row(1, 1, 1, "", 5), row(1, 1, 1, "", 2)}, []schema.Span{row(1, 1, 1, "", 2)}},
		{"ended first", []schema.Span{row(1, 1, 0, "long", 1), row(1, 1, 9, "", 2)}, []schema.Span{row(1, 1, 9, "", 2)}},
		{"more bytes", []schema.Span{row(1, 1, 9, "a", 1), row(1, 1, 9, "ab", 2)}, []schema.Span{row(1, 1, 9, "ab", 2)}},
		{"first of equals", []schema.Span{row(1, 1, 9, "a", 1), row(1, 1, 9, "b", 1)}, []schema.Span{row(1, 1, 9, "a", 1)}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			require.Equal(t, tc.want, schema.Fold(tc.in))
		})
	}
}

func TestFoldInParts(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		rows := make([]schema.Span, rng.IntN(20))
		for i := range rows {
			rows[i] = schema.Span{
				SpanID: schema.SpanID{byte(rng.IntN(4))}, Kind: int32(rng.IntN(2)), EndNanos: rng.Uint64N(2),
				Name: "xx"[:rng.IntN(3)], Position: uint64(i + 1),
			}
		}
		cut := 0
		if len(rows) > 0 {
			cut = rng.IntN(len(rows))
		}
		parts := append(schema.Fold(slices.Clone(rows[cut:])), schema.Fold(slices.Clone(rows[:cut]))...)
		require.ElementsMatch(t, schema.Fold(slices.Clone(rows)), schema.Fold(parts))
	}
}
