package block

import (
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// fixedCells are the values of the fixed columns in one row group. They are
// gathered from some rows at a time, while these are in the processor's cache.
type fixedCells struct {
	traceIDs []byte   // the different ones
	traces   []uint32 // by row: codes for them

	starts, durations, positions         []int64
	kinds, statusCodes, flags, fragments []int32
	spanIDs                              []byte
	parentSpanIDs                        []byte // of the rows that have one
	hasParent                            vec.Bitmap
	fragmentTimes                        *cells
	names, statusMessages, traceStates   texts
	events, links, rests                 *cells
	minStart, maxEnd                     uint64
	rows                                 int
}

func newFixedCells(rows int) *fixedCells {
	f := &fixedCells{
		traces: make([]uint32, 0, rows),
		starts: make([]int64, 0, rows), durations: make([]int64, 0, rows), positions: make([]int64, 0, rows),
		kinds: make([]int32, 0, rows), statusCodes: make([]int32, 0, rows),
		flags: make([]int32, 0, rows), fragments: make([]int32, 0, rows),
		spanIDs: make([]byte, 0, rows*len(schema.SpanID{})), parentSpanIDs: make([]byte, 0, rows*len(schema.SpanID{})),
		hasParent:     vec.NewBitmap(rows),
		fragmentTimes: newCells(rows), events: newCells(rows), links: newCells(rows), rests: newCells(rows),
	}
	for _, t := range []*texts{&f.names, &f.statusMessages, &f.traceStates} {
		t.maxDict = maxDictBytes
		t.expect(rows)
	}
	for _, c := range []*cells{f.events, f.links, f.rests} {
		c.texts.plain = true
	}
	return f
}

// add takes the next rows, column after column.
func (f *fixedCells) add(rows []*schema.Span) {
	f.addIDs(rows)
	for _, s := range rows {
		f.starts = append(f.starts, int64(s.StartNanos))
		f.durations = append(f.durations, s.DurationNanos())
		f.positions = append(f.positions, int64(s.Position))
		f.kinds = append(f.kinds, s.Kind)
		f.statusCodes = append(f.statusCodes, s.StatusCode)
		f.flags = append(f.flags, int32(s.Flags))
		f.fragments = append(f.fragments, int32(s.Fragment))
	}
	for _, s := range rows {
		f.names.add(s.Name)
	}
	for i, s := range rows {
		f.statusMessages.add(s.StatusMessage)
		f.traceStates.add(s.TraceState)
		f.events.addPayload(f.rows+i, s.Events)
		f.links.addPayload(f.rows+i, s.Links)
		f.rests.addPayload(f.rows+i, s.Rest)
		if s.FragmentNanos != 0 {
			f.fragmentTimes.define(f.rows + i)
			f.fragmentTimes.numbers = append(f.fragmentTimes.numbers, int64(s.FragmentNanos))
		}
	}
	f.rows += len(rows)
}

// addIDs takes the ids, and the times of the group.
func (f *fixedCells) addIDs(rows []*schema.Span) {
	for i, s := range rows {
		if last := len(f.traceIDs) - len(s.TraceID); last < 0 || schema.TraceID(f.traceIDs[last:]) != s.TraceID {
			f.traceIDs = append(f.traceIDs, s.TraceID[:]...)
		}
		f.traces = append(f.traces, uint32(len(f.traceIDs)/len(s.TraceID)-1))
		f.spanIDs = append(f.spanIDs, s.SpanID[:]...)
		if !s.ParentSpanID.IsZero() {
			f.hasParent.Set(f.rows + i)
			f.parentSpanIDs = append(f.parentSpanIDs, s.ParentSpanID[:]...)
		}
		if f.rows+i == 0 {
			f.minStart = s.StartNanos
		}
		f.minStart, f.maxEnd = min(f.minStart, s.StartNanos), max(f.maxEnd, s.StartNanos, s.EndNanos)
	}
}

// addPayload makes b, unless it is empty, the value of the row.
func (c *cells) addPayload(row int, b []byte) {
	if len(b) > 0 {
		c.define(row)
		c.texts.add(alias(b))
	}
}

// trace is the trace id of a code.
func (f *fixedCells) trace(code int) schema.TraceID {
	return schema.TraceID(f.traceIDs[code*len(schema.TraceID{}):])
}

// data returns a column that has nothing but numbers, ids and own texts, and lets
// go of it.
func (f *fixedCells) data(id columnID) columnData {
	switch id {
	case colTraceID:
		return f.traceIDData()
	case colStart:
		return deltaData(taken(&f.starts), true)
	case colDuration:
		return deltaData(taken(&f.durations), true)
	case colPosition:
		return deltaData(taken(&f.positions), false)
	case colKind:
		return int32Data(taken(&f.kinds))
	case colStatusCode:
		return int32Data(taken(&f.statusCodes))
	case colFlags:
		return int32Data(taken(&f.flags))
	case colFragment:
		return int32Data(taken(&f.fragments))
	case colFragmentTime:
		return cellData(kindInt, taken(&f.fragmentTimes))
	case colSpanID:
		d := idData(taken(&f.spanIDs))
		d.raw = true
		return d
	case colParentSpanID:
		d := idData(taken(&f.parentSpanIDs))
		return d.optional(f.hasParent, d.cells)
	case colName:
		return ownTexts(taken(&f.names))
	case colStatusMessage:
		return ownTexts(taken(&f.statusMessages))
	case colTraceState:
		return ownTexts(taken(&f.traceStates))
	case colEvents:
		return cellData(kindString, taken(&f.events))
	case colLinks:
		return cellData(kindString, taken(&f.links))
	case colRest:
		return cellData(kindString, taken(&f.rests))
	default:
		return columnData{} // of a catalogue that is larger than this one
	}
}

// traceIDData has the sorted dictionary of the trace ids, which are sorted
// already.
func (f *fixedCells) traceIDData() columnData {
	size := len(schema.TraceID{})
	n := len(f.traceIDs) / size
	d := codedData(f.traces, f.traceIDs, n, encoding.CodeWidth(n))
	d.raw = true
	d.stats.Min, d.stats.Max, d.stats.Distinct = f.traceIDs[:size], f.traceIDs[len(f.traceIDs)-size:], n
	return d
}

// deltaData is a column of integers that hardly repeat.
func deltaData(values []int64, bounds bool) columnData {
	d := columnData{encoding: encodingDelta, cells: len(values)}
	if bounds {
		d.setBounds(values)
	}
	d.body = func(dst []byte, p pageRows) []byte { return encoding.AppendDelta(dst, values[p.firstCell:p.endCell]) }
	return d
}

// int32Data builds a dictionary in the order of first occurrence.
func int32Data(values []int32) columnData {
	if codes, entries := numberDictionary(values); codes != nil {
		return codedData(codes, encoding.AppendInt32s(nil, entries), len(entries), encoding.CodeWidth(len(entries)))
	}
	d := columnData{cells: len(values)}
	d.body = func(dst []byte, p pageRows) []byte { return encoding.AppendInt32s(dst, values[p.firstCell:p.endCell]) }
	return d
}

// idData is a column of span ids that stand one after another.
func idData(ids []byte) columnData {
	size := len(schema.SpanID{})
	d := columnData{cells: len(ids) / size}
	d.body = func(dst []byte, p pageRows) []byte { return append(dst, ids[size*p.firstCell:size*p.endCell]...) }
	return d
}

// ownTexts is a column of texts that each row has for itself.
func ownTexts(t texts) columnData {
	t.finish()
	return textData(&t)
}

// taken returns what v holds and empties it, so that its memory is free when the
// caller is done with it.
func taken[T any](v *T) T {
	var empty T
	held := *v
	*v = empty
	return held
}
