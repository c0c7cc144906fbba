package block

import (
	"encoding/binary"
	"slices"

	"github.com/apache/arrow/go/v17/parquet/metadata"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/schema"
)

const (
	// A dictionary of up to this size is always worth it.
	smallDictBytes = 64 << 10
	// A larger one costs every reader of a few rows too much.
	maxDictBytes = 8 << 20
)

// columnData is one column of a row group, ready to be cut into pages.
type columnData struct {
	encoding pageEncoding
	dict     []byte   // plain, of encodingCodes
	entries  int      // of dict
	codes    []uint32 // of encodingCodes, one per row
	stats    metadata.EncodedStatistics
	defined  func(row int) bool                    // nil: every row is
	body     func(dst []byte, from, to int) []byte // appends the encoded values of rows
}

// column gathers a column of a row group's rows.
func (e *encoder) column(id columnID, spans []schema.Span) columnData {
	switch id {
	case colTraceID:
		return e.traceIDs(spans)
	case colStart:
		return e.int64s(spans, encodingPlain, true, func(s *schema.Span) int64 { return int64(s.StartNanos) })
	case colDuration:
		return e.int64s(spans, encodingDelta, true, (*schema.Span).DurationNanos)
	case colPosition:
		return e.int64s(spans, encodingDelta, false, func(s *schema.Span) int64 { return int64(s.Position) })
	case colKind:
		return e.int32s(spans, func(s *schema.Span) int32 { return s.Kind })
	case colStatusCode:
		return e.int32s(spans, func(s *schema.Span) int32 { return s.StatusCode })
	case colFlags:
		return e.int32s(spans, func(s *schema.Span) int32 { return int32(s.Flags) })
	case colSpanID:
		return spanIDs(spans)
	case colParentSpanID:
		return parentSpanIDs(spans)
	case colAttributes:
		return payloads(spans, func(s *schema.Span) []byte { return s.Attributes })
	case colEvents:
		return payloads(spans, func(s *schema.Span) []byte { return s.Events })
	case colLinks:
		return payloads(spans, func(s *schema.Span) []byte { return s.Links })
	case colRest:
		return payloads(spans, func(s *schema.Span) []byte { return s.Rest })
	default:
		return e.textColumn(id, spans)
	}
}

// traceIDs builds the sorted dictionary of the trace ids, which are sorted
// already, and adds them to the filter's keys.
func (e *encoder) traceIDs(spans []schema.Span) columnData {
	codes := e.codes(len(spans))
	var dict []byte
	n := 0
	for i := range spans {
		if i == 0 || spans[i].TraceID != spans[i-1].TraceID {
			dict = append(dict, spans[i].TraceID[:]...)
			e.hashes = append(e.hashes, spans[i].TraceID.Hash())
			n++
		}
		codes[i] = uint32(n - 1)
	}
	d := coded(codes, dict, n)
	d.stats.SetMin(spans[0].TraceID[:]).SetMax(spans[len(spans)-1].TraceID[:]).SetDistinctCount(int64(n)).SetNullCount(0)
	return d
}

// codes returns memory for n codes, valid until the next column.
func (e *encoder) codes(n int) []uint32 {
	e.scratch.codes = slices.Grow(e.scratch.codes[:0], n)[:n]
	return e.scratch.codes
}

// coded is a column of dictionary codes.
func coded(codes []uint32, dict []byte, entries int) columnData {
	width := encoding.CodeWidth(entries)
	d := columnData{encoding: encodingCodes, codes: codes, dict: dict, entries: entries}
	d.stats.SetNullCount(0)
	d.body = func(dst []byte, from, to int) []byte {
		return encoding.AppendHybrid(append(dst, byte(width)), codes[from:to], width)
	}
	return d
}

func (e *encoder) int64s(spans []schema.Span, enc pageEncoding, bounds bool, value func(*schema.Span) int64) columnData {
	values := slices.Grow(e.scratch.ints[:0], len(spans))
	for i := range spans {
		values = append(values, value(&spans[i]))
	}
	e.scratch.ints = values
	d := columnData{encoding: enc}
	d.stats.SetNullCount(0)
	if bounds {
		d.stats.Signed = true
		d.stats.SetMin(encoding.AppendInt64s(nil, []int64{slices.Min(values)}))
		d.stats.SetMax(encoding.AppendInt64s(nil, []int64{slices.Max(values)}))
	}
	d.body = func(dst []byte, from, to int) []byte {
		if enc == encodingDelta {
			return encoding.AppendDelta(dst, values[from:to])
		}
		return encoding.AppendInt64s(dst, values[from:to])
	}
	return d
}

// int32s builds a dictionary in the order of first occurrence.
func (e *encoder) int32s(spans []schema.Span, value func(*schema.Span) int32) columnData {
	codes := e.codes(len(spans))
	index := e.scratch.numbers
	clear(index)
	var dict []int32
	for i := range spans {
		v := value(&spans[i])
		code, ok := index[v]
		if !ok {
			code = uint32(len(dict))
			index[v] = code
			dict = append(dict, v)
		}
		codes[i] = code
	}
	if useless(len(spans), len(dict), 4*len(dict)) {
		return plainColumn(func(dst []byte, row int) []byte {
			return binary.LittleEndian.AppendUint32(dst, uint32(value(&spans[row])))
		})
	}
	return coded(codes, encoding.AppendInt32s(nil, dict), len(dict))
}

// useless reports whether a dictionary costs more than it saves.
func useless(rows, entries, size int) bool {
	return size > maxDictBytes || size > smallDictBytes && entries > rows/2
}

// plainColumn is a required column of values that stand one after another.
func plainColumn(appendValue func(dst []byte, row int) []byte) columnData {
	var d columnData
	d.stats.SetNullCount(0)
	d.body = func(dst []byte, from, to int) []byte {
		for row := from; row < to; row++ {
			dst = appendValue(dst, row)
		}
		return dst
	}
	return d
}

func spanIDs(spans []schema.Span) columnData {
	return plainColumn(func(dst []byte, row int) []byte { return append(dst, spans[row].SpanID[:]...) })
}

// optional makes the rows for which defined is false null.
func (d columnData) optional(rows int, defined func(row int) bool) columnData {
	nulls := 0
	for row := range rows {
		if !defined(row) {
			nulls++
		}
	}
	d.defined = defined
	d.stats.SetNullCount(int64(nulls))
	return d
}

func parentSpanIDs(spans []schema.Span) columnData {
	d := plainColumn(func(dst []byte, row int) []byte {
		if spans[row].ParentSpanID.IsZero() {
			return dst
		}
		return append(dst, spans[row].ParentSpanID[:]...)
	})
	return d.optional(len(spans), func(row int) bool { return !spans[row].ParentSpanID.IsZero() })
}

func payloads(spans []schema.Span, value func(*schema.Span) []byte) columnData {
	d := plainColumn(func(dst []byte, row int) []byte {
		if v := value(&spans[row]); len(v) > 0 {
			return encoding.AppendBytes(dst, v)
		}
		return dst
	})
	return d.optional(len(spans), func(row int) bool { return len(value(&spans[row])) > 0 })
}
