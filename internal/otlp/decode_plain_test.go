package otlp

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/schema"
)

// spansOfSample are the Span messages of sample.
func spansOfSample(tb testing.TB) (spans [][]byte) {
	tb.Helper()
	for resource := range members(sample(tb, 0), tracesResourceSpans) {
		for scope := range members(resource, resourceSpansScopeSpans) {
			spans = slices.AppendSeq(spans, members(scope, scopeSpansSpans))
		}
	}
	return spans
}

func TestSpansOfACollectorArePlain(t *testing.T) {
	for _, span := range spansOfSample(t) {
		require.True(t, plainSpan(span, &schema.Span{}))
	}
}

// FuzzPlainSpan holds the short way to the one that reads any message.
func FuzzPlainSpan(f *testing.F) {
	span := spansOfSample(f)[0]
	f.Add(span)
	for _, more := range []string{
		"\x7a\x00", "\x7a\x04\x12\x02ok", "\x7a\x06\x12\x02ok\x18\x02", "\x7a\x02\x18\x01\x85\x01\x01\x01\x00\x00",
		"\x5a\x03\x12\x01e\x5a\x00", "\x6a\x00\x6a\x00", "\x6a\x00\x4a\x00", "\x50\x01", "\x7a\x06\x18\x02\x12\x02ok", "\x85\x00\x01\x01\x00\x00",
	} {
		f.Add(append(slices.Clone(span), more...))
	}
	for _, field := range []string{"\x1a\x01\xff", "\x22\x00", "\x22\x08\x00\x00\x00\x00\x00\x00\x00\x00", "\x2a\x02\xc3\x28", "\x30\x90\x01", "\x0a\x00"} {
		f.Add([]byte("\x0a\x10a trace's id ...\x12\x08span id " + field))
	}
	f.Fuzz(func(t *testing.T, span []byte) {
		var have, want schema.Span
		if plainSpan(span, &have) {
			require.NoError(t, parseSpan(span, &want))
			require.Equal(t, want, have)
		}
	})
}
