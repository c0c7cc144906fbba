package block

import "fmt"

// The columns of a block, in their physical order. All are flat; a column is
// required unless noted. Times are Unix nanoseconds, kept as the bits of an
// unsigned integer.
const (
	ColumnTraceID       = "trace_id"        // fixed 16 bytes, sorted dictionary
	ColumnStart         = "start_unix_nano" // timestamp in nanoseconds, UTC
	ColumnDuration      = "duration_nano"   // int64, end minus start, wraps around
	ColumnName          = "name"            // string
	ColumnKind          = "kind"            // int32, OTLP SpanKind
	ColumnStatusCode    = "status_code"     // int32, OTLP StatusCode
	ColumnServiceName   = "service_name"    // string, "" when the resource has none
	ColumnSpanID        = "span_id"         // fixed 8 bytes
	ColumnParentSpanID  = "parent_span_id"  // fixed 8 bytes, null: no parent
	ColumnStatusMessage = "status_message"  // string, "" when absent
	ColumnTraceState    = "trace_state"     // string, "" when absent
	ColumnFlags         = "flags"           // int32, the bits of OTLP's uint32
	ColumnScopeName     = "scope_name"      // string, "" when absent
	ColumnScopeVersion  = "scope_version"   // string, "" when absent
	ColumnPosition      = "position"        // int64, the bits of the log position
	ColumnResource      = "resource"        // bytes, schema.Resource.Wire
	ColumnScope         = "scope"           // bytes, schema.Scope.Wire
	ColumnAttributes    = "attributes"      // bytes, schema.Span.Attributes, null: empty
	ColumnEvents        = "events"          // bytes, schema.Span.Events, null: empty
	ColumnLinks         = "links"           // bytes, schema.Span.Links, null: empty
	ColumnRest          = "rest"            // bytes, schema.Span.Rest, null: empty
)

// Keys of the footer's key-value metadata.
const (
	metaFormatVersion = "spanlake.format_version"
	metaProject       = "spanlake.project"
	metaSpans         = "spanlake.spans"
	metaTraces        = "spanlake.traces"
)

// columnID is a column's place in the catalogue.
type columnID int

const (
	colTraceID columnID = iota
	colStart
	colDuration
	colName
	colKind
	colStatusCode
	colServiceName
	colSpanID
	colParentSpanID
	colStatusMessage
	colTraceState
	colFlags
	colScopeName
	colScopeVersion
	colPosition
	colResource
	colScope
	colAttributes
	colEvents
	colLinks
	colRest
	numColumns
)

// ColumnSet selects what a Scan reads. The zero value selects everything.
type ColumnSet uint32

// What can be selected. A field that is not selected is zero in the rows, and
// so is its part of Resource and Scope; Resource and Scope are never nil.
const (
	// BaseColumns are always read: trace and span id, times, name, kind,
	// status code and the service name. It is useful alone.
	BaseColumns ColumnSet = 1 << iota
	// ParentColumn selects ParentSpanID.
	ParentColumn
	// StatusMessageColumn selects StatusMessage.
	StatusMessageColumn
	// TraceStateColumns selects TraceState and Flags.
	TraceStateColumns
	// PositionColumn selects Position.
	PositionColumn
	// ResourceColumn selects Resource.Wire.
	ResourceColumn
	// ScopeColumns selects Scope.Wire, Name and Version.
	ScopeColumns
	// AttributesColumn selects Attributes.
	AttributesColumn
	// EventsColumn selects Events.
	EventsColumn
	// LinksColumn selects Links.
	LinksColumn
	// RestColumn selects Rest.
	RestColumn

	// AllColumns selects everything, as the zero value does.
	AllColumns ColumnSet = 1<<iota - 1
)

func (s ColumnSet) has(id columnID) bool {
	return s == 0 || (s|BaseColumns)&columns[id].set != 0
}

// physical is a column's type as the directory numbers it.
type physical uint8

const (
	physicalInt32 physical = iota
	physicalInt64
	physicalFixed8
	physicalFixed16
	physicalBytes
	numPhysical
)

// fixedBytes is the size of a plain value, 0 for one of variable length.
func (p physical) fixedBytes() int {
	return [numPhysical]int{4, 8, 8, 16, 0}[p]
}

// String names the type as schema/README.md does.
func (p physical) String() string {
	if p >= numPhysical {
		return fmt.Sprintf("type %d", uint8(p))
	}
	return [numPhysical]string{"int32", "int64", "fixed 8 bytes", "fixed 16 bytes", "bytes"}[p]
}

// column is an entry of the catalogue.
type column struct {
	name     string
	physical physical
	optional bool
	set      ColumnSet
}

// columns is the catalogue: what this program knows to write and read.
var columns = [numColumns]column{
	colTraceID:       {name: ColumnTraceID, physical: physicalFixed16, set: BaseColumns},
	colStart:         {name: ColumnStart, physical: physicalInt64, set: BaseColumns},
	colDuration:      {name: ColumnDuration, physical: physicalInt64, set: BaseColumns},
	colName:          {name: ColumnName, physical: physicalBytes, set: BaseColumns},
	colKind:          {name: ColumnKind, physical: physicalInt32, set: BaseColumns},
	colStatusCode:    {name: ColumnStatusCode, physical: physicalInt32, set: BaseColumns},
	colServiceName:   {name: ColumnServiceName, physical: physicalBytes, set: BaseColumns},
	colSpanID:        {name: ColumnSpanID, physical: physicalFixed8, set: BaseColumns},
	colParentSpanID:  {name: ColumnParentSpanID, physical: physicalFixed8, optional: true, set: ParentColumn},
	colStatusMessage: {name: ColumnStatusMessage, physical: physicalBytes, set: StatusMessageColumn},
	colTraceState:    {name: ColumnTraceState, physical: physicalBytes, set: TraceStateColumns},
	colFlags:         {name: ColumnFlags, physical: physicalInt32, set: TraceStateColumns},
	colScopeName:     {name: ColumnScopeName, physical: physicalBytes, set: ScopeColumns},
	colScopeVersion:  {name: ColumnScopeVersion, physical: physicalBytes, set: ScopeColumns},
	colPosition:      {name: ColumnPosition, physical: physicalInt64, set: PositionColumn},
	colResource:      {name: ColumnResource, physical: physicalBytes, set: ResourceColumn},
	colScope:         {name: ColumnScope, physical: physicalBytes, set: ScopeColumns},
	colAttributes:    {name: ColumnAttributes, physical: physicalBytes, optional: true, set: AttributesColumn},
	colEvents:        {name: ColumnEvents, physical: physicalBytes, optional: true, set: EventsColumn},
	colLinks:         {name: ColumnLinks, physical: physicalBytes, optional: true, set: LinksColumn},
	colRest:          {name: ColumnRest, physical: physicalBytes, optional: true, set: RestColumn},
}

// columnByName returns the catalogue's column of the name, or numColumns.
func columnByName(name string) columnID {
	for id := range numColumns {
		if columns[id].name == name {
			return id
		}
	}
	return numColumns
}
