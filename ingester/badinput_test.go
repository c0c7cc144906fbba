package ingester_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// textValue is a string attribute.
func textValue(key, value string) *commonv1.KeyValue {
	return &commonv1.KeyValue{Key: key, Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: value}}}
}

func validSpan() *tracev1.Span {
	return &tracev1.Span{
		TraceId: bytes.Repeat([]byte{1}, 16), SpanId: bytes.Repeat([]byte{2}, 8), Name: "odd one",
		StartTimeUnixNano: 1e18, EndTimeUnixNano: 1e18 + 5, Status: &tracev1.Status{},
	}
}

func nested(depth int) *commonv1.AnyValue {
	v := &commonv1.AnyValue{Value: &commonv1.AnyValue_BoolValue{BoolValue: true}}
	for range depth {
		v = &commonv1.AnyValue{Value: &commonv1.AnyValue_ArrayValue{ArrayValue: &commonv1.ArrayValue{Values: []*commonv1.AnyValue{v}}}}
	}
	return v
}

// What is odd but can be kept comes back as it was sent; what cannot be is
// refused by name and takes nothing else with it.
func TestOddSpans(t *testing.T) {
	tests := []struct {
		name   string
		edit   func(s *tracev1.Span)
		reason string // "": stored and returned unchanged
	}{
		{"trace id of 15 bytes", func(s *tracev1.Span) { s.TraceId = s.TraceId[:15] }, "trace id"},
		{"trace id of 17 bytes", func(s *tracev1.Span) { s.TraceId = bytes.Repeat([]byte{1}, 17) }, "trace id"},
		{"no trace id", func(s *tracev1.Span) { s.TraceId = nil }, "trace id"},
		{"trace id of zeros", func(s *tracev1.Span) { s.TraceId = make([]byte, 16) }, "trace id"},
		{"span id of 7 bytes", func(s *tracev1.Span) { s.SpanId = s.SpanId[:7] }, "span id"},
		{"span id of zeros", func(s *tracev1.Span) { s.SpanId = make([]byte, 8) }, "span id"},
		{"parent id of 3 bytes", func(s *tracev1.Span) { s.ParentSpanId = []byte{1, 2, 3} }, "parent"},
		{"parent id of zeros", func(s *tracev1.Span) { s.ParentSpanId = make([]byte, 8) }, ""},
		{"times of 0", func(s *tracev1.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 0, 0 }, ""},
		{"year 2200", func(s *tracev1.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 7258118400e9, 7258118401e9 }, ""},
		{"largest times", func(s *tracev1.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = math.MaxUint64-1, math.MaxUint64 }, ""},
		{"negative duration", func(s *tracev1.Span) { s.EndTimeUnixNano = s.StartTimeUnixNano - 1e9 }, ""},
		{"kind and status that do not exist", func(s *tracev1.Span) { s.Kind, s.Status = -7, &tracev1.Status{Code: 99, Message: "?"} }, ""},
		{"no name", func(s *tracev1.Span) { s.Name = "" }, ""},
		{"100,000 attributes", func(s *tracev1.Span) {
			for i := range 100_000 {
				s.Attributes = append(s.Attributes, textValue(fmt.Sprintf("key.%d", i), "v"))
			}
		}, ""},
		{"one key 1,000 times", func(s *tracev1.Span) {
			for i := range 1000 {
				s.Attributes = append(s.Attributes, textValue("key", strconv.Itoa(i)))
			}
		}, ""},
		{"key of 10 MB", func(s *tracev1.Span) {
			s.Attributes = append(s.Attributes, textValue(strings.Repeat("k", 10<<20), "v"))
		}, ""},
		{"empty key, no value", func(s *tracev1.Span) { s.Attributes = append(s.Attributes, &commonv1.KeyValue{}, textValue("", "")) }, ""},
		{"value nested 60 deep", func(s *tracev1.Span) {
			s.Attributes = append(s.Attributes, &commonv1.KeyValue{Key: "deep", Value: nested(60)})
		}, ""},
		{"value nested 5,000 deep", func(s *tracev1.Span) {
			s.Attributes = append(s.Attributes, &commonv1.KeyValue{Key: "deep", Value: nested(5000)})
		}, "deep"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, logmem.Options{})
			r, b := w.receiver(), w.builder()
			odd := validSpan()
			tc.edit(odd)
			good := validSpan()
			good.SpanId = bytes.Repeat([]byte{3}, 8)
			body, err := proto.Marshal(&tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{
				ScopeSpans: []*tracev1.ScopeSpans{{Spans: []*tracev1.Span{odd, good}}},
			}}})
			require.NoError(t, err)
			result, err := r.Receive(t.Context(), "p", body)
			require.NoError(t, err)
			want := []*tracev1.Span{odd, good}
			if tc.reason != "" {
				require.Equal(t, 1, result.Rejected)
				require.Contains(t, result.Reason, tc.reason)
				want = want[1:]
			}
			require.Equal(t, len(want), 2-result.Rejected, result.Reason)
			w.requireSpans(b, want)
			w.flush(b)
			w.requireSpans(b, want)
		})
	}
}

// requireSpans compares all spans of project p with want.
func (w *world) requireSpans(live catalog.Live, want []*tracev1.Span) {
	w.t.Helper()
	joined, err := w.catalog().Join(w.t.Context(), live, "p", []int{0}, nil)
	require.NoError(w.t, err)
	var rows []schema.Span
	for _, name := range joined.Blocks {
		rows = append(rows, w.blockRows(name)...)
	}
	for _, segment := range joined.Segments {
		for chunk, err := range segment.Scan(w.t.Context(), everything(), vec.AllColumns()) {
			require.NoError(w.t, err)
			rows = append(rows, chunk...)
		}
	}
	have := map[string]*tracev1.Span{}
	for i := range rows {
		s := new(tracev1.Span)
		require.NoError(w.t, proto.Unmarshal(otlp.AppendSpan(nil, &rows[i]), s))
		have[string(s.GetSpanId())] = s
	}
	require.Len(w.t, have, len(want))
	require.Len(w.t, rows, len(want))
	for _, s := range want {
		require.True(w.t, proto.Equal(s, have[string(s.GetSpanId())]), "span %x came back changed", s.GetSpanId())
	}
}

// Text that is not UTF-8 is kept byte for byte.
func TestTextThatIsNotUTF8(t *testing.T) {
	w := newWorld(t, logmem.Options{})
	r, b := w.receiver(), w.builder()
	broken := append(span(1, "na\xffme"), otlp.AppendKeyValue(nil, 9, "k\xfe", schema.Value{Kind: schema.KindString, Str: "v\x80"})...)
	result, err := r.Receive(t.Context(), "p", appendField(nil, 1, appendField(nil, 2, appendField(nil, 2, broken))))
	require.NoError(t, err)
	require.Zero(t, result.Rejected, result.Reason)
	w.flush(b)
	joined, err := w.catalog().Join(t.Context(), b, "p", []int{0}, nil)
	require.NoError(t, err)
	require.Len(t, joined.Blocks, 1)
	rows := w.blockRows(joined.Blocks[0])
	require.Len(t, rows, 1)
	require.Equal(t, "na\ufffdme", rows[0].Name, "columns hold valid text")
	wire := string(otlp.AppendSpan(nil, &rows[0]))
	require.Contains(t, wire, "na\xffme", "what was sent comes last and wins")
	value, ok := otlp.Lookup(rows[0].Attributes, "k\xfe")
	require.True(t, ok)
	require.Equal(t, "v\x80", value.Str)
}

// zeros is an endless body, cut off at n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// A body that inflates without end is refused at the limit, and what it took
// until then is bounded by the limit, not by what it would become.
func TestDecompressionBombs(t *testing.T) {
	const limit = 8 << 20
	bombs := map[string]func(io.Writer) (io.WriteCloser, error){
		"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.BestCompression) },
		"zstd": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) },
	}
	for encoding, compress := range bombs {
		t.Run(encoding, func(t *testing.T) {
			w := newWorld(t, logmem.Options{})
			w.cfg.MaxRequestBytes, w.cfg.MaxInflightBytes = limit, 2*limit
			url := w.serve(w.receiver()).URL + "/v1/traces"
			var bomb bytes.Buffer
			z, err := compress(&bomb)
			require.NoError(t, err)
			_, err = io.Copy(z, zeros(1<<30/thinning))
			require.NoError(t, err)
			require.NoError(t, z.Close())
			require.Less(t, bomb.Len(), limit/4)

			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			resp, body := post(t, url, bomb.Bytes(), contentType, protobuf, contentEncoding, encoding)
			runtime.ReadMemStats(&after)
			require.Equal(t, 413, resp.StatusCode, string(body))
			// All that was allocated, freed or not: the doubling buffer adds up
			// to twice the limit, the decoder has its window.
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(5*limit))
		})
	}
}
