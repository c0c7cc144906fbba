package otlp_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
)

// field appends a length-delimited field.
func field(num protowire.Number, body []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), body)
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// attribute is field num holding a KeyValue with the given AnyValue.
func attribute(num protowire.Number, value []byte) []byte {
	return field(num, join(field(1, []byte("k")), field(2, value)))
}

func TestSplitRejectsOnlySpansThatAreNotValid(t *testing.T) {
	id, sid := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 8)
	ids := join(field(1, id), field(2, sid))
	tests := []struct {
		name   string
		span   []byte
		reason string // "" for a valid one
	}{
		{"plain", ids, ""},
		{"empty", nil, `span "" in resource 0: trace id has 0 bytes, want 16`},
		{"short trace id", join(field(1, id[1:]), field(2, sid), field(5, []byte("GET /x"))), `span "GET /x" in resource 0: trace id has 15 bytes, want 16`},
		{"zero trace id", join(field(1, make([]byte, 16)), field(2, sid)), `span "" in resource 0: trace id is zero`},
		{"no span id", field(1, id), `span "" in resource 0: span id has 0 bytes, want 8`},
		{"zero span id", join(field(1, id), field(2, make([]byte, 8))), `span "" in resource 0: span id is zero`},
		{"long span id", join(field(1, id), field(2, id)), `span "" in resource 0: span id has 16 bytes, want 8`},
		{"short parent", join(ids, field(4, sid[1:])), `span "" in resource 0: parent span id has 7 bytes, want 8 or none`},
		{"empty parent", join(ids, field(4, nil)), ""},
		{"zero parent", join(ids, field(4, make([]byte, 8))), ""},
		{"last id counts", join(field(1, nil), ids, field(2, sid)), ""},
		{"last id is bad", join(ids, field(2, nil)), `span "" in resource 0: span id has 0 bytes, want 8`},
		{"id as a number", join(ids, []byte{0x08, 1}), `span "" in resource 0: a known field has the wrong wire type`},
		{"name as a number", join(ids, []byte{0x28, 1}), `span "" in resource 0: a known field has the wrong wire type`},
		{"field cut off", join(ids, field(5, []byte("n")), []byte{0x4a, 9, 1}), `span "n" in resource 0: a field runs past the end of its message`},
		{"number cut off", join(ids, []byte{0x30, 0x80}), `span "" in resource 0: a number is cut off or longer than 64 bits`},
		{"number too long", join(ids, []byte{0x30}, bytes.Repeat([]byte{0xff}, 10), []byte{1}), `span "" in resource 0: a number is cut off or longer than 64 bits`},
		{"field number 0", join(ids, []byte{0x02, 0}), `span "" in resource 0: a field has an impossible tag`},
		{"field number too large", join(ids, []byte{0x82, 0x80, 0x80, 0x80, 0x10, 0}), `span "" in resource 0: a field has an impossible tag`},
		{"wire type 7", join(ids, []byte{0x0f}), `span "" in resource 0: a known field has the wrong wire type`},
		{"unknown wire type 7", join(ids, protowire.AppendVarint(nil, 100<<3|7)), `span "" in resource 0: a field has an impossible tag`},
		{"group", join(ids, protowire.AppendGroup(protowire.AppendTag(nil, 99, protowire.StartGroupType), 99, []byte{8, 1})), ""},
		{"open group", join(ids, protowire.AppendTag(nil, 99, protowire.StartGroupType)), `span "" in resource 0: a field runs past the end of its message`},
		{"stray group end", join(ids, protowire.AppendTag(nil, 99, protowire.EndGroupType)), `span "" in resource 0: a field has an impossible tag`},
		{"group closed by another", join(ids, []byte{0x9b, 0x06, 0xa4, 0x06}), `span "" in resource 0: a field has an impossible tag`},
		{"groups nested too deeply", join(ids, bytes.Repeat([]byte{0x9b, 0x06}, 70), bytes.Repeat([]byte{0x9c, 0x06}, 70)), `span "" in resource 0: values are nested too deeply`},
		{"broken attribute value", join(ids, attribute(9, []byte{0x0a, 5})), `span "" in resource 0: a field runs past the end of its message`},
		{"bool as text", join(ids, attribute(9, field(2, nil))), `span "" in resource 0: a known field has the wrong wire type`},
		{"broken event attribute", join(ids, field(11, attribute(3, []byte{0x19}))), `span "" in resource 0: a known field has the wrong wire type`},
		{"broken link", join(ids, field(13, []byte{0x0a, 1})), `span "" in resource 0: a field runs past the end of its message`},
		{"broken status", join(ids, field(15, []byte{0x18})), `span "" in resource 0: a number is cut off or longer than 64 bits`},
		{"deepest value", join(ids, attribute(9, nested(otlp.MaxDepth))), ""},
		{"too deep", join(ids, attribute(9, nested(otlp.MaxDepth+1))), `span "" in resource 0: values are nested too deeply`},
		{"far too deep", join(ids, attribute(9, nested(10000))), `span "" in resource 0: values are nested too deeply`},
		{"name not UTF-8", join(ids, field(5, []byte{0xff})), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s otlp.Splitter
			got, err := s.Split(request(span("before"), tt.span, span("after"), nil), partitions, 1<<20)
			require.NoError(t, err)
			accepted := 2
			if tt.reason == "" {
				accepted, tt.reason = 3, `span "" in resource 0: trace id has 0 bytes, want 16`
			}
			require.Equal(t, accepted, got.Spans)
			require.Equal(t, 4-accepted, got.Rejected)
			require.Equal(t, tt.reason, got.Reason)
			require.Len(t, decodeAll(t, otlp.NewDecoder(), got.Chunks), accepted)
		})
	}
}

func TestSplitRefusesMalformedRequests(t *testing.T) {
	good := request(span("a"))
	inScope := func(scopeSpans []byte) []byte { return field(1, field(2, scopeSpans)) }
	tests := []struct {
		name string
		body []byte
		text string
	}{
		{"text", []byte("not a message"), "request: "},
		{"cut off", good[:len(good)-1], "request: a field runs past the end"},
		{"resource spans as number", []byte{0x08, 1}, "request: a known field has the wrong wire type"},
		{"unknown field cut off", join(good, []byte{0x9a, 0x06, 9}), "request: a field runs past"},
		{"resource as number", field(1, []byte{0x08, 1}), "resource 0: a known field has the wrong wire type"},
		{"scope spans as number", field(1, []byte{0x10, 1}), "resource 0: a known field has the wrong wire type"},
		{"scope spans cut off", join(good, field(1, []byte{0x12, 9})), "resource 1: a field runs past the end"},
		{"broken resource attribute", field(1, field(1, attribute(1, []byte{0x0a, 5}))), "resource 0: a field runs past the end"},
		{"deep resource attribute", field(1, field(1, attribute(1, nested(otlp.MaxDepth+1)))), "resource 0: values are nested too deeply"},
		{"broken entity", field(1, field(1, field(3, []byte{0x0a, 5}))), "resource 0: a field runs past"},
		{"broken scope", inScope(field(1, []byte{0x0a, 5})), "resource 0: scope 0: a field runs past"},
		{"span as number", inScope([]byte{0x10, 1}), "resource 0: scope 0: a known field has the wrong wire type"},
		{"span cut off", inScope([]byte{0x12, 5}), "resource 0: scope 0: a field runs past"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s otlp.Splitter
			got, err := s.Split(tt.body, partitions, 1<<20)
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.ErrorContains(t, err, tt.text)
			require.Zero(t, got)
		})
	}
	var s otlp.Splitter
	_, err := s.Split(good, 3, 1<<20)
	require.Error(t, err)
	require.NotErrorIs(t, err, otlp.ErrMalformed)
}

func TestSplitOfNothing(t *testing.T) {
	for _, body := range [][]byte{nil, field(1, nil), field(1, field(2, nil)), field(99, []byte("x"))} {
		var s otlp.Splitter
		got, err := s.Split(body, 1, 1<<20)
		require.NoError(t, err)
		require.Zero(t, got)
	}
}

func TestSplitCutsLargeParts(t *testing.T) {
	const limit = 10_000
	header := field(1, attribute(1, field(1, bytes.Repeat([]byte("r"), 1000))))
	var spans []byte
	for range 200 {
		spans = append(spans, field(2, span("small", attribute(9, field(1, bytes.Repeat([]byte("v"), 300)))...))...)
	}
	spans = append(spans, field(2, span("large", attribute(9, field(1, bytes.Repeat([]byte("v"), 3*limit)))...))...)
	body := field(1, join(header, field(2, spans)))

	var s otlp.Splitter
	got, err := s.Split(body, 1, limit)
	require.NoError(t, err)
	require.Equal(t, 201, got.Spans)
	total := 0
	for i, c := range got.Chunks {
		if total += c.Size; c.Spans > 1 {
			require.LessOrEqual(t, c.Size, limit)
			require.Greater(t, c.Size, limit*3/4, "chunk %d of %d is cut too early", i, len(got.Chunks))
		}
	}
	require.Equal(t, 1, got.Chunks[len(got.Chunks)-1].Spans)
	require.Less(t, total, len(body)*5/4)
	require.Equal(t, spansOf(t, body), spansOf(t, wiresOf(t, got.Chunks)...))
}

func TestSplitDoesNotMultiplyLargeHeaders(t *testing.T) {
	header := field(1, attribute(1, field(1, bytes.Repeat([]byte("r"), 50_000))))
	var spans []byte
	for range 10_000 {
		spans = append(spans, field(2, span("small"))...)
	}
	body := field(1, join(header, field(2, spans)))
	var s otlp.Splitter
	got, err := s.Split(body, 1, 1000)
	require.NoError(t, err)
	total := 0
	for _, c := range got.Chunks {
		total += c.Size
	}
	require.Less(t, total, 3*len(body))
	require.Greater(t, len(got.Chunks), 1)
}

func TestSplitterIsReusable(t *testing.T) {
	var s otlp.Splitter
	type result struct {
		spans int
		wires [][]byte
	}
	want := make(map[string]result)
	for range 2 {
		for name, body := range captures(t, ".pb") {
			for _, n := range []int{1, partitions} {
				split, err := s.Split(body, n, 2000)
				require.NoError(t, err)
				got, key := result{split.Spans, wiresOf(t, split.Chunks)}, fmt.Sprint(name, n)
				if first, ok := want[key]; ok {
					require.Equal(t, first, got)
				}
				want[key] = got
				_, err = s.Split(body[:len(body)-3], n, 2000)
				require.Error(t, err)
			}
		}
	}
}

func TestWrittenChunksShareNoMemory(t *testing.T) {
	for _, body := range captures(t, ".pb") {
		var s otlp.Splitter
		own := bytes.Clone(body)
		got, err := s.Split(own, partitions, 2000)
		require.NoError(t, err)
		written := join(wiresOf(t, got.Chunks)...)
		before := bytes.Clone(written)
		clear(own)
		_, err = s.Split(request(span("another")), partitions, 2000)
		require.NoError(t, err)
		require.Equal(t, before, written)
	}
}

func TestSplitAllocatesNothing(t *testing.T) {
	body := request(span("a", bytes.Repeat(attribute(9, field(1, []byte("v"))), 1000)...), span("b"))
	var s otlp.Splitter
	buf := make([]byte, 0, 2*len(body))
	allocs := testing.AllocsPerRun(20, func() {
		got, err := s.Split(body, 1, 1<<20)
		if err != nil || got.Spans != 2 {
			t.Fatal(got.Spans, err)
		}
		buf = got.Chunks[0].AppendTo(buf[:0])
	})
	require.Zero(t, allocs)
	require.Equal(t, body, buf)
}
