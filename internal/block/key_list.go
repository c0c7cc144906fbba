package block

import (
	"encoding/binary"
	"slices"
)

// maxKeyListBytes bounds a list of keys: a tail is read, and kept, as a whole,
// and clients that make up keys must not make it as large as the rows.
const maxKeyListBytes = 64 << 10

// keyList says which keys occur outside of columns.
type keyList struct {
	sorted []string
	any    bool // too many to list: every key may
}

// newKeyList sorts keys.
func newKeyList(keys []string) keyList {
	size := 0
	for _, k := range keys {
		if size += len(k) + 1; size > maxKeyListBytes {
			return keyList{any: true}
		}
	}
	slices.Sort(keys)
	return keyList{sorted: keys}
}

func (l *keyList) mayHave(key string) bool {
	if l.any {
		return true
	}
	_, found := slices.BinarySearch(l.sorted, key)
	return found
}

// appendTo appends the number of keys plus one, 0 for any, and the keys.
func (l *keyList) appendTo(b []byte) []byte {
	if l.any {
		return binary.AppendUvarint(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(l.sorted))+1)
	for _, k := range l.sorted {
		b = appendText(b, k)
	}
	return b
}

// keyList reads what appendTo wrote.
func (c *cursor) keyList() keyList {
	n := c.count(minKeyBytes) - 1
	if n < 0 {
		return keyList{any: c.err == nil}
	}
	l := keyList{sorted: make([]string, n)}
	for i := range l.sorted {
		l.sorted[i] = c.text()
		if i > 0 && l.sorted[i-1] >= l.sorted[i] {
			c.fail(errStructure)
		}
	}
	return l
}
