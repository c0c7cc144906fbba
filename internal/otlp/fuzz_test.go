package otlp_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func addWires(f *testing.F) {
	f.Helper()
	for seed := range uint64(30) {
		// Small ones only: the fuzzer minimises what it finds, which takes long.
		if wire := newGenerator(seed).scrambledTraces(f); len(wire) < 2000 {
			f.Add(wire)
		}
	}
	f.Add(request(span("a", attribute(9, nested(3))...), span("b"), nil))
}

// spansIn counts the spans of a message whose outer framing is sound.
func spansIn(body []byte) int {
	n := 0
	for _, rs := range fieldsNumbered(body, 1) {
		for _, ss := range fieldsNumbered(rs, 2) {
			n += len(fieldsNumbered(ss, 2))
		}
	}
	return n
}

func FuzzSplit(f *testing.F) {
	addWires(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var s otlp.Splitter
		got, err := s.Split(body, partitions, 300)
		if err != nil {
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.Zero(t, got)
			return
		}
		require.Equal(t, spansIn(body), got.Spans+got.Rejected)
		require.Equal(t, got.Rejected == 0, got.Reason == "")
		rows := decodeAll(t, otlp.NewDecoder(), got.Chunks)
		require.Len(t, rows, got.Spans)
		encoded := otlp.AppendTraces(nil, rows)
		again, err := s.Split(encoded, partitions, 1<<20)
		require.NoError(t, err)
		require.Equal(t, got.Spans, again.Spans)
		text, err := otlp.AppendTracesJSON(nil, encoded, "resourceSpans")
		require.NoError(t, err)
		require.True(t, json.Valid(text))
		// Where the reference implementation reads the request, which it does
		// unless text is not UTF-8, nothing may have changed.
		if got.Rejected == 0 && proto.Unmarshal(body, &tracepb.TracesData{}) == nil {
			require.Equal(t, spansOf(t, body), spansOf(t, encoded))
		}
	})
}

func FuzzDecode(f *testing.F) {
	addWires(f)
	f.Fuzz(func(t *testing.T, wire []byte) {
		rows, err := otlp.NewDecoder().Decode(wire, 1, nil)
		if err != nil {
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.Empty(t, rows)
			return
		}
		for i := range rows {
			readEverything(&rows[i])
		}
		again, err := otlp.NewDecoder().Decode(otlp.AppendTraces(nil, rows), 1, nil)
		require.NoError(t, err)
		require.Len(t, again, len(rows))
	})
}

func readEverything(s *schema.Span) {
	otlp.Lookup(s.Attributes, "k")
	otlp.SpanAttributes(s)
	otlp.ResourceAttributes(s.Resource)
	otlp.ScopeAttributes(s.Scope)
	for range otlp.Events(s) {
		continue
	}
	for range otlp.Links(s) {
		continue
	}
}

func FuzzAppendTracesJSON(f *testing.F) {
	addWires(f)
	f.Fuzz(func(t *testing.T, wire []byte) {
		got, err := otlp.AppendTracesJSON(nil, wire, "batches")
		if err != nil {
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.Empty(t, got)
			return
		}
		require.True(t, json.Valid(got), "%s", got)
	})
}

func FuzzFromJSON(f *testing.F) {
	for seed := range uint64(30) {
		if body := jsonRequest(f, seed); len(body) < 2000 {
			f.Add(body)
		}
	}
	f.Add([]byte(`{"resource_spans":[{"scopeSpans":[{"spans":[{"traceId":"01","kind":"SPAN_KIND_CLIENT","attributes":[{"key":"a","value":{"arrayValue":{"values":[null,{"intValue":"1e3"},{"doubleValue":"NaN"},{"bytesValue":"_-8="}]}}}]}]}]}], "x": [true, {"\u00e9\ud83d\ude00": -0.1E-7}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		wire, err := otlp.FromJSON(body)
		if err != nil {
			require.ErrorIs(t, err, otlp.ErrMalformed)
			return
		}
		require.True(t, json.Valid(body))
		var s otlp.Splitter
		got, err := s.Split(wire, partitions, 1<<20)
		if err != nil {
			require.ErrorContains(t, err, "nested too deeply")
			return
		}
		text, err := otlp.AppendTracesJSON(nil, wire, "resourceSpans")
		if err != nil {
			require.ErrorContains(t, err, "nested too deeply")
			require.Positive(t, got.Rejected)
			return
		}
		require.True(t, json.Valid(text))
	})
}
