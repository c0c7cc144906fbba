package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// TraceIDOf is the trace id of an id as clients of other protocols than OTLP have
// it: the bytes of a UUID or of 32 hexadecimal digits; of any other text the first
// bytes of its SHA-256.
func TraceIDOf(id string) TraceID {
	if trace, ok := sixteenBytes(id); ok && !trace.IsZero() {
		return trace
	}
	sum := sha256.Sum256([]byte(id))
	return TraceID(sum[:len(TraceID{})])
}

// SpanIDOf is the span id of an id as such a client has it. One of 16 bytes is hashed,
// not cut: ids that are made in one millisecond may have their first eight bytes, and
// more, in common.
func SpanIDOf(id string) SpanID {
	bytes := []byte(id)
	if trace, ok := sixteenBytes(id); ok && !trace.IsZero() {
		bytes = trace[:]
	} else if span, err := ParseSpanID(id); err == nil && len(id) == 2*len(span) && !span.IsZero() {
		return span
	}
	sum := sha256.Sum256(bytes)
	return SpanID(sum[:len(SpanID{})])
}

func sixteenBytes(id string) (trace TraceID, ok bool) {
	digits := strings.ReplaceAll(id, "-", "")
	if len(digits) != hex.EncodedLen(len(trace)) || len(digits) != len(id) && !isUUID(id) {
		return trace, false
	}
	_, err := hex.Decode(trace[:], []byte(digits))
	return trace, err == nil
}

// isUUID reports whether the dashes are where a UUID has them.
func isUUID(id string) bool {
	return len(id) == 36 && id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-'
}
