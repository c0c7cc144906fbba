package block

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// tailSumBytes is the checksum that a tail begins with.
const tailSumBytes = 8

// pageSum is the checksum of a page as stored: the lower half of xxHash64,
// because a directory holds one for every page of every column.
func pageSum(stored []byte) uint32 { return uint32(xxhash.Sum64(stored)) }

// putTailSum writes the checksum into the tail's first bytes.
func putTailSum(tail []byte) {
	binary.LittleEndian.PutUint64(tail, xxhash.Sum64(tail[tailSumBytes:]))
}

func validTail(tail []byte) bool {
	return len(tail) > tailSumBytes && binary.LittleEndian.Uint64(tail) == xxhash.Sum64(tail[tailSumBytes:])
}
