package block

import (
	"bytes"
	"io"
	"testing"

	"github.com/apache/arrow/go/v17/parquet/compress"
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

func TestArrowUsesOurCodec(t *testing.T) {
	sharedCodec()
	c, err := compress.GetCodec(compress.Codecs.Zstd)
	require.NoError(t, err)
	require.IsType(t, arrowCodec{}, c)

	raw := bytes.Repeat([]byte("spans "), 1000)
	packed := c.Encode(make([]byte, 0, c.CompressBound(int64(len(raw)))), raw)
	require.Less(t, len(packed), len(raw)/10)
	require.Equal(t, packed, c.EncodeLevel(nil, raw, 9))
	require.Equal(t, raw, c.Decode(make([]byte, len(raw)), packed))
	require.Nil(t, c.Decode(make([]byte, len(raw)-1), packed))
	require.Nil(t, c.Decode(make([]byte, 10), []byte("no frame")))

	var stream bytes.Buffer
	w, err := c.NewWriterLevel(&stream, 3)
	require.NoError(t, err)
	_, err = w.Write(raw)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	r := c.NewReader(&stream)
	have, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, raw, have)
}
