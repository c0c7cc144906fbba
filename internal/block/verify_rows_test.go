package block_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// asDecoded makes what rows say twice agree, as it does in rows that were
// decoded.
func asDecoded(spans []schema.Span) []schema.Span {
	for i := range spans {
		service := ""
		for _, a := range otlp.ResourceAttributes(spans[i].Resource) {
			if a.Key == "service.name" && a.Value.Kind == schema.KindString {
				service = strings.ToValidUTF8(a.Value.Str, "\uFFFD")
				break
			}
		}
		spans[i].Resource.ServiceName = service
		*spans[i].Scope = *otlp.ParseScope(spans[i].Scope.Wire)
		spans[i].Position = uint64(i + 1)
	}
	return spans
}

// logKey is the key of an object of rows from the first positions of the log.
func logKey(o *block.Object) string {
	return strings.Replace(keyOf(o), "/0-1-9_", "/0-1-1000000_", 1)
}

// Whatever is encoded is found to be in order, having been read once.
func TestVerifyRowsAcceptsWhatIsEncoded(t *testing.T) {
	for _, tt := range blockShapes() {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3) {
				spans := asDecoded(tt.spans(seed))
				o, err := block.EncodeLimited(project, spans, tt.limits)
				require.NoError(t, err)
				r, err := block.Open(t.Context(), memory(o.Data), logKey(o))
				require.NoError(t, err)
				seen := []int{-1}
				require.NoError(t, r.VerifyRows(t.Context(), func(rows int) { seen = append(seen, rows) }))
				require.IsIncreasing(t, append(seen, len(spans)+1))
			}
		})
	}
}

// twoSided are rows in which everything that a block says twice is there: 40
// traces of two rows, in one row group of several pages.
func twoSided(change func(i int, s *schema.Span)) []schema.Span {
	text := func(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }
	message := func(tag byte, b []byte) []byte { return append([]byte{tag, byte(len(b))}, b...) }
	spans := make([]schema.Span, 80)
	for i := range spans {
		resource := &schema.Resource{ServiceName: "shop"}
		resource.Wire = message(0x0a, otlp.AppendKeyValue(otlp.AppendKeyValue(nil, 1, "service.name", text("shop")), 1, "host", text("h1")))
		spans[i] = schema.Span{
			TraceID: schema.TraceID{15: byte(1 + i/2)}, SpanID: schema.SpanID{byte(i + 1)}, StartNanos: day + uint64(i/2*900+i%2*200+i*i*31%47), EndNanos: day + 100_000, Name: "GET",
			Resource: resource, Scope: scopeOfText("lib", "1.2"), Position: uint64(i + 1),
			Events: message(0x5a, append(message(0x12, []byte("e")), otlp.AppendKeyValue(nil, 3, "type", text("retry"))...)),
			Links:  message(0x6a, otlp.AppendKeyValue(nil, 4, "why", text("next"))),
		}
		if i%2 == 1 {
			spans[i].ParentSpanID = schema.SpanID{byte(i)}
			spans[i].Attributes = otlp.AppendKeyValue(nil, 9, "route", text("/cart"))
			spans[i].Derived = otlp.AppendKeyValue(nil, 9, "cost", schema.Value{Kind: schema.KindInt, Int: 7})
		}
		if i == 50 {
			spans[i].Attributes = otlp.AppendKeyValue(nil, 9, "rare", schema.Value{Kind: schema.KindBool})
			spans[i].Fragment = schema.FragmentCreate
		}
		if change != nil {
			change(i, &spans[i])
		}
	}
	return spans
}

func scopeOfText(name, version string) *schema.Scope {
	body := protowire.AppendString([]byte{0x0a}, name)
	body = protowire.AppendString(append(body, 0x12), version)
	return &schema.Scope{Wire: protowire.AppendBytes([]byte{0x0a}, body), Name: name, Version: version}
}

func encodeTwoSided(t *testing.T, spans []schema.Span) (*block.Object, *block.Reader) {
	t.Helper()
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 32})
	require.NoError(t, err)
	r, err := block.Open(t.Context(), memory(o.Data), logKey(o))
	require.NoError(t, err)
	return o, r
}

// A column of one block in another one, whose rows it does not fit.
func TestVerifyRowsFindsContradictingPages(t *testing.T) {
	swap := func(old, replacement string) func(int, *schema.Span) {
		return func(_ int, s *schema.Span) {
			wire := bytes.ReplaceAll(s.Resource.Wire, []byte(old), []byte(replacement))
			s.Resource = &schema.Resource{Wire: wire, ServiceName: strings.ReplaceAll(s.Resource.ServiceName, old, replacement)}
			s.Events = bytes.ReplaceAll(s.Events, []byte(old), []byte(replacement))
			s.Links = bytes.ReplaceAll(s.Links, []byte(old), []byte(replacement))
		}
	}
	tests := []struct {
		name, column string
		change       func(int, *schema.Span)
		want         []string
	}{
		{"name of an event", block.ColumnEventName, swap("\x12\x01e", "\x12\x01f"), []string{"row group 0, column event_name, page 0", "the value of row 0"}},
		{"attribute of an event", "event.type", swap("retry", "later"), []string{"column event.type, page 2"}},
		{"attribute of a link", "link.why", swap("next", "text"), []string{"column link.why, page 0"}},
		{"resource", "resource.host", swap("h1", "h2"), []string{"column resource.host, page 0"}},
		{"service", block.ColumnServiceName, swap("shop", "cart"), []string{"column service_name, page 0"}},
		{"message of the resource", block.ColumnResource, swap("shop", "cart"), []string{"column service_name, page 0"}},
		{"scope", block.ColumnScopeName, func(_ int, s *schema.Span) { s.Scope = scopeOfText("bil", "1.2") }, []string{"column scope_name, page 0"}},
		{"version of the scope", block.ColumnScopeVersion, func(_ int, s *schema.Span) { s.Scope = scopeOfText("lib", "2.1") }, []string{"column scope_version, page 0"}},
		{"message of the scope", block.ColumnScope, func(_ int, s *schema.Span) { s.Scope = scopeOfText("bil", "1.2") }, []string{"column scope_name, page 0"}},
		{"message of the event", block.ColumnEvents, swap("\x12\x01e", "\x12\x01f"), []string{"column event_name, page 1"}},
		{"value where the shape has none", "span.route", func(i int, s *schema.Span) {
			if i > 0 && i%4 == 0 {
				s.Attributes = otlp.AppendKeyValue(nil, 9, "route", schema.Value{Kind: schema.KindString, Str: "/cart"})
			} else if i%4 == 3 {
				s.Attributes = nil
			}
		}, []string{"column shape, row"}},
		{"trace id", block.ColumnTraceID, func(i int, s *schema.Span) {
			if i == 2 {
				s.TraceID = schema.TraceID{15: 1}
			}
		}, []string{"column trace_id, page 0", "the trace id of row 2"}},
		{"start", block.ColumnStart, func(_ int, s *schema.Span) { s.StartNanos += 7 }, []string{
			"table of traces of page 0", "earliest start of trace", "directory, row group 0", "name at offset 0", "they are from 1700",
		}},
		{"order", block.ColumnStart, func(i int, s *schema.Span) {
			if i >= 3 {
				s.StartNanos -= 330
			}
			if i == 3 {
				s.TraceID = schema.TraceID{15: 3} // whose first row may be earlier than the one before
			}
		}, []string{"column start_unix_nano, page 0", "the order of row 3"}},
		{"span ids", block.ColumnSpanID, func(i int, s *schema.Span) {
			s.SpanID, s.StartNanos = schema.SpanID{9, 1}, day
			if i == 3 {
				s.SpanID = schema.SpanID{9, 2}
			}
		}, []string{"root or repeated span ids"}},
		{"parent", block.ColumnParentSpanID, func(i int, s *schema.Span) {
			if i < 2 {
				s.ParentSpanID = schema.SpanID{byte(8 - 8*i)}
			}
		}, []string{"root or repeated span ids of trace"}},
		{"fragment", block.ColumnFragment, func(i int, s *schema.Span) {
			s.Fragment = schema.FragmentNone
			if i == 51 || i == 53 {
				s.Fragment = schema.FragmentCreate
			}
		}, []string{"directory, list of open traces", "of 2 traces, not 1", "root or repeated span ids"}},
	}
	original, r := encodeTwoSided(t, twoSided(nil))
	require.NoError(t, r.VerifyRows(t.Context(), nil))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			other, changed := encodeTwoSided(t, twoSided(tt.change))
			require.NoError(t, changed.VerifyRows(t.Context(), nil))
			data := bytes.Clone(original.Data)
			from, size := chunkOf(changed, tt.column)
			to, room := chunkOf(r, tt.column)
			require.Equal(t, room, size, "the column must fit")
			require.Equal(t, int(size), copy(data[to:], other.Data[from:from+size]))
			require.NotEqual(t, original.Data, data)
			err := block.WithForgedChecksums(r, memory(data), data).VerifyRows(t.Context(), nil)
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.NotContains(t, err.Error(), "panicked")
			for _, text := range tt.want {
				require.ErrorContains(t, err, text)
			}
		})
	}
}

func chunkOf(r *block.Reader, column string) (at, size int64) {
	dictionary, data, size := r.Chunk(0, column)
	if dictionary > 0 {
		return dictionary, size
	}
	return data, size
}

// What the tail and the name say.
func TestVerifyRowsFindsContradictingTails(t *testing.T) {
	_, r := encodeTwoSided(t, twoSided(nil))
	for _, tt := range []struct {
		name   string
		change func(block.Told)
		want   string
	}{
		{"first trace", func(d block.Told) { *d.FirstTrace = schema.TraceID{} }, "directory, row group 0 at offset"},
		{"last trace", func(d block.Told) { d.LastTrace[0]++ }, "its traces are"},
		{"start", func(d block.Told) { *d.MinStart-- }, "its times are"},
		{"end", func(d block.Told) { *d.MaxEnd++ }, "its times are"},
		{"first trace of a page", func(d block.Told) { d.SecondSection[15]++ }, "page 1 of its traces begins with"},
		{"keys", func(d block.Told) { *d.SpanKeys = nil }, "span.rare is outside of columns, too"},
		{"open traces", func(d block.Told) { *d.Open = nil }, "directory, list of open traces"},
		{"filter", func(d block.Told) { clear(d.Filter) }, "trace filter at offset"},
		{"name: start", func(d block.Told) { d.Name.MinStart = 0 }, "name at offset 0: name and content disagree: the rows say otherwise: they are from"},
		{"name: end", func(d block.Told) { d.Name.MaxEnd++ }, "name at offset 0"},
		{"name: open", func(d block.Told) { d.Name.Open = false }, "1 traces have fragments"},
		{"name: partition", func(d block.Told) { d.Name.Partitions = 1024 }, "is of partition"},
		{"name: too late", func(d block.Told) { d.Name.First = 2 }, "a row is of position 1 of the log"},
		{"name: too early", func(d block.Told) { d.Name.Last = 79 }, "a row is of position 80 of the log"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := r.ToldOtherwise(tt.change).VerifyRows(t.Context(), nil)
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.ErrorContains(t, err, tt.want)
		})
	}
	require.NoError(t, r.ToldOtherwise(func(block.Told) {}).VerifyRows(t.Context(), nil))
	gone := r.Reading(failing{err: objstore.ErrNotExist}).VerifyRows(t.Context(), nil)
	require.ErrorIs(t, gone, objstore.ErrNotExist)
	require.NotErrorIs(t, gone, block.ErrCorrupt)
}

// What a block with random nonsense in it answers is what its rows say, or the
// nonsense is found.
func TestVerifiedRowsAreWhatSearchesFind(t *testing.T) {
	rng := rand.New(rand.NewPCG(20, 21))
	accepted, found := 0, 0
	for seed := range uint64(4) {
		d := newDamageable(t, seed)
		asDecoded(d.spans)
		o, err := block.EncodeLimited(project, d.spans, block.Limits{PageRows: 32, FrameBytes: 8, GroupRows: 64, Columns: 9, ColumnRows: 9})
		require.NoError(t, err)
		r, err := block.Open(t.Context(), memory(o.Data), logKey(o))
		require.NoError(t, err)
		require.NoError(t, r.VerifyRows(t.Context(), nil))
		for range 100 {
			data := bytes.Clone(o.Data)
			data[4+rng.IntN(len(data)-o.TailBytes-4)] ^= byte(1 + rng.IntN(255))
			forged := block.WithForgedChecksums(r, memory(data), data)
			if err := forged.VerifyRows(t.Context(), nil); err != nil {
				found++
				require.ErrorIs(t, err, block.ErrCorrupt)
				require.NotContains(t, err.Error(), "panicked")
				continue
			}
			accepted++
			rows, err := scanAll(t.Context(), forged)
			require.NoError(t, err)
			maker := filterMaker{rng, rows}
			for range 3 {
				requireFilter(t, forged, maker.filter(2), rows)
			}
			for id, trace := range byTrace(rows) {
				have, err := forged.Traces(t.Context(), []schema.TraceID{id}, vec.AllColumns())
				require.NoError(t, err)
				requireSame(t, trace, have)
			}
		}
	}
	require.Greater(t, found, 100)
	require.Greater(t, accepted, 25, "most bits of values can be anything")
}

// TestVerifyRowsFindsTextsOfNoRow: what was erased must not stay in a frame.
func TestVerifyRowsFindsTextsOfNoRow(t *testing.T) {
	spans := rowsWith(2, func(i int) []byte { return text("content", strings.Repeat(string(rune('a'+i)), 200)) })
	for i := range spans {
		spans[i].Position = 1
	}
	o, err := block.EncodeLimited(project, spans, block.Limits{ColumnRows: 1})
	require.NoError(t, err)
	data := bytes.Clone(o.Data)
	r, err := block.Open(t.Context(), memory(data), keyOf(o))
	require.NoError(t, err)
	require.NoError(t, block.WithForgedChecksums(r, memory(data), data).VerifyRows(t.Context(), nil))
	codes := &data[len(data)-o.TailBytes-1] // of the last column
	require.EqualValues(t, 0b10, *codes)
	*codes = 0b00
	err = block.WithForgedChecksums(r, memory(data), data).VerifyRows(t.Context(), nil)
	require.ErrorIs(t, err, block.ErrCorrupt)
	require.ErrorContains(t, err, "column span.content has texts of 2 rows, not 1")
}
