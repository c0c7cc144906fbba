package block

import (
	"io"
	"runtime"
	"sync"

	"github.com/apache/arrow/go/v17/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// maxRawBytes caps what a page or a dictionary may decompress to, whatever its
// header says: a page's target plus the largest value, with room to spare.
const maxRawBytes = 512 << 20

// codec compresses and decompresses pages. Its encoder and decoder keep their
// own pools of states and may be shared; arrow's codec builds an encoder per
// page.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// sharedCodec returns the process's codec. The first call registers it with
// arrow, whose page writer takes the codec of dictionary pages from a registry.
var sharedCodec = sync.OnceValue(func() *codec {
	// Level 1: what a block saves above it costs ingest more than the bucket.
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)),
		zstd.WithEncoderCRC(false), // the directory has checksums of the stored bytes
		zstd.WithZeroFrames(true))
	if err != nil {
		panic(err) // the options are constants
	}
	decoder, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(0),
		zstd.WithDecoderMaxMemory(maxRawBytes),
		zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic(err)
	}
	c := &codec{encoder: encoder, decoder: decoder}
	compress.RegisterCodec(compress.Codecs.Zstd, arrowCodec{c})
	return c
})

// compress appends the compressed src to dst.
func (c *codec) compress(dst, src []byte) []byte { return c.encoder.EncodeAll(src, dst) }

// decompress returns src decompressed, exactly size bytes, in the memory of
// scratch if it fits.
func (c *codec) decompress(scratch, src []byte, size int) ([]byte, error) {
	if size > maxRawBytes {
		return nil, errStructure
	}
	if cap(scratch) < size {
		scratch = make([]byte, 0, size)
	}
	raw, err := c.decoder.DecodeAll(src, scratch[:0:size])
	if err != nil {
		return nil, err
	}
	if len(raw) != size {
		return nil, errTruncated
	}
	return raw, nil
}

// arrowCodec is codec as arrow wants it.
type arrowCodec struct{ *codec }

var _ compress.Codec = arrowCodec{}

// Encode compresses src into dst's memory if it fits.
func (c arrowCodec) Encode(dst, src []byte) []byte { return c.compress(dst[:0], src) }

// EncodeLevel is Encode: blocks have one level.
func (c arrowCodec) EncodeLevel(dst, src []byte, _ int) []byte { return c.Encode(dst, src) }

// Decode decompresses src into dst, whose capacity is the limit. The interface
// has no error; arrow notices the wrong length.
func (c arrowCodec) Decode(dst, src []byte) []byte {
	raw, err := c.decoder.DecodeAll(src, dst[:0])
	if err != nil {
		return nil
	}
	return raw
}

// CompressBound is how much Encode may return for n bytes.
func (arrowCodec) CompressBound(n int64) int64 { return n + n>>8 + 64 }

// NewReader decompresses a stream.
func (arrowCodec) NewReader(r io.Reader) io.ReadCloser {
	d, err := zstd.NewReader(r, zstd.WithDecoderMaxMemory(maxRawBytes))
	if err != nil {
		return io.NopCloser(failingReader{err})
	}
	return d.IOReadCloser()
}

// NewWriter compresses a stream.
func (c arrowCodec) NewWriter(w io.Writer) io.WriteCloser {
	e, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		panic(err) // the options are constants
	}
	return e
}

// NewWriterLevel is NewWriter: blocks have one level.
func (c arrowCodec) NewWriterLevel(w io.Writer, _ int) (io.WriteCloser, error) {
	return c.NewWriter(w), nil
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }
