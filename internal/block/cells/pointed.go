package cells

import (
	"encoding/binary"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// Pointed are the values of a column in which each row has that of a number,
// which many rows share.
type Pointed struct {
	texts   Texts
	rows    int
	defined vec.Bitmap
}

// NewPointed takes the number of each row. value is asked once for each of the
// numbers below bound that a row has: for what rows with it have, if anything.
func NewPointed(rows []uint32, bound int, value func(number uint32) (string, bool)) *Pointed {
	const unknown, absent = -2, -1
	p := &Pointed{rows: len(rows), defined: vec.NewBitmap(len(rows))}
	p.texts.codes = make([]uint32, 0, len(rows))
	known := make([]int32, bound) // codes
	for i := range known {
		known[i] = unknown
	}
	for i, n := range rows {
		if known[n] == unknown {
			known[n] = absent
			if v, ok := value(n); ok {
				known[n] = int32(p.texts.dict.code(v))
			}
		}
		if code := known[n]; code >= 0 {
			p.defined.Set(i)
			p.texts.codes = append(p.texts.codes, uint32(code))
			p.texts.raw += p.texts.dict.size(uint32(code))
		}
	}
	return p
}

// Required is the column if every row has a text, with a dictionary of up to so
// many bytes.
func (p *Pointed) Required(maxDictBytes int) Column {
	p.texts.plain = len(p.texts.dict.page) > maxDictBytes
	return p.texts.Column()
}

// Small is the column if rows may be null, written to be small rather than to be
// searched: codes have whole bytes, in which zstd finds more than in packed bits.
// Values that are not texts stand as eight bytes, little endian.
func (p *Pointed) Small(kind Kind) Column {
	return p.small(kind).Optional(p.defined, len(p.texts.codes))
}

func (p *Pointed) small(kind Kind) Column {
	dict, codes := &p.texts.dict, p.texts.codes
	switch kind {
	case Bool:
		values := vec.NewBitmap(len(codes))
		for i, c := range codes {
			if dict.entry(c)[0] != 0 {
				values.Set(i)
			}
		}
		return bools(values, len(codes))
	case Int, Double:
		values := make([]int64, len(codes))
		for i, c := range codes {
			values[i] = int64(binary.LittleEndian.Uint64([]byte(dict.entry(c))))
		}
		return numbers(values, kind, wholeBytes)
	case Text:
	}
	if d := p.texts.Column(); d.Dict == nil {
		return d
	}
	return coded(codes, dict.page, len(dict.ends), wholeBytes(len(dict.ends)))
}

// wholeBytes is the width of codes for so many entries: a multiple of eight
// unless half a byte is enough.
func wholeBytes(entries int) int {
	width := encoding.CodeWidth(entries)
	if width <= 4 {
		return width
	}
	return (width + 7) &^ 7
}
