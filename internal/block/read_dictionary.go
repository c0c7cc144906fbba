package block

import (
	"bytes"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

// dictionary is a decoded dictionary page: its entries by code. Only the field
// of the column's type is set.
type dictionary struct {
	raw     []byte // what texts lie in
	texts   [][]byte
	ints    []int64
	doubles []float64
}

// dictionary returns the dictionary of a column. REQUIRES: the column has one,
// which was fetched.
func (g *groupReader) dictionary(c int) (*dictionary, error) {
	if g.dicts[c] != nil {
		return g.dicts[c], nil
	}
	k := g.chunk(c)
	if d, ok := g.parts.at(k.dict.offset).(*dictionary); ok {
		g.dicts[c] = d
		return d, nil
	}
	raw, _, err := g.stored(k.dict)
	switch {
	case err != nil:
	case k.compressed:
		raw, err = sharedCodec().decompress(nil, raw, int(k.dict.raw))
	default:
		raw = bytes.Clone(raw) // rows keep entries, and need not keep all that was fetched with them
	}
	var d *dictionary
	if err == nil {
		d, err = parseDictionary(g.column(c).physical, raw, k.entries)
	}
	if err != nil {
		return nil, g.corrupt(c, "dictionary", k.dict.extent(), err)
	}
	g.dicts[c] = d
	g.reader.remember(k.dict.offset, d, len(raw)+dictionaryEntryBytes*k.entries)
	return d, nil
}

// dictionaryEntryBytes is what an entry takes besides its value, at most.
const dictionaryEntryBytes = 24

// parseDictionary reads n plain values, which share the memory of raw.
func parseDictionary(t physical, raw []byte, n int) (*dictionary, error) {
	if size := t.fixedBytes(); size > 0 && len(raw) != size*n || size == 0 && n > len(raw)/encoding.LengthBytes {
		return nil, errStructure
	}
	d := &dictionary{}
	switch t {
	case physicalBytes:
		d.raw, d.texts = raw, make([][]byte, n)
		return d, encoding.SplitBytes(d.texts, raw)
	case physicalInt64:
		d.ints = make([]int64, n)
		return d, encoding.DecodeInt64s(d.ints, raw)
	case physicalDouble:
		d.doubles = make([]float64, n)
		return d, encoding.DecodeDoubles(d.doubles, raw)
	case physicalInt32:
		narrow := make([]int32, n)
		err := encoding.DecodeInt32s(narrow, raw)
		d.ints = make([]int64, n)
		for i, v := range narrow {
			d.ints[i] = int64(v)
		}
		return d, err
	default:
		return nil, errStructure
	}
}
