package cells

import (
	"slices"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/internal/vec"
)

// Column is one column of a row group, ready to be cut into pages.
type Column struct {
	Encoding parquet.Encoding
	Dict     []byte // plain, of parquet.Codes
	Entries  int    // of Dict
	Stats    parquet.Stats
	Defined  vec.Bitmap // rows that are not null; nil: every row
	Values   int        // of these rows
	Random   bool       // not worth an attempt to compress

	// Body appends the values from one place to another among those that are
	// not null, as the body of a page.
	Body func(dst []byte, from, to int) []byte
}

// Optional makes all rows null but those that are defined, of which there are so
// many.
func (d Column) Optional(defined vec.Bitmap, values int) Column {
	d.Defined, d.Values = defined, values
	return d
}

// Coded is a column of codes of a dictionary of plain values.
func Coded(codes []uint32, dict []byte, entries int) Column {
	return coded(codes, dict, entries, encoding.CodeWidth(entries))
}

func coded(codes []uint32, dict []byte, entries, width int) Column {
	d := Column{Encoding: parquet.Codes, Dict: dict, Entries: entries, Values: len(codes)}
	d.Body = func(dst []byte, from, to int) []byte {
		return encoding.AppendHybrid(append(dst, byte(width)), codes[from:to], width)
	}
	return d
}

// numbers is a column of integers or, as their bits, doubles. width is that of
// the codes for so many entries.
func numbers(values []int64, kind Kind, width func(entries int) int) Column {
	codes, entries := numberDictionary(values)
	var d Column
	switch {
	case codes != nil:
		d = coded(codes, encoding.AppendInt64s(nil, entries), len(entries), width(len(entries)))
	case kind == Double:
		d = Column{Values: len(values)}
		d.Body = func(dst []byte, from, to int) []byte { return encoding.AppendInt64s(dst, values[from:to]) }
	default:
		d = Deltas(values)
		entries = values
	}
	if kind == Int && len(values) > 0 {
		d.setBounds(entries)
	}
	return d
}

// Deltas is a column of integers that hardly repeat.
func Deltas(values []int64) Column {
	d := Column{Encoding: parquet.Delta, Values: len(values)}
	d.Body = func(dst []byte, from, to int) []byte { return encoding.AppendDelta(dst, values[from:to]) }
	return d
}

// BoundedDeltas is Deltas of values, of which there are some, with the least and
// the most of them in the footer.
func BoundedDeltas(values []int64) Column {
	d := Deltas(values)
	d.setBounds(values)
	return d
}

func (d *Column) setBounds(values []int64) {
	d.Stats.Min = encoding.AppendInt64s(nil, []int64{slices.Min(values)})
	d.Stats.Max = encoding.AppendInt64s(nil, []int64{slices.Max(values)})
}

// Int32s is a column of small integers, with a dictionary in the order of first
// occurrence if that is of use.
func Int32s(values []int32) Column {
	if codes, entries := numberDictionary(values); codes != nil {
		return Coded(codes, encoding.AppendInt32s(nil, entries), len(entries))
	}
	d := Column{Values: len(values)}
	d.Body = func(dst []byte, from, to int) []byte { return encoding.AppendInt32s(dst, values[from:to]) }
	return d
}

// Fixed is a column of values of so many bytes, which stand one after another.
func Fixed(values []byte, size int) Column {
	d := Column{Values: len(values) / size}
	d.Body = func(dst []byte, from, to int) []byte { return append(dst, values[size*from:size*to]...) }
	return d
}

// bools is a column of n bits.
func bools(values vec.Bitmap, n int) Column {
	d := Column{Values: n}
	d.Body = func(dst []byte, from, to int) []byte {
		return encoding.AppendBools(dst, values.Extract(nil, from, to), to-from)
	}
	return d
}

// column is a column of strings.
func (t *Texts) column() Column {
	dict, codes, all := &t.dict, t.codes, t.all
	if !t.plain {
		return Coded(codes, dict.page, len(dict.ends))
	}
	d := Column{Values: max(len(codes), len(all))}
	d.Body = func(dst []byte, from, to int) []byte {
		if all != nil {
			for _, s := range all[from:to] {
				dst = encoding.AppendBytes(dst, s)
			}
			return dst
		}
		for _, c := range codes[from:to] {
			dst = encoding.AppendBytes(dst, dict.entry(c))
		}
		return dst
	}
	return d
}
