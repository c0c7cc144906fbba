package tail

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/schema"
)

func rowsOf(numbers ...int) []schema.Span {
	rows := make([]schema.Span, len(numbers))
	for i, n := range numbers {
		binary.BigEndian.PutUint64(rows[i].TraceID[:], uint64(n)+1)
	}
	return rows
}

func TestIndexRanges(t *testing.T) {
	var x index
	for position := uint64(1); position <= 40; position++ {
		numbers := []int{int(position)}
		for _, shared := range []uint64{3, 5, 10, 30} {
			if position == shared {
				numbers = append(numbers, 1000, 1000)
			}
		}
		x.add(position, rowsOf(numbers...))
	}
	require.Equal(t, []span{{3, 10}, {30, 30}}, x.ranges(rowsOf(1000)[0].TraceID), "a few messages between are read along")
	require.Equal(t, []span{{7, 7}}, x.ranges(rowsOf(7)[0].TraceID))
	require.Empty(t, x.ranges(rowsOf(41)[0].TraceID))
}

// Memory is bounded: with too many traces the index gives up.
func TestIndexIsBounded(t *testing.T) {
	var x index
	numbers := make([]int, 1<<16)
	for position := range 2 * maxHashes / len(numbers) {
		for i := range numbers {
			numbers[i] = position<<16 | i
		}
		x.add(uint64(position), rowsOf(numbers...))
		require.Equal(t, x.full(), x.messages == nil)
	}
	require.True(t, x.full())
}
