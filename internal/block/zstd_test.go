package block

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecompressIsBounded(t *testing.T) {
	c := sharedCodec()
	raw := make([]byte, 1<<20)
	packed := c.compress(nil, raw)
	have, err := c.decompress(nil, packed, len(raw))
	require.NoError(t, err)
	require.Equal(t, raw, have)
	for _, size := range []int{0, 10, len(raw) - 1, len(raw) + 1, maxRawBytes + 1} {
		_, err := c.decompress(nil, packed, size)
		require.Error(t, err, "size %d", size)
	}
	for cut := range packed {
		_, err := c.decompress(nil, packed[:cut], len(raw))
		require.Error(t, err)
	}
}
