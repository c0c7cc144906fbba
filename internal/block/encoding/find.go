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
// Every value contains the empty literal. REQUIRES: dst has the words.
func FindBytes(dst []uint64, src, literal []byte, n int) error {
	clear(dst[:words(n)])
	values := NewByteArrays(src)
	for i := range n {
		v, err := values.Next()
		if err != nil {
			return err
		}
		if bytes.Contains(v, literal) {
			dst[i/wordBits] |= 1 << (i % wordBits)
		}
	}
	if !values.Done() {
		return ErrMalformed
	}
	return nil
}
