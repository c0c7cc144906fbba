package otlp_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func pieceOf(kind schema.Fragment) schema.Span {
	return schema.Span{
		TraceID: schema.TraceID{15: 1}, SpanID: schema.SpanID{7: 1}, Name: "x", StartNanos: 1,
		Resource: otlp.NewResource(schema.Attribute{Key: "service.name", Value: schema.Value{Kind: schema.KindString, Str: "shop"}}),
		Scope:    otlp.NewScope("adapter", "1"), Fragment: kind, FragmentNanos: 1 << 63,
		Attributes: otlp.AppendAttribute(nil, "a", schema.Value{Kind: schema.KindInt, Int: 7}),
		Events:     otlp.AppendEvent(nil, 5, "exception", schema.Attribute{Key: "b", Value: schema.Value{Kind: schema.KindBool, Bool: true}}),
	}
}

// What an adapter says of pieces comes out of the log again, and of what a lookup
// answers nothing of it is left.
func TestRequestSaysWhatIsAPiece(t *testing.T) {
	for kind := schema.FragmentNone; kind <= schema.MaxFragment; kind++ {
		sent := pieceOf(kind)
		if kind == schema.FragmentNone {
			sent.FragmentNanos = 0
		}
		var splitter otlp.Splitter
		split, err := splitter.Split(otlp.AppendRequest(nil, []schema.Span{sent}), 1, 1<<20)
		require.NoError(t, err)
		require.Equal(t, 1, split.Spans)
		wire := split.Chunks[0].AppendTo(nil)
		rows, err := otlp.NewDecoder().Decode(wire, 9, nil)
		require.NoError(t, err)
		sent.Position = 9
		require.Equal(t, []schema.Span{sent}, rows)

		rows, err = otlp.NewDecoder().Decode(otlp.AppendTraces(nil, rows), 9, nil)
		require.NoError(t, err)
		sent.Fragment, sent.FragmentNanos = schema.FragmentNone, 0
		require.Equal(t, []schema.Span{sent}, rows)
	}
}

// A piece that does not say where it comes from leaves that to another piece.
func TestPieceWithoutResource(t *testing.T) {
	sent := pieceOf(schema.FragmentUpdate)
	sent.Resource, sent.Scope = otlp.ParseResource(nil), otlp.ParseScope(nil)
	rows, err := otlp.NewDecoder().Decode(otlp.AppendRequest(nil, []schema.Span{sent}), 9, nil)
	require.NoError(t, err)
	require.Empty(t, rows[0].Resource.Wire)
	require.Empty(t, rows[0].Scope.Wire)
}

// What is no mark stays what it is to OTLP, an unknown field.
func TestForeignFieldsAreNoMarks(t *testing.T) {
	const mark = 19_061
	field := func(body ...byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, mark, protowire.BytesType), body)
	}
	number := protowire.AppendVarint(protowire.AppendTag(nil, mark, protowire.VarintType), 1)
	for _, rest := range [][]byte{
		field(), field(1), field(0, 0, 0, 0, 0, 0, 0, 0, 0), field(5, 0, 0, 0, 0, 0, 0, 0, 0), field(255, 0, 0, 0, 0, 0, 0, 0, 0),
		field(1, 0, 0, 0, 0, 0, 0, 0, 0, 0), number,
	} {
		sent := pieceOf(schema.FragmentNone)
		sent.FragmentNanos, sent.Rest = 0, rest
		rows, err := otlp.NewDecoder().Decode(otlp.AppendTraces(nil, []schema.Span{sent}), 0, nil)
		require.NoError(t, err)
		require.Equal(t, []schema.Span{sent}, rows)
	}
}

// A piece without times is as old as the piece, so that what ends a span that
// nobody knows yet is not refused as expired.
func TestRulesOfPieces(t *testing.T) {
	for _, tt := range []struct {
		name  string
		nanos uint64
		takes int
	}{{"new", 1000, 1}, {"old", 999, 0}} {
		t.Run(tt.name, func(t *testing.T) {
			sent := pieceOf(schema.FragmentUpdate)
			sent.StartNanos, sent.FragmentNanos = 0, tt.nanos
			var splitter otlp.Splitter
			split, err := splitter.SplitBy(otlp.AppendRequest(nil, []schema.Span{sent}), 1, 1<<20, otlp.Rules{OldestEnd: 1000})
			require.NoError(t, err)
			require.Equal(t, tt.takes, split.Spans)
			require.Equal(t, 1-tt.takes, split.Expired)
		})
	}
}
