package vec

// Scope says what a Field belongs to.
type Scope uint8

// The scopes of a Field.
const (
	ScopeIntrinsic       Scope = iota // the span itself; Key is one of the names below
	ScopeSpan                         // its derived attributes, then those that were sent
	ScopeResource                     // attributes of its resource
	ScopeInstrumentation              // attributes of its instrumentation scope
	ScopeEvent                        // attributes of any of its events
	ScopeLink                         // attributes of any of its links
)

// Keys of ScopeIntrinsic. Every row has all of them but the event's name.
const (
	Name          = "name"           // text
	Kind          = "kind"           // int, OTLP SpanKind
	StatusCode    = "status_code"    // int, OTLP StatusCode
	StatusMessage = "status_message" // text
	Duration      = "duration_nano"  // int, nanoseconds
	ServiceName   = "service_name"   // text, "" when the resource has none
	ScopeName     = "scope_name"     // text
	ScopeVersion  = "scope_version"  // text
	EventName     = "event_name"     // text, of any event
)

// ParentID is a key of ScopeIntrinsic for Columns only: no predicate knows it.
const ParentID = "parent_span_id"

// Field names what a predicate looks at.
type Field struct {
	Scope Scope
	Key   string
}
