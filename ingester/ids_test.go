package ingester_test

import (
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/schema"
)

func TestIDs(t *testing.T) {
	sum := func(text string) (schema.TraceID, schema.SpanID) {
		s := sha256.Sum256([]byte(text))
		return schema.TraceID(s[:16]), schema.SpanID(s[:8])
	}
	sixteen := schema.TraceID{0x5f, 0xf6, 0xd8, 0xee, 0x78, 0x99, 0x45, 0x58, 0xaa, 0x8b, 0x83, 0x9d, 0xea, 0x82, 0x51, 0x83}
	_, hashed := sum(string(sixteen[:]))
	for _, tt := range []struct {
		name, id string
		trace    schema.TraceID
		span     schema.SpanID
	}{
		{"a UUID", "5ff6d8ee-7899-4558-aa8b-839dea825183", sixteen, hashed},
		{"in upper case", "5FF6D8EE-7899-4558-AA8B-839DEA825183", sixteen, hashed},
		{"without dashes", "5ff6d8ee78994558aa8b839dea825183", sixteen, hashed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.trace, ingester.TraceIDOf(tt.id))
			require.Equal(t, tt.span, ingester.SpanIDOf(tt.id))
		})
	}
	for _, id := range []string{
		"", "x", "00000000000000000000000000000000", "5ff6d8ee7-899-4558-aa8b-839dea825183", "5ff6d8ee78994558aa8b839dea82518z",
		"0000000000000000", "time-12-00-00_chatcmpl-1",
	} {
		trace, span := sum(id)
		require.Equal(t, trace, ingester.TraceIDOf(id), id)
		require.Equal(t, span, ingester.SpanIDOf(id), id)
	}
	trace, _ := sum("d499837edb10146c")
	require.Equal(t, trace, ingester.TraceIDOf("d499837edb10146c"))
	require.Equal(t, schema.SpanID{0xd4, 0x99, 0x83, 0x7e, 0xdb, 0x10, 0x14, 0x6c}, ingester.SpanIDOf("d499837edb10146c"))
}
