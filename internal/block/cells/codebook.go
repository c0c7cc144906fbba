package cells

import (
	"hash/maphash"
	"unsafe"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// codebook numbers different strings in the order of their first occurrence,
// and keeps them as the plain values of a dictionary page: side by side, so that
// comparing with them does not go all over the memory that they came from.
type codebook struct {
	page []byte // with their lengths
	ends []int  // of the entries in page
	// slots are a hash table with linear probing, at most half full: the upper
	// half of the hash, then the code plus one.
	slots []uint64
	seed  maphash.Seed
}

const slotCode = 1<<32 - 1 // the part of a slot that is the code

// find returns the number of a string, if it has one, or else the hash with
// which to add it.
func (d *codebook) find(s string) (code uint32, hash uint64, ok bool) {
	if 2*len(d.ends) >= len(d.slots) {
		d.grow()
	}
	hash = maphash.String(d.seed, s)
	mask := uint64(len(d.slots) - 1)
	for i := hash & mask; d.slots[i] != 0; i = (i + 1) & mask {
		slot := d.slots[i]
		if code = uint32(slot&slotCode) - 1; (slot^hash)&^slotCode == 0 && d.entry(code) == s {
			return code, hash, true
		}
	}
	return 0, hash, false
}

// add gives a number to a string that find has just not found.
func (d *codebook) add(s string, hash uint64) (code uint32) {
	d.page = encoding.AppendBytes(d.page, s)
	d.ends = append(d.ends, len(d.page))
	d.occupy(hash, len(d.ends))
	return uint32(len(d.ends) - 1)
}

// code returns the number of a string, a new one if it had none.
func (d *codebook) code(s string) uint32 {
	code, hash, ok := d.find(s)
	if !ok {
		code = d.add(s, hash)
	}
	return code
}

// occupy takes the first free slot for a hash.
func (d *codebook) occupy(hash uint64, codePlusOne int) {
	mask := uint64(len(d.slots) - 1)
	i := hash & mask
	for d.slots[i] != 0 {
		i = (i + 1) & mask
	}
	d.slots[i] = hash&^slotCode | uint64(codePlusOne)
}

func (d *codebook) grow() {
	if d.slots == nil {
		d.seed = maphash.MakeSeed()
	}
	d.slots = make([]uint64, max(4*len(d.slots), 16))
	for code := range d.ends {
		d.occupy(maphash.String(d.seed, d.entry(uint32(code))), code+1)
	}
}

// entry is the string of a number, in memory that stays as it is.
func (d *codebook) entry(code uint32) string {
	start := encoding.LengthBytes
	if code > 0 {
		start += d.ends[code-1]
	}
	return alias(d.page[start:d.ends[code]])
}

// size is that of an entry as a plain value.
func (d *codebook) size(code uint32) int {
	if code == 0 {
		return d.ends[0]
	}
	return d.ends[code] - d.ends[code-1]
}

// alias is the text of b without a copy.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Arena keeps copies of many small strings. The zero value is empty.
type Arena struct{ free []byte }

const arenaBytes = 64 << 10

// Copy returns a copy of s.
func (a *Arena) Copy(s string) string {
	if len(s) > arenaBytes/4 {
		return string([]byte(s))
	}
	if len(s) > cap(a.free)-len(a.free) {
		a.free = make([]byte, 0, arenaBytes)
	}
	start := len(a.free)
	a.free = append(a.free, s...)
	return alias(a.free[start:])
}

// numberDictionary returns codes into a dictionary of numbers in the order of
// first occurrence, nil if there are too many different ones.
func numberDictionary[T int32 | int64](values []T) (codes []uint32, entries []T) {
	var recent [256]struct {
		value T
		code  uint32 // plus one
	}
	limit := len(values) / 4
	index := map[T]uint32{}
	codes = make([]uint32, len(values))
	for i, v := range values {
		near := &recent[uint64(v)*0x9e3779b97f4a7c15>>56]
		if near.code != 0 && near.value == v {
			codes[i] = near.code - 1
			continue
		}
		code, ok := index[v]
		if !ok {
			code = uint32(len(entries))
			index[v] = code
			entries = append(entries, v)
			if n := len(entries); n > limit || n >= sampleEntries && 2*n > i {
				return nil, nil
			}
		}
		near.value, near.code = v, code+1
		codes[i] = code
	}
	return codes, entries
}
