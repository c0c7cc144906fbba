package block

import (
	"encoding/binary"
	"slices"

	"github.com/apache/arrow/go/v17/parquet/metadata"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

const (
	// A larger dictionary costs every reader of a few rows too much.
	maxDictBytes = 1 << 20
	// maxHeaderDictBytes is that of whole resources and scopes, which are many
	// times larger than the codes for them.
	maxHeaderDictBytes = 16 << 20
)

// columnData is one column of a row group, ready to be cut into pages.
type columnData struct {
	encoding pageEncoding
	dict     []byte // plain, of encodingCodes
	entries  int    // of dict
	stats    metadata.EncodedStatistics
	defined  vec.Bitmap // nil: every row is
	cells    int        // rows that are not null
	raw      bool       // not worth an attempt to compress
	body     func(dst []byte, p pageRows) []byte
}

// pageRows are the rows of a page, [from, to), and their places among the rows
// that are not null.
type pageRows struct{ from, to, firstCell, endCell int }

// fixed gathers a fixed column of a row group's rows.
func (e *encoder) fixed(id columnID, spans []schema.Span) columnData {
	switch id {
	case colTraceID:
		return e.traceIDs(spans)
	case colStart:
		return e.int64s(spans, true, func(s *schema.Span) int64 { return int64(s.StartNanos) })
	case colDuration:
		return e.int64s(spans, true, (*schema.Span).DurationNanos)
	case colPosition:
		return e.int64s(spans, false, func(s *schema.Span) int64 { return int64(s.Position) })
	case colKind:
		return e.int32s(spans, func(s *schema.Span) int32 { return s.Kind })
	case colStatusCode:
		return e.int32s(spans, func(s *schema.Span) int32 { return s.StatusCode })
	case colFlags:
		return e.int32s(spans, func(s *schema.Span) int32 { return int32(s.Flags) })
	case colFragment:
		return e.int32s(spans, func(s *schema.Span) int32 { return int32(s.Fragment) })
	case colFragmentTime:
		return fragmentTimes(spans)
	case colSpanID:
		return spanIDs(spans)
	case colParentSpanID:
		return parentSpanIDs(spans)
	case colEvents:
		return payloads(spans, func(s *schema.Span) []byte { return s.Events })
	case colLinks:
		return payloads(spans, func(s *schema.Span) []byte { return s.Links })
	case colRest:
		return payloads(spans, func(s *schema.Span) []byte { return s.Rest })
	case colShape:
		return textData(&e.gathered.shapes[0])
	case colDerivedShape:
		return textData(&e.gathered.shapes[1])
	case colAttributes:
		return cellData(kindString, e.gathered.rests[0])
	case colDerived:
		return cellData(kindString, e.gathered.rests[1])
	case colEventName:
		return cellData(kindList, e.gathered.names)
	default:
		return e.fixedText(id, spans)
	}
}

// fixedText gathers a column of strings or of messages that rows share.
func (e *encoder) fixedText(id columnID, spans []schema.Span) columnData {
	s := e.survey
	resources, scopes := s.resources.codes[e.first:][:e.rows], s.scopes.codes[e.first:][:e.rows]
	switch id {
	case colName:
		return ownTexts(spans, func(s *schema.Span) string { return s.Name })
	case colStatusMessage:
		return ownTexts(spans, func(s *schema.Span) string { return s.StatusMessage })
	case colTraceState:
		return ownTexts(spans, func(s *schema.Span) string { return s.TraceState })
	case colServiceName:
		return sharedTexts(&s.resources, resources, maxDictBytes, func(r *schema.Resource) string { return r.ServiceName })
	case colResource:
		return sharedTexts(&s.resources, resources, maxHeaderDictBytes, func(r *schema.Resource) string { return alias(r.Wire) })
	case colScopeName:
		return sharedTexts(&s.scopes, scopes, maxDictBytes, func(s *schema.Scope) string { return s.Name })
	case colScopeVersion:
		return sharedTexts(&s.scopes, scopes, maxDictBytes, func(s *schema.Scope) string { return s.Version })
	default: // colScope
		return sharedTexts(&s.scopes, scopes, maxHeaderDictBytes, func(s *schema.Scope) string { return alias(s.Wire) })
	}
}

// traceIDs builds the sorted dictionary of the trace ids, which are sorted
// already, and adds them to the filter's keys.
func (e *encoder) traceIDs(spans []schema.Span) columnData {
	codes := make([]uint32, len(spans))
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
	d := codedData(codes, dict, n, encoding.CodeWidth(n))
	d.raw = true
	d.stats.SetMin(spans[0].TraceID[:]).SetMax(spans[len(spans)-1].TraceID[:]).SetDistinctCount(int64(n))
	return d
}

// codedData is a column of dictionary codes.
func codedData(codes []uint32, dict []byte, entries, width int) columnData {
	d := columnData{encoding: encodingCodes, dict: dict, entries: entries, cells: len(codes)}
	d.body = func(dst []byte, p pageRows) []byte {
		return encoding.AppendHybrid(append(dst, byte(width)), codes[p.firstCell:p.endCell], width)
	}
	return d
}

// numberData is a column of integers or, as their bits, doubles.
// width is that of the codes for so many entries.
func numberData(values []int64, kind valueKind, width func(entries int) int) columnData {
	codes, entries := numberDictionary(values)
	var d columnData
	if codes != nil {
		d = codedData(codes, encoding.AppendInt64s(nil, entries), len(entries), width(len(entries)))
	} else {
		entries = values
		d = columnData{encoding: encodingDelta, cells: len(values)}
		if kind == kindDouble {
			d.encoding = encodingPlain
		}
		d.body = func(dst []byte, p pageRows) []byte {
			if kind == kindDouble {
				return encoding.AppendInt64s(dst, values[p.firstCell:p.endCell])
			}
			return encoding.AppendDelta(dst, values[p.firstCell:p.endCell])
		}
	}
	if kind == kindInt && len(values) > 0 {
		d.setBounds(entries)
	}
	return d
}

// setBounds gives the least and the most of the values, of which there are
// some, to the footer.
func (d *columnData) setBounds(values []int64) {
	d.stats.SetMin(encoding.AppendInt64s(nil, []int64{slices.Min(values)}))
	d.stats.SetMax(encoding.AppendInt64s(nil, []int64{slices.Max(values)}))
}

// boolData is a column of n bits.
func boolData(values vec.Bitmap, n int) columnData {
	d := columnData{cells: n}
	d.body = func(dst []byte, p pageRows) []byte {
		part := values.Extract(nil, p.firstCell, p.endCell)
		return encoding.AppendBools(dst, part, p.endCell-p.firstCell)
	}
	return d
}

// cellData is a column with nulls.
func cellData(kind valueKind, c *cells) columnData {
	var d columnData
	switch kind {
	case kindInt, kindDouble:
		d = numberData(c.numbers, kind, encoding.CodeWidth)
	case kindBool:
		d = boolData(c.bools, c.n)
	case kindString, kindAny, kindList, numKinds:
		d = textData(&c.texts)
	}
	return d.optional(c.defined, c.n)
}

// optional makes the rows that are not defined null.
func (d columnData) optional(defined vec.Bitmap, cells int) columnData {
	d.defined, d.cells = defined, cells
	return d
}

func (e *encoder) int64s(spans []schema.Span, bounds bool, value func(*schema.Span) int64) columnData {
	values := make([]int64, len(spans))
	for i := range spans {
		values[i] = value(&spans[i])
	}
	d := columnData{encoding: encodingDelta, cells: len(spans)}
	if bounds {
		d.setBounds(values)
	}
	d.body = func(dst []byte, p pageRows) []byte { return encoding.AppendDelta(dst, values[p.from:p.to]) }
	return d
}

// int32s builds a dictionary in the order of first occurrence.
func (e *encoder) int32s(spans []schema.Span, value func(*schema.Span) int32) columnData {
	values := make([]int64, len(spans))
	for i := range spans {
		values[i] = int64(value(&spans[i]))
	}
	codes, entries := numberDictionary(values)
	if codes != nil {
		var dict []byte
		for _, v := range entries {
			dict = binary.LittleEndian.AppendUint32(dict, uint32(v))
		}
		return codedData(codes, dict, len(entries), encoding.CodeWidth(len(entries)))
	}
	return plainData(len(spans), func(dst []byte, row int) []byte {
		return binary.LittleEndian.AppendUint32(dst, uint32(values[row]))
	})
}

// plainData is a column of values that stand one after another.
func plainData(rows int, appendValue func(dst []byte, row int) []byte) columnData {
	d := columnData{cells: rows}
	d.body = func(dst []byte, p pageRows) []byte {
		for row := p.from; row < p.to; row++ {
			dst = appendValue(dst, row)
		}
		return dst
	}
	return d
}

func spanIDs(spans []schema.Span) columnData {
	d := plainData(len(spans), func(dst []byte, row int) []byte { return append(dst, spans[row].SpanID[:]...) })
	d.raw = true
	return d
}

// optionalRows makes the rows for which defined is false null.
func (d columnData) optionalRows(rows int, defined func(row int) bool) columnData {
	bitmap := vec.NewBitmap(rows)
	cells := 0
	for row := range rows {
		if defined(row) {
			bitmap.Set(row)
			cells++
		}
	}
	return d.optional(bitmap, cells)
}

func parentSpanIDs(spans []schema.Span) columnData {
	d := plainData(len(spans), func(dst []byte, row int) []byte {
		if spans[row].ParentSpanID.IsZero() {
			return dst
		}
		return append(dst, spans[row].ParentSpanID[:]...)
	})
	return d.optionalRows(len(spans), func(row int) bool { return !spans[row].ParentSpanID.IsZero() })
}

func payloads(spans []schema.Span, value func(*schema.Span) []byte) columnData {
	d := plainData(len(spans), func(dst []byte, row int) []byte {
		if v := value(&spans[row]); len(v) > 0 {
			return encoding.AppendBytes(dst, v)
		}
		return dst
	})
	return d.optionalRows(len(spans), func(row int) bool { return len(value(&spans[row])) > 0 })
}

func fragmentTimes(spans []schema.Span) columnData {
	var values []int64
	for i := range spans {
		if t := spans[i].FragmentNanos; t != 0 {
			values = append(values, int64(t))
		}
	}
	d := numberData(values, kindInt, encoding.CodeWidth)
	return d.optionalRows(len(spans), func(row int) bool { return spans[row].FragmentNanos != 0 })
}
