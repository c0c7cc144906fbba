package block

import (
	"encoding/binary"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// textData is a column of strings.
func textData(t *texts) columnData {
	entries, codes, all := t.dict.entries, t.codes, t.all
	if !t.plain {
		return codedData(codes, t.dict.plain(), len(entries), encoding.CodeWidth(len(entries)))
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
			dst = encoding.AppendBytes(dst, entries[c])
		}
		return dst
	}
	return d
}

// ownTexts is a column of strings that each row has for itself.
func ownTexts(spans []schema.Span, value func(*schema.Span) string) columnData {
	t := texts{maxDict: maxDictBytes}
	t.expect(len(spans))
	for i := range spans {
		t.add(value(&spans[i]))
	}
	t.finish()
	return textData(&t)
}

// sharedTexts is a text of the resources or scopes of a row group's rows.
func sharedTexts[T comparable](table *sharedTable[T], rows []uint32, maxDict int, value func(T) string) columnData {
	var dict codebook
	codes := make([]uint32, len(rows))
	known := make([]uint32, len(table.list)) // codes plus one
	raw := 0
	for i, n := range rows {
		if known[n] == 0 {
			text := value(table.list[n])
			code, fresh := dict.code(text)
			if fresh {
				dict.add(text)
			}
			known[n] = code + 1
		}
		codes[i] = known[n] - 1
		raw += len(dict.entries[codes[i]]) + encoding.LengthBytes
	}
	t := texts{dict: dict, codes: codes, plain: dict.bytes > maxDict || 2*dict.bytes >= raw}
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
				code, fresh := dict.code(v)
				if fresh {
					dict.add(v)
				}
				known[n] = int32(code)
			}
		}
		if known[n] >= 0 {
			defined.Set(i)
			codes = append(codes, uint32(known[n]))
			raw += len(dict.entries[known[n]]) + encoding.LengthBytes
		}
	}
	d := resourceData(a.kind, &texts{dict: dict, codes: codes, plain: 2*dict.bytes >= raw})
	return d.optional(defined, len(codes))
}

func resourceData(kind valueKind, t *texts) columnData {
	entries, codes := t.dict.entries, t.codes
	switch {
	case kind == kindBool:
		values := vec.NewBitmap(len(codes))
		for i, c := range codes {
			if entries[c][0] != 0 {
				values.Set(i)
			}
		}
		return boolData(values, len(codes))
	case kind == kindInt || kind == kindDouble:
		values := make([]int64, len(codes))
		for i, c := range codes {
			values[i] = int64(binary.LittleEndian.Uint64([]byte(entries[c])))
		}
		return numberData(values, kind, wholeBytes)
	case t.plain:
		return textData(t)
	default:
		return codedData(codes, t.dict.plain(), len(entries), wholeBytes(len(entries)))
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
