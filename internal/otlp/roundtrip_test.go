package otlp_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/spanlake/spanlake/internal/otlp"
)

// requireRoundTrip sends a request all the way and compares every stage with
// what the reference implementation reads from the request.
func requireRoundTrip(t *testing.T, body []byte, maxChunkBytes int) {
	t.Helper()
	want := spansOf(t, body)
	var splitter otlp.Splitter
	split, err := splitter.Split(body, partitions, maxChunkBytes)
	require.NoError(t, err)
	require.Zero(t, split.Rejected, split.Reason)
	require.Equal(t, len(want), split.Spans)

	for _, c := range split.Chunks {
		require.Positive(t, c.Spans)
	}
	wires := wiresOf(t, split.Chunks)
	require.Equal(t, want, spansOf(t, wires...), "chunks")
	require.Equal(t, want, spansOf(t, join(wires...)), "chunks one after the other")

	rows := decodeAll(t, otlp.NewDecoder(), split.Chunks)
	encoded := otlp.AppendTraces(nil, rows)
	require.Equal(t, want, spansOf(t, encoded), "rows")
	requireJSON(t, encoded)
	requireJSON(t, body)
}

// requireJSON compares AppendTracesJSON with the reference implementation.
func requireJSON(t *testing.T, wire []byte) {
	t.Helper()
	got, err := otlp.AppendTracesJSON([]byte("x"), wire, "resourceSpans")
	require.NoError(t, err)
	want, err := protojson.Marshal(unmarshal(t, wire))
	require.NoError(t, err)
	var gotAny, wantAny any
	require.NoError(t, json.Unmarshal(got[1:], &gotAny))
	require.NoError(t, json.Unmarshal(want, &wantAny))
	require.Equal(t, wantAny, gotAny)
}

func TestRoundTripOfRecordedRequests(t *testing.T) {
	for name, body := range captures(t, ".pb") {
		t.Run(name, func(t *testing.T) {
			for _, maxChunkBytes := range []int{1 << 20, 5000, 1} {
				requireRoundTrip(t, body, maxChunkBytes)
			}
		})
	}
	for name, body := range captures(t, ".json") {
		t.Run(name, func(t *testing.T) {
			wire, err := otlp.FromJSON(body)
			require.NoError(t, err)
			requireRoundTrip(t, wire, 1<<20)
		})
	}
}

func TestRoundTripOfAnyRequest(t *testing.T) {
	for seed := range uint64(400) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			g := newGenerator(seed)
			requireRoundTrip(t, g.scrambledTraces(t), []int{1 << 20, 700, 0}[seed%3])
		})
	}
}

func TestRoundTripKeepsTextThatIsNotUTF8(t *testing.T) {
	for seed := range uint64(50) {
		want := ptrace.NewTraces()
		s := want.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		g := newGenerator(seed)
		s.SetTraceID([16]byte(g.bytes(16)))
		s.SetSpanID([8]byte(g.bytes(8)))
		s.SetName("a\xff" + g.text())
		s.TraceState().FromRaw("\xc0")
		s.Status().SetMessage("m\x80")
		s.Attributes().PutStr("k\xfe", "v\xfe")
		s.Events().AppendEmpty().SetName("\xf0\x28")
		body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(want)
		require.NoError(t, err)

		var splitter otlp.Splitter
		split, err := splitter.Split(body, partitions, 1<<20)
		require.NoError(t, err)
		rows := decodeAll(t, otlp.NewDecoder(), split.Chunks)
		require.Equal(t, "a\ufffd", rows[0].Name[:4])
		require.Equal(t, "\ufffd", rows[0].TraceState)
		require.Equal(t, "m\ufffd", rows[0].StatusMessage)
		got, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(otlp.AppendTraces(nil, rows))
		require.NoError(t, err)
		require.Equal(t, want, got)

		text, err := otlp.AppendTracesJSON(nil, body, "batches")
		require.NoError(t, err)
		require.True(t, json.Valid(text))
		require.Contains(t, string(text), `"batches"`)
	}
}
