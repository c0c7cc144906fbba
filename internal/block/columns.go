package block

import "fmt"

// The fixed columns of a block. All are flat; a column is required unless
// noted. Times are Unix nanoseconds, kept as the bits of an unsigned integer.
// Attributes have further columns, see attribute.
const (
	ColumnTraceID       = "trace_id"           // fixed 16 bytes, sorted dictionary
	ColumnStart         = "start_unix_nano"    // timestamp in nanoseconds, UTC
	ColumnDuration      = "duration_nano"      // int64, end minus start, wraps around
	ColumnName          = "name"               // string
	ColumnKind          = "kind"               // int32, OTLP SpanKind
	ColumnStatusCode    = "status_code"        // int32, OTLP StatusCode
	ColumnServiceName   = "service_name"       // string, "" when the resource has none
	ColumnSpanID        = "span_id"            // fixed 8 bytes
	ColumnParentSpanID  = "parent_span_id"     // fixed 8 bytes, null: no parent
	ColumnStatusMessage = "status_message"     // string, "" when absent
	ColumnTraceState    = "trace_state"        // string, "" when absent
	ColumnFlags         = "flags"              // int32, the bits of OTLP's uint32
	ColumnScopeName     = "scope_name"         // string, "" when absent
	ColumnScopeVersion  = "scope_version"      // string, "" when absent
	ColumnPosition      = "position"           // int64, the bits of the log position
	ColumnFragment      = "fragment"           // int32, schema.Fragment
	ColumnFragmentTime  = "fragment_unix_nano" // int64, null: 0
	ColumnResource      = "resource"           // bytes, schema.Resource.Wire
	ColumnScope         = "scope"              // bytes, schema.Scope.Wire
	ColumnShape         = "shape"              // bytes: how Attributes is put together
	ColumnDerivedShape  = "derived_shape"      // bytes: likewise Derived
	ColumnEventName     = "event_name"         // string, JSON list of the events' names, null: no events
	ColumnAttributes    = "attributes"         // bytes, what of schema.Span.Attributes is in no column, null: empty
	ColumnDerived       = "derived"            // bytes, likewise of schema.Span.Derived
	ColumnEvents        = "events"             // bytes, schema.Span.Events, null: empty
	ColumnLinks         = "links"              // bytes, schema.Span.Links, null: empty
	ColumnRest          = "rest"               // bytes, schema.Span.Rest, null: empty
)

// Keys of the footer's key-value metadata.
const (
	metaFormatVersion = "spanlake.format_version"
	metaProject       = "spanlake.project"
	metaSpans         = "spanlake.spans"
	metaTraces        = "spanlake.traces"
	metaSifted        = "spanlake.sifted"       // MergeOptions.Sifted, if it is not empty
	metaNorm          = "spanlake.norm_version" // Derivation, if it is known
	metaTables        = "spanlake.price_tables" // likewise
)

// columnID is a fixed column's place in the catalogue.
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
	colFragment
	colFragmentTime
	colResource
	colScope
	colShape
	colDerivedShape
	colEventName
	colAttributes
	colDerived
	colEvents
	colLinks
	colRest
	numColumns
)

// physical is a column's type as the directory numbers it.
type physical uint8

const (
	physicalInt32 physical = iota
	physicalInt64
	physicalFixed8
	physicalFixed16
	physicalBytes
	physicalDouble
	physicalBool
	numPhysical
)

// fixedBytes is the size of a plain value, 0 for one of variable length and
// for a bit.
func (p physical) fixedBytes() int {
	return [numPhysical]int{4, 8, 8, 16, 0, 8, 0}[p]
}

// String names the type as schema/README.md does.
func (p physical) String() string {
	if p >= numPhysical {
		return fmt.Sprintf("type %d", uint8(p))
	}
	return [numPhysical]string{"int32", "int64", "fixed 8 bytes", "fixed 16 bytes", "bytes", "double", "bool"}[p]
}

// column is an entry of the catalogue.
type column struct {
	name     string
	physical physical
	optional bool
	text     bool // bytes that are always UTF-8
}

// columns is the catalogue: the fixed columns that this program knows.
var columns = [numColumns]column{
	colTraceID:       {name: ColumnTraceID, physical: physicalFixed16},
	colStart:         {name: ColumnStart, physical: physicalInt64},
	colDuration:      {name: ColumnDuration, physical: physicalInt64},
	colName:          {name: ColumnName, physical: physicalBytes, text: true},
	colKind:          {name: ColumnKind, physical: physicalInt32},
	colStatusCode:    {name: ColumnStatusCode, physical: physicalInt32},
	colServiceName:   {name: ColumnServiceName, physical: physicalBytes, text: true},
	colSpanID:        {name: ColumnSpanID, physical: physicalFixed8},
	colParentSpanID:  {name: ColumnParentSpanID, physical: physicalFixed8, optional: true},
	colStatusMessage: {name: ColumnStatusMessage, physical: physicalBytes, text: true},
	colTraceState:    {name: ColumnTraceState, physical: physicalBytes, text: true},
	colFlags:         {name: ColumnFlags, physical: physicalInt32},
	colScopeName:     {name: ColumnScopeName, physical: physicalBytes, text: true},
	colScopeVersion:  {name: ColumnScopeVersion, physical: physicalBytes, text: true},
	colPosition:      {name: ColumnPosition, physical: physicalInt64},
	colFragment:      {name: ColumnFragment, physical: physicalInt32},
	colFragmentTime:  {name: ColumnFragmentTime, physical: physicalInt64, optional: true},
	colResource:      {name: ColumnResource, physical: physicalBytes},
	colScope:         {name: ColumnScope, physical: physicalBytes},
	colShape:         {name: ColumnShape, physical: physicalBytes},
	colDerivedShape:  {name: ColumnDerivedShape, physical: physicalBytes},
	colEventName:     {name: ColumnEventName, physical: physicalBytes, optional: true, text: true},
	colAttributes:    {name: ColumnAttributes, physical: physicalBytes, optional: true},
	colDerived:       {name: ColumnDerived, physical: physicalBytes, optional: true},
	colEvents:        {name: ColumnEvents, physical: physicalBytes, optional: true},
	colLinks:         {name: ColumnLinks, physical: physicalBytes, optional: true},
	colRest:          {name: ColumnRest, physical: physicalBytes, optional: true},
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
