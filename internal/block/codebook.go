package block

import (
	"hash/maphash"
	"unsafe"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// codebook numbers different strings in the order of their first occurrence.
type codebook struct {
	entries []string
	bytes   int // of the entries as plain values
	// slots are a hash table with linear probing, at most half full: the upper
	// half of the hash, then the code plus one.
	slots []uint64
	seed  maphash.Seed
}

// code returns the number of a string, and whether that is new: then it is the
// caller who appends the string to entries.
func (d *codebook) code(s string) (code uint32, fresh bool) {
	if 2*len(d.entries) >= len(d.slots) {
		d.grow()
	}
	const low = 1<<32 - 1
	hash := maphash.String(d.seed, s)
	mask := uint64(len(d.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := d.slots[i]
		if slot == 0 {
			d.slots[i] = hash&^low | uint64(len(d.entries)+1)
			return uint32(len(d.entries)), true
		}
		if (slot^hash)&^low == 0 && d.entries[slot&low-1] == s {
			return uint32(slot&low - 1), false
		}
	}
}

// add appends the string that code called fresh.
func (d *codebook) add(s string) {
	d.entries = append(d.entries, s)
	d.bytes += len(s) + encoding.LengthBytes
}

func (d *codebook) grow() {
	if d.slots == nil {
		d.seed = maphash.MakeSeed()
	}
	d.slots = make([]uint64, max(4*len(d.slots), 16))
	const low = 1<<32 - 1
	mask := uint64(len(d.slots) - 1)
	for code, s := range d.entries {
		hash := maphash.String(d.seed, s)
		i := hash & mask
		for d.slots[i] != 0 {
			i = (i + 1) & mask
		}
		d.slots[i] = hash&^low | uint64(code+1)
	}
}

// plain is the dictionary's page.
func (d *codebook) plain() []byte {
	b := make([]byte, 0, d.bytes)
	for _, s := range d.entries {
		b = encoding.AppendBytes(b, s)
	}
	return b
}

// alias is the text of b without a copy.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// arena keeps copies of many small strings.
type arena struct{ free []byte }

const arenaBytes = 64 << 10

func (a *arena) copy(s string) string {
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
func numberDictionary(values []int64) (codes []uint32, entries []int64) {
	var recent [256]struct {
		value int64
		code  uint32 // plus one
	}
	limit := len(values) / 4
	index := map[int64]uint32{}
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
