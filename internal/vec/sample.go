package vec

import "github.com/spanlake/spanlake/schema"

// Column is a value of each row: that of the first of the fields which the row
// has and which is not empty. Of intrinsics only Name, Kind, StatusCode,
// StatusMessage, ScopeName, ScopeVersion and, as a number, Duration are columns,
// of scopes those of the span, its resource and its instrumentation scope.
type Column []Field

// Sampling says what to read of which rows.
type Sampling struct {
	// Filter must hold for the rows.
	Filter *Filter
	// After and Until allow to leave out rows that do not start in
	// (After, Until], Unix nanoseconds.
	After, Until uint64
	// Except are traces to leave out, in ascending order.
	Except []schema.TraceID
	// Folded are traces of which it is known which rows stay, in ascending
	// order: they are not left out for having rows to fold.
	Folded []Folded

	Groups []Column
	Number Column // nil for none
	Shown  []Column
}

// Folded tells which rows of a trace do not stay when the rows of all sources
// are folded.
type Folded struct {
	ID schema.TraceID
	// Out are the places of these rows among all that the source has of the
	// trace, in the order of schema.Compare, ascending.
	Out []int32
	// Kin, in a Tabulation never nil, is what the whole trace says of its rows.
	Kin *Kin
}

// Kin is what a row does not say of itself.
type Kin struct {
	RootName, RootService string
	Children              []int32 // by place of the row, as in Folded.Out
}

// Samples are some rows, column by column, valid until the next are yielded.
type Samples struct {
	// Sorted says that the rows, those of the next Samples too, are in the
	// order of their trace ids.
	Sorted  bool
	Starts  []uint64 // Unix nanoseconds
	Groups  []Codes  // by Sampling.Groups
	Numbers Numbers

	// Trace is the trace of a row, Show the values of Sampling.Shown, which
	// the caller may keep. They are meant for few rows.
	Trace func(row int) (schema.TraceID, error)
	Show  func(row int) ([]schema.Value, error)
}

// Codes are values of rows by their places in a dictionary. One dictionary
// serves many Samples, and grows.
type Codes struct {
	Dictionary *Dictionary
	Codes      []uint32
}

// NumberKind says what a row has of a number.
type NumberKind uint8

// What a row may have.
const (
	NoNumber NumberKind = iota
	Int                 // Words are ints
	Float               // Words are the bits of floats
)

// Numbers are those of rows; empty without Sampling.Number.
type Numbers struct {
	Kinds []NumberKind
	Words []uint64
}
