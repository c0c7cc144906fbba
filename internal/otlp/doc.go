// Package otlp turns OTLP trace payloads into rows and back without going
// through message objects: requests are split by trace on the wire, validated
// down to the last attribute value, decoded once into schema.Span, and encoded
// again as protobuf or proto3 JSON.
//
// Messages and field numbers are those of opentelemetry.proto.trace.v1 and
// common.v1. Protobuf's rules hold everywhere: fields come in any order, of a
// repeated singular field the last one counts, parts of a split sub-message are
// merged, and unknown fields (groups too) are kept. Two rules are stricter: a
// known field of the wrong wire type is an error, and AnyValues nest at most
// MaxDepth deep.
package otlp

import "errors"

// ErrMalformed is wrapped by every error about bytes that are not the message
// they should be. The sender must change the message; a retry is useless.
var ErrMalformed = errors.New("malformed trace data")

// MaxDepth is how deep AnyValues may nest: an attribute's own value has depth 1.
// Deeper values are rejected with their span.
const MaxDepth = 64
