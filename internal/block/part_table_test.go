package block

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A table gives back what was put into it, and nothing else, as it grows.
func TestPartTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var table partTable
	want := map[int64]any{}
	require.Nil(t, table.at(0))
	for i := range 3000 {
		offset := rng.Int64N(1 << 14)
		if i%3 == 0 {
			offset = int64(i) << 32 // the lower bits are all zero
		}
		require.Equal(t, want[offset], table.at(offset))
		if want[offset] == nil {
			want[offset] = &traceSection{ordinal: i}
			table.put(offset, want[offset])
		}
	}
	for offset, value := range want {
		require.Same(t, value, table.at(offset))
	}
	require.Equal(t, len(want), table.full)
}
