package otlp_test

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

func decodeOne(t *testing.T, body []byte) *schema.Span {
	t.Helper()
	rows, err := otlp.NewDecoder().Decode(body, 7, nil)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	return &rows[0]
}

func TestDecodeFillsColumns(t *testing.T) {
	body := join(
		field(4, bytes.Repeat([]byte{3}, 8)), field(3, []byte("k=v")), []byte{0x30, 2},
		protowire.AppendFixed64([]byte{0x39}, 100), protowire.AppendFixed64([]byte{0x41}, 90),
		field(15, join(field(2, []byte("boom")), []byte{0x18, 2})),
		protowire.AppendFixed32([]byte{0x85, 0x01}, 257),
		attribute(9, field(1, []byte("v"))), field(11, field(2, []byte("e"))), field(13, field(3, []byte("l"))),
	)
	row := decodeOne(t, request(span("op", body...)))
	require.NotNil(t, row.Resource)
	require.NotNil(t, row.Scope)
	row.Resource, row.Scope = nil, nil
	require.Equal(t, &schema.Span{
		TraceID: schema.TraceID(bytes.Repeat([]byte{1}, 16)), SpanID: schema.SpanID(bytes.Repeat([]byte{2}, 8)),
		ParentSpanID: schema.SpanID(bytes.Repeat([]byte{3}, 8)),
		StartNanos:   100, EndNanos: 90, Name: "op", Kind: 2, StatusCode: 2, StatusMessage: "boom",
		TraceState: "k=v", Flags: 257, Position: 7,
		Attributes: attribute(9, field(1, []byte("v"))),
		Events:     field(11, field(2, []byte("e"))),
		Links:      field(13, field(3, []byte("l"))),
	}, row)
}

func TestDecodePutsIntoRestWhatColumnsCannotHold(t *testing.T) {
	unknown := field(99, []byte("u"))
	tests := []struct {
		name string
		span []byte
		rest []byte
	}{
		{"nothing", nil, nil},
		{"name", field(5, []byte("a\xff")), field(5, []byte("a\xff"))},
		{"name mended by a later one", join(field(5, []byte("\xff")), field(5, []byte("b"))), nil},
		{"a real U+FFFD", field(5, []byte("\ufffd")), nil},
		{"trace state", field(3, []byte("\xff")), field(3, []byte("\xff"))},
		{"zero parent", field(4, make([]byte, 8)), field(4, make([]byte, 8))},
		{"zero parent replaced", join(field(4, make([]byte, 8)), field(4, nil)), nil},
		{"status message", field(15, field(2, []byte("\xff"))), field(15, field(2, []byte("\xff")))},
		{"status message mended", join(field(15, field(2, []byte("\xff"))), field(15, field(2, []byte("b")))), nil},
		{"unknown in status", join(field(15, join(unknown, []byte{0x18, 2})), field(15, unknown)), field(15, join(unknown, unknown))},
		{"dropped counts", join([]byte{0x50, 1}, []byte{0x60, 2}, []byte{0x70, 3}), []byte{0x50, 1, 0x60, 2, 0x70, 3}},
		{"dropped counts of zero", join([]byte{0x50, 0}, []byte{0x60, 2}, []byte{0x60, 0}), nil},
		{"unknown fields", join(unknown, field(9, nil), unknown, []byte{0x70, 3}, unknown), join(unknown, unknown, unknown, []byte{0x70, 3})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			row := decodeOne(t, request(span("op", tt.span...)))
			require.Equal(t, tt.rest, row.Rest)
		})
	}
}

func TestDecodeTakesFragmentsWhereTheyLie(t *testing.T) {
	a := attribute(9, field(1, []byte("1")))
	body := request(span("op", join(a, a)...))
	row := decodeOne(t, body)
	require.Equal(t, join(a, a), row.Attributes)
	require.Same(t, &body[bytes.Index(body, a)], &row.Attributes[0])
	require.Equal(t, len(row.Attributes), cap(row.Attributes))

	apart := decodeOne(t, request(span("op", join(a, []byte{0x70, 3}, a, a)...)))
	require.Equal(t, join(a, a, a), apart.Attributes)
}

func TestDecodeSharesResourcesAndScopes(t *testing.T) {
	resource := field(1, join(
		field(1, join(field(1, []byte("service.name")), field(2, []byte{0x18, 5}))),
		field(1, join(field(1, []byte("service.name")), field(2, field(1, []byte("shop\xff"))))),
	))
	scope := field(1, join(field(1, []byte("lib")), field(2, []byte("1.2\xff"))))
	body := field(1, join(resource, field(2, join(scope, field(2, span("a")), field(2, span("b")), field(3, []byte("schema"))))))
	d := otlp.NewDecoder()
	rows, err := d.Decode(body, 1, nil)
	require.NoError(t, err)
	rows, err = d.Decode(bytes.Clone(body), 2, rows)
	require.NoError(t, err)
	require.Len(t, rows, 4)
	for _, row := range rows {
		require.Same(t, rows[0].Resource, row.Resource)
		require.Same(t, rows[0].Scope, row.Scope)
	}
	require.Equal(t, "shop\ufffd", rows[0].Resource.ServiceName)
	require.Equal(t, resource, rows[0].Resource.Wire)
	require.Equal(t, "lib", rows[0].Scope.Name)
	require.Equal(t, "1.2\ufffd", rows[0].Scope.Version)
	require.Equal(t, join(scope, field(3, []byte("schema"))), rows[0].Scope.Wire)

	clear(body)
	require.Equal(t, resource, rows[0].Resource.Wire, "a resource outlives the message that it came with")
}

func TestDecoderForgetsResourcesInTheEnd(t *testing.T) {
	d := otlp.NewDecoder()
	var rows []schema.Span
	for i := range 40_000 {
		resource := field(1, attribute(1, field(1, strconv.AppendInt(nil, int64(i), 10))))
		var err error
		rows, err = d.Decode(field(1, join(resource, field(2, field(2, span("a"))))), 1, rows)
		require.NoError(t, err)
	}
	for i := range rows {
		require.Contains(t, string(rows[i].Resource.Wire), strconv.Itoa(i))
	}
}

func TestDecodeRefusesWhatSplitDoesNotLetIn(t *testing.T) {
	tests := []struct {
		name string
		wire []byte
		text string
	}{
		{"text", []byte("not a message"), "decode: "},
		{"wrong type", []byte{0x08, 1}, "wrong wire type"},
		{"scope spans as number", field(1, []byte{0x10, 1}), "wrong wire type"},
		{"spans as number", field(1, field(2, []byte{0x10, 1})), "wrong wire type"},
		{"no ids", request(nil), "trace id has 0 bytes"},
		{"zero trace id", request(join(field(1, make([]byte, 16)), field(2, []byte("12345678")))), "trace id is zero"},
		{"name as number", request(span("a", 0x28, 1)), "wrong wire type"},
		{"cut off", request(span("a", 0x2a, 9)), "runs past the end"},
		{"status", request(span("a", field(15, []byte{0x10, 1})...)), "wrong wire type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := []schema.Span{{Name: "kept"}}
			got, err := otlp.NewDecoder().Decode(join(request(span("first")), tt.wire), 1, before)
			require.ErrorIs(t, err, otlp.ErrMalformed)
			require.ErrorContains(t, err, tt.text)
			require.Equal(t, before, got)
		})
	}
}

func TestAppendTracesGroupsByContent(t *testing.T) {
	r := func(name string) *schema.Resource { return &schema.Resource{Wire: field(3, []byte(name))} }
	s := func(name string) *schema.Scope { return &schema.Scope{Wire: field(3, []byte(name))} }
	rows := []schema.Span{
		{Name: "1", Resource: r("a"), Scope: s("x")},
		{Name: "2", Resource: r("b"), Scope: s("x")},
		{Name: "3", Resource: r("a"), Scope: s("y")},
		{Name: "4", Resource: r("a"), Scope: s("x"), EndNanos: 1, StartNanos: 2},
		{Name: "5", Resource: &schema.Resource{}, Scope: &schema.Scope{}},
	}
	td := unmarshal(t, otlp.AppendTraces(nil, rows))
	var got []string
	for _, rs := range td.GetResourceSpans() {
		require.NotNil(t, rs.GetResource())
		for _, ss := range rs.GetScopeSpans() {
			require.NotNil(t, ss.GetScope())
			for _, sp := range ss.GetSpans() {
				require.NotNil(t, sp.GetStatus())
				got = append(got, rs.GetSchemaUrl()+ss.GetSchemaUrl()+sp.GetName())
			}
		}
	}
	require.Equal(t, []string{"ax1", "ax4", "ay3", "bx2", "5"}, got)
	require.Empty(t, otlp.AppendTraces(nil, nil))
}
