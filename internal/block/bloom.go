package block

import (
	"encoding/binary"
	"math/bits"

	"github.com/spanlake/spanlake/schema"
)

// A filter is the bitset of a Parquet split-block bloom filter over trace ids:
// blocks of 256 bits, of which a key sets one bit in each of eight words.
//
// Reference: https://parquet.apache.org/docs/file-format/bloomfilter/
type filter []byte

const (
	filterBlockBytes = 32
	filterBitsPerKey = 16 // about 0.1 % false positives
)

// filterSalt is the standard's: it draws eight bit numbers from one hash.
var filterSalt = [8]uint32{
	0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d,
	0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31,
}

// newFilter returns a filter of the hashes, nil without any.
func newFilter(hashes []uint64) filter {
	blocks := (len(hashes)*filterBitsPerKey + 8*filterBlockBytes - 1) / (8 * filterBlockBytes)
	f := make(filter, blocks*filterBlockBytes)
	for _, h := range hashes {
		block := f.block(h)
		for i, salt := range filterSalt {
			block[4*i+int(filterBit(h, salt)>>3)] |= 1 << (filterBit(h, salt) & 7)
		}
	}
	return f
}

// filterBit is the bit within a word of 32 that stand as little-endian bytes.
func filterBit(hash uint64, salt uint32) uint32 { return uint32(hash) * salt >> 27 }

func (f filter) block(hash uint64) []byte {
	i, _ := bits.Mul64(hash>>32<<32, uint64(len(f)/filterBlockBytes))
	return f[i*filterBlockBytes:][:filterBlockBytes]
}

// mayContain is false only for an id that is not in the filter.
func (f filter) mayContain(id schema.TraceID) bool {
	if len(f) == 0 {
		return false
	}
	h := id.Hash()
	block := f.block(h)
	for i, salt := range filterSalt {
		if block[4*i+int(filterBit(h, salt)>>3)]&(1<<(filterBit(h, salt)&7)) == 0 {
			return false
		}
	}
	return true
}

// appendFilterHeader appends the Thrift compact form of the standard's
// BloomFilterHeader: the size, then the only known algorithm (split block),
// hash (xxHash64) and compression (none), each a union of empty structs.
func appendFilterHeader(dst []byte, bitsetBytes int) []byte {
	const (
		firstI32, nextStruct, stop = 0x15, 0x1c, 0x00
	)
	dst = binary.AppendVarint(append(dst, firstI32), int64(bitsetBytes))
	for range 3 {
		dst = append(dst, nextStruct, nextStruct, stop, stop)
	}
	return append(dst, stop)
}
