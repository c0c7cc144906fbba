package vec

import "github.com/spanlake/spanlake/schema"

// Held lists the traces of a source, each list in ascending order.
type Held struct {
	IDs []schema.TraceID // all of them
	// Unfolded are those with several rows of one span, or with fragments.
	Unfolded []schema.TraceID
}

// SpanIDs are the span ids of the rows of some traces, one trace after the
// other, as big-endian numbers.
type SpanIDs struct {
	Counts []int32 // by trace
	IDs    []uint64
}
