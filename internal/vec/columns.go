package vec

// Columns selects what a reader fills in of a row besides what every row has:
// ids, parent id, times, name, kind, status code and message, the resource's
// service name, and name and version of the scope.
type Columns struct {
	// Bare leaves out all that every row has but trace id, span id and times,
	// except Intrinsics: keys of ScopeIntrinsic.
	Bare       bool
	Intrinsics []string

	Resource   bool // Resource.Wire
	Scope      bool // Scope.Wire
	Attributes bool // all of Span.Attributes and Span.Derived
	Events     bool // Span.Events
	Links      bool // Span.Links
	Rest       bool // what only a whole trace needs: Rest, TraceState, Flags, Position, Fragment

	// Keys are the attributes of the span to fill in where Attributes is
	// false. Others may be missing from Span.Attributes and Span.Derived.
	Keys []string
}

// AllColumns fill in everything.
func AllColumns() Columns {
	return Columns{Resource: true, Scope: true, Attributes: true, Events: true, Links: true, Rest: true}
}
