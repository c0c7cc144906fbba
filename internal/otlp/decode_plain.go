package otlp

import (
	"encoding/binary"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// Tags of the fields of a span that plainSpan reads.
const (
	tagTraceID      = spanTraceID<<3 | byte(protowire.BytesType)
	tagSpanID       = spanSpanID<<3 | byte(protowire.BytesType)
	tagTraceState   = spanTraceState<<3 | byte(protowire.BytesType)
	tagParentSpanID = spanParentSpanID<<3 | byte(protowire.BytesType)
	tagName         = spanName<<3 | byte(protowire.BytesType)
	tagKind         = spanKind<<3 | byte(protowire.VarintType)
	tagStart        = spanStart<<3 | byte(protowire.Fixed64Type)
	tagEnd          = spanEnd<<3 | byte(protowire.Fixed64Type)
	tagAttributes   = spanAttributes<<3 | byte(protowire.BytesType)
	tagEvents       = spanEvents<<3 | byte(protowire.BytesType)
	tagLinks        = spanLinks<<3 | byte(protowire.BytesType)
	tagStatus       = spanStatus<<3 | byte(protowire.BytesType)

	// The tag of the flags has two bytes.
	tagFlags       = spanFlags<<3&0x7f | 0x80 | byte(protowire.Fixed32Type)
	tagFlagsBehind = spanFlags >> 4

	tagStatusMessage = statusMessage<<3 | byte(protowire.BytesType)
	tagStatusCode    = statusCode<<3 | byte(protowire.VarintType)
)

// plainSpan fills a row from a Span message if that is written the way encoders
// do: only known fields, in any order, singular ones once and repeated ones side
// by side, lengths in their shortest form, nothing that a column cannot hold.
// Else it is false and the row may be filled in part: then spanParser, which
// reads any message, has to fill it from the beginning.
func plainSpan(b []byte, row *schema.Span) bool {
	seen := uint32(0) // fields, by number
	for i := 0; i < len(b); {
		tag := b[i]
		field := uint32(1) << (tag >> 3)
		if seen&field != 0 {
			return false
		}
		seen |= field
		var ok bool
		switch tag {
		case tagAttributes:
			row.Attributes, i, ok = plainRun(b, i)
		case tagEvents:
			row.Events, i, ok = plainRun(b, i)
		case tagLinks:
			row.Links, i, ok = plainRun(b, i)
		case tagStart, tagEnd, tagKind, tagFlags:
			i, ok = plainNumber(b, i, row)
		default:
			var body int
			if i, body, ok = shortLength(b, i+1); ok {
				ok = plainText(tag, b[body:i], row)
			}
		}
		if !ok {
			return false
		}
	}
	return !row.TraceID.IsZero() && !row.SpanID.IsZero()
}

// plainRun returns the fields from b[i] on that have the same tag, and where
// they end.
func plainRun(b []byte, i int) (run []byte, end int, ok bool) {
	end = i
	for end < len(b) && b[end] == b[i] {
		if end, _, ok = shortLength(b, end+1); !ok {
			return nil, 0, false
		}
	}
	return b[i:end:end], end, true
}

// plainNumber reads the field of a number at b[i] and returns where it ends.
func plainNumber(b []byte, i int, row *schema.Span) (end int, ok bool) {
	rest := b[i+1:]
	switch tag := b[i]; {
	case tag == tagStart && len(rest) >= 8:
		row.StartNanos = binary.LittleEndian.Uint64(rest)
		return i + 9, true
	case tag == tagEnd && len(rest) >= 8:
		row.EndNanos = binary.LittleEndian.Uint64(rest)
		return i + 9, true
	case tag == tagKind && len(rest) >= 1 && rest[0] < 0x80:
		row.Kind = int32(rest[0])
		return i + 2, true
	case tag == tagFlags && len(rest) >= 5 && rest[0] == tagFlagsBehind:
		row.Flags = binary.LittleEndian.Uint32(rest[1:])
		return i + 6, true
	}
	return 0, false
}

// plainText takes the contents of a field that has a length.
func plainText(tag byte, body []byte, row *schema.Span) bool {
	switch tag {
	case tagTraceID:
		if len(body) == len(row.TraceID) {
			row.TraceID = schema.TraceID(body)
		}
		return true // of the wrong length it stays zero
	case tagSpanID:
		if len(body) == len(row.SpanID) {
			row.SpanID = schema.SpanID(body)
		}
		return true
	case tagTraceState:
		row.TraceState = alias(body)
		return utf8.Valid(body)
	case tagName:
		row.Name = alias(body)
		return utf8.Valid(body)
	case tagParentSpanID:
		if len(body) == len(row.ParentSpanID) {
			row.ParentSpanID = schema.SpanID(body)
			return !row.ParentSpanID.IsZero()
		}
		return len(body) == 0
	case tagStatus:
		return plainStatus(body, row)
	default:
		return false
	}
}

// plainStatus takes a message and then a code, or one of them.
func plainStatus(b []byte, row *schema.Span) bool {
	if len(b) > 0 && b[0] == tagStatusMessage {
		end, body, ok := shortLength(b, 1)
		if !ok || !utf8.Valid(b[body:end]) {
			return false
		}
		row.StatusMessage = alias(b[body:end])
		b = b[end:]
	}
	if len(b) == 2 && b[0] == tagStatusCode && b[1] < 0x80 {
		row.StatusCode = int32(b[1])
		b = nil
	}
	return len(b) == 0
}
