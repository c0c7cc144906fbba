package vec

import "github.com/spanlake/spanlake/schema"

// Hit is a trace that has rows for which a filter holds. The times are those
// of all its rows in one place, Unix nanoseconds.
type Hit struct {
	ID         schema.TraceID
	StartNanos uint64 // earliest start
	LastNanos  uint64 // latest start
	EndNanos   uint64 // latest start or end
	// Matched is the number of rows for which the filter holds, as they are;
	// math.MaxInt32 of a trace that is no hit for its rows.
	Matched int
	// Folded says that no two of the rows are of the same span and none is a
	// fragment: if no other place has the trace, the times are the trace's.
	Folded bool
}
