package vec

import "github.com/spanlake/spanlake/schema"

// Summary is what the answer to a search says of a trace, all of whose rows are
// in one place.
type Summary struct {
	Hit

	LastEnd uint64 // latest end, Unix nanoseconds; 0 if no row has one

	// RootName and RootService are those of the first row without a parent,
	// "" if there is none.
	RootName, RootService string
	Spans                 []schema.Span // the first that matched, in the order of schema.Compare
	Services              []ServiceCount
}

// ServiceCount counts rows of a trace by the service name of their resource.
type ServiceCount struct {
	Service string
	Rows    uint32
	Failed  uint32 // of these, those with the status error
}
