package encoding

import (
	"bytes"
	"encoding/binary"
)

// ByteArrays walks over plain byte arrays, without a slice of all of them.
type ByteArrays struct{ rest []byte }

// NewByteArrays begins with the first of the values that are src.
func NewByteArrays(src []byte) ByteArrays { return ByteArrays{src} }

// Next returns the next value, which shares src's memory; its capacity ends
// with it. Returns ErrMalformed if there is none or it is cut off.
func (a *ByteArrays) Next() ([]byte, error) {
	if len(a.rest) < LengthBytes {
		return nil, ErrMalformed
	}
	n := uint64(binary.LittleEndian.Uint32(a.rest))
	if n > uint64(len(a.rest)-LengthBytes) {
		return nil, ErrMalformed
	}
	end := LengthBytes + int(n)
	value := a.rest[LengthBytes:end:end]
	a.rest = a.rest[end:]
	return value, nil
}

// Skip passes over n values.
func (a *ByteArrays) Skip(n int) error {
	for range n {
		if _, err := a.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Done reports whether all bytes were consumed.
func (a *ByteArrays) Done() bool { return len(a.rest) == 0 }

// FindBytes sets bit i of dst if plain byte array i contains literal, of the n
// that are all of src, and clears all other bits of the first (n+63)/64 words.
// Every value contains the empty literal. It searches all values at once and
// walks no further than to the last place of the literal, so a rare one costs
// hardly more than bytes.Contains of src: malformed bytes behind that place go
// unnoticed, and no bit is set for them. REQUIRES: dst has the words.
func FindBytes(dst []uint64, src, literal []byte, n int) error {
	if n < 0 {
		return ErrMalformed
	}
	dst = dst[:words(n)]
	clear(dst)
	values := NewByteArrays(src)
	hit := nextHit(src, 0, literal)
	for i := 0; hit < len(src); i++ {
		if i == n {
			return ErrMalformed
		}
		value, err := values.Next()
		if err != nil {
			return err
		}
		end := len(src) - len(values.rest)
		if hit >= end {
			continue
		}
		// What begins before the value contains bytes of its length, and
		// what ends behind it bytes of the next length: the value itself
		// may still have the literal, but only from its beginning on.
		if begin := end - len(value); hit < begin {
			hit = nextHit(src, begin, literal)
		}
		if hit+len(literal) <= end {
			putOnes(dst, i, i+1)
		}
		if hit < end {
			hit = nextHit(src, end, literal)
		}
	}
	return nil
}

// nextHit returns where literal begins in src at or after from, or len(src) if
// it does not.
func nextHit(src []byte, from int, literal []byte) int {
	i := bytes.Index(src[from:], literal)
	if i < 0 {
		return len(src)
	}
	return from + i
}
