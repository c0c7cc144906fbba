package block

import (
	"runtime"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxRawBytes caps what a page or a dictionary may decompress to, whatever its
// header says: a page's target plus the largest value, with room to spare.
const maxRawBytes = 512 << 20

// codec compresses and decompresses pages. Its encoder and decoder keep their
// own pools of states and may be shared.
type codec struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

// encoderWindowBytes is as far as matches reach. Each encoder keeps twice as
// much; few pages are larger.
const encoderWindowBytes = 1 << 20

// sharedCodec returns the process's codec.
var sharedCodec = sync.OnceValue(func() *codec {
	// Level 1: what a block saves above it costs ingest more than the bucket.
	return newCodec(zstd.SpeedFastest)
})

// strongCodec returns that of content in blocks that are not merged any more.
// Better levels would save 6 % more and take two to seven times as long.
var strongCodec = sync.OnceValue(func() *codec { return newCodec(zstd.SpeedDefault) })

func newCodec(level zstd.EncoderLevel) *codec {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(level),
		zstd.WithWindowSize(encoderWindowBytes),
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
	return &codec{encoder: encoder, decoder: decoder}
}

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
