package vec

import "github.com/spanlake/spanlake/schema"

// Tabulation says which rows to count the values of.
type Tabulation struct {
	Filter    *Filter // must hold for the rows
	Selection *Filter // says which of them are selected
	// After and Until allow to leave out rows that do not start in
	// (After, Until], Unix nanoseconds.
	After, Until uint64
	// Except are traces to leave out, in ascending order.
	Except []schema.TraceID
	// Folded are as in a Sampling: traces of which the source may have a part.
	Folded []Folded
	// Cell is where a row counts, below Cells; negative for nowhere.
	Cell  func(startNanos uint64, selected bool) int32
	Cells int
	// MaxValues and MaxText are how many values of a field are told apart, and
	// how many bytes they may have.
	MaxValues, MaxText int
}

// Keys of ScopeIntrinsic that only a table has.
const (
	RootName    = "root_name"    // text, of the trace's root
	RootService = "root_service" // text, likewise
	ChildCount  = "child_count"  // int
)

// Table takes what a source counts. It may be told of one value several times.
// Values and texts are valid during the call; counts are by cell.
type Table interface {
	// TellsApart is false if it is known that a field has too many values: Many
	// is enough.
	TellsApart(field Field) bool
	// Value takes the rows that have a value, which may be empty.
	Value(field Field, v schema.Value, counts []uint32) error
	// Many takes rows of which a field has more values than are told apart.
	Many(field Field, counts []uint32) error
	// Attributes takes rows that share the attributes of their resource or
	// scope.
	Attributes(scope Scope, attributes []schema.Attribute, counts []uint32) error
	// One takes one row's value.
	One(field Field, v schema.Value, cell int32) error
	// Members takes the events and links of one row.
	Members(events, links []byte, cell int32) error
}
