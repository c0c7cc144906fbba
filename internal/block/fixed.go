package block

import (
	"github.com/spanlake/spanlake/internal/block/cells"
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
	fragmentTimes                        *cells.Cells
	names, statusMessages, traceStates   *cells.Texts
	events, links, rests                 *cells.Cells
	minStart, maxEnd                     uint64
	rows                                 int
}

func newFixedCells(rows int) *fixedCells {
	return &fixedCells{
		traces: make([]uint32, 0, rows),
		starts: make([]int64, 0, rows), durations: make([]int64, 0, rows), positions: make([]int64, 0, rows),
		kinds: make([]int32, 0, rows), statusCodes: make([]int32, 0, rows),
		flags: make([]int32, 0, rows), fragments: make([]int32, 0, rows),
		spanIDs: make([]byte, 0, rows*len(schema.SpanID{})), parentSpanIDs: make([]byte, 0, rows*len(schema.SpanID{})),
		hasParent:     vec.NewBitmap(rows),
		fragmentTimes: cells.NewNumbers(cells.Int, rows, 0),
		names:         cells.NewTexts(maxDictBytes, rows, nil), statusMessages: cells.NewTexts(maxDictBytes, rows, nil),
		traceStates: cells.NewTexts(maxDictBytes, rows, nil),
		events:      payloads(rows), links: payloads(rows), rests: payloads(rows),
	}
}

// payloads are cells of messages, which have no dictionary.
func payloads(rows int) *cells.Cells { return cells.NewOptional(rows, cells.NewTexts(0, 0, nil)) }

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
		f.names.Add(s.Name)
	}
	for i, s := range rows {
		f.statusMessages.Add(s.StatusMessage)
		f.traceStates.Add(s.TraceState)
		addPayload(f.events, f.rows+i, s.Events)
		addPayload(f.links, f.rows+i, s.Links)
		addPayload(f.rests, f.rows+i, s.Rest)
		if s.FragmentNanos != 0 {
			f.fragmentTimes.AddNumber(f.rows+i, int64(s.FragmentNanos))
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
			f.minStart = s.FirstNanos()
		}
		f.minStart, f.maxEnd = min(f.minStart, s.FirstNanos()), max(f.maxEnd, s.LastNanos())
	}
}

// addPayload makes b, unless it is empty, the value of the row.
func addPayload(c *cells.Cells, row int, b []byte) {
	if len(b) > 0 {
		c.AddText(row, alias(b))
	}
}

// trace is the trace id of a code.
func (f *fixedCells) trace(code int) schema.TraceID {
	return schema.TraceID(f.traceIDs[code*len(schema.TraceID{}):])
}

// column returns a column that has nothing but numbers, ids and own texts, and
// lets go of it.
func (f *fixedCells) column(id columnID) cells.Column {
	switch id {
	case colTraceID:
		return f.traceIDColumn()
	case colStart:
		return cells.BoundedDeltas(taken(&f.starts))
	case colDuration:
		return cells.BoundedDeltas(taken(&f.durations))
	case colPosition:
		return cells.Deltas(taken(&f.positions))
	case colKind:
		return cells.Int32s(taken(&f.kinds))
	case colStatusCode:
		return cells.Int32s(taken(&f.statusCodes))
	case colFlags:
		return cells.Int32s(taken(&f.flags))
	case colFragment:
		return cells.Int32s(taken(&f.fragments))
	case colFragmentTime:
		return taken(&f.fragmentTimes).Column()
	case colSpanID:
		d := cells.Fixed(taken(&f.spanIDs), len(schema.SpanID{}))
		d.Random = true
		return d
	case colParentSpanID:
		d := cells.Fixed(taken(&f.parentSpanIDs), len(schema.SpanID{}))
		return d.Optional(f.hasParent, d.Values)
	case colName:
		return taken(&f.names).Column()
	case colStatusMessage:
		return taken(&f.statusMessages).Column()
	case colTraceState:
		return taken(&f.traceStates).Column()
	case colEvents:
		return taken(&f.events).Column()
	case colLinks:
		return taken(&f.links).Column()
	case colRest:
		return taken(&f.rests).Column()
	default:
		return cells.Column{} // of a catalogue that is larger than this one
	}
}

// traceIDColumn has the sorted dictionary of the trace ids, which are sorted already.
func (f *fixedCells) traceIDColumn() cells.Column {
	size := len(schema.TraceID{})
	d := cells.Coded(f.traces, f.traceIDs, len(f.traceIDs)/size)
	d.Random = true
	d.Stats.Min, d.Stats.Max, d.Stats.Distinct = f.traceIDs[:size], f.traceIDs[len(f.traceIDs)-size:], d.Entries
	return d
}

// taken returns what v holds and empties it, so that its memory is free when the
// caller is done with it.
func taken[T any](v *T) T {
	var empty T
	held := *v
	*v = empty
	return held
}
