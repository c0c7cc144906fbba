package ingester

import "github.com/spanlake/spanlake/schema"

// TraceIDOf is schema.TraceIDOf, for adapters.
func TraceIDOf(id string) schema.TraceID { return schema.TraceIDOf(id) }

// SpanIDOf is schema.SpanIDOf, for adapters.
func SpanIDOf(id string) schema.SpanID { return schema.SpanIDOf(id) }
