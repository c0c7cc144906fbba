package block

import (
	"encoding/binary"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

// textData is a column of strings.
func textData(t *texts) columnData {
	dict, codes, all := &t.dict, t.codes, t.all
	if !t.plain {
		return codedData(codes, dict.page, len(dict.ends), encoding.CodeWidth(len(dict.ends)))
	}
	d := columnData{cells: max(len(codes), len(all))}
	d.body = func(dst []byte, p pageRows) []byte {
		if all != nil {
			for _, s := range all[p.firstCell:p.endCell] {
				dst = encoding.AppendBytes(dst, s)
			}
			return dst
		}
		for _, c := range codes[p.firstCell:p.endCell] {
			dst = encoding.AppendBytes(dst, dict.entry(c))
		}
		return dst
	}
	return d
}

// sharedTexts is a text of the resources or scopes of a row group's rows.
func sharedTexts[T comparable](table *sharedTable[T], rows []uint32, maxDict int, value func(T) string) columnData {
	var dict codebook
	codes := make([]uint32, len(rows))
	known := make([]uint32, len(table.list)) // codes plus one
	raw := 0
	for i, n := range rows {
		if known[n] == 0 {
			known[n] = dict.code(value(table.list[n])) + 1
		}
		codes[i] = known[n] - 1
		raw += dict.size(codes[i])
	}
	t := texts{dict: dict, codes: codes, plain: len(dict.page) > maxDict || 2*len(dict.page) >= raw}
	return textData(&t)
}

// resource is the column of an attribute of resources. Only other programs read
// it, so it is written to be small: codes have whole bytes, in which zstd finds
// more than in packed bits.
func (e *encoder) resource(a attribute, rows []uint32) columnData {
	const unknown, absent = -2, -1
	var dict codebook
	known := make([]int32, len(e.survey.resources.list)) // codes
	for i := range known {
		known[i] = unknown
	}
	raw := 0
	codes := make([]uint32, 0, len(rows))
	defined := vec.NewBitmap(len(rows))
	for i, n := range rows {
		if known[n] == unknown {
			known[n] = absent
			if v, ok := e.survey.resourceValues[n][a]; ok {
				known[n] = int32(dict.code(v))
			}
		}
		if known[n] >= 0 {
			defined.Set(i)
			codes = append(codes, uint32(known[n]))
			raw += dict.size(uint32(known[n]))
		}
	}
	d := resourceData(a.kind, &texts{dict: dict, codes: codes, plain: 2*len(dict.page) >= raw})
	return d.optional(defined, len(codes))
}

func resourceData(kind valueKind, t *texts) columnData {
	dict, codes := &t.dict, t.codes
	switch {
	case kind == kindBool:
		values := vec.NewBitmap(len(codes))
		for i, c := range codes {
			if dict.entry(c)[0] != 0 {
				values.Set(i)
			}
		}
		return boolData(values, len(codes))
	case kind == kindInt || kind == kindDouble:
		values := make([]int64, len(codes))
		for i, c := range codes {
			values[i] = int64(binary.LittleEndian.Uint64([]byte(dict.entry(c))))
		}
		return numberData(values, kind, wholeBytes)
	case t.plain:
		return textData(t)
	default:
		return codedData(codes, dict.page, len(dict.ends), wholeBytes(len(dict.ends)))
	}
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
