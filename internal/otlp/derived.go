package otlp

import (
	"bytes"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// WithDerived returns spans with what was derived of them among their attributes,
// in the place of what was sent under the same keys: as queries see them, not as
// they were sent. It does not change spans.
func WithDerived(spans []schema.Span) []schema.Span {
	if !slices.ContainsFunc(spans, func(s schema.Span) bool { return len(s.Derived) > 0 }) {
		return spans
	}
	spans = slices.Clone(spans)
	for i := range spans {
		if s := &spans[i]; len(s.Derived) > 0 {
			s.Attributes, s.Derived = overlaid(s.Attributes, s.Derived), nil
		}
	}
	return spans
}

// overlaid are the sent attributes whose keys no derived one has, and these.
func overlaid(sent, derived []byte) []byte {
	var keys [][]byte
	for kv := SpanKeyValues(derived); kv.Next(); {
		keys = append(keys, kv.Key)
	}
	out := make([]byte, 0, len(sent)+len(derived))
	for kv := SpanKeyValues(sent); kv.Next(); {
		if !slices.ContainsFunc(keys, func(key []byte) bool { return bytes.Equal(key, kv.Key) }) {
			out = append(out, kv.Field...)
		}
	}
	return append(out, derived...)
}
