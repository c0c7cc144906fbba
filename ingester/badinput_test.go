package ingester_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
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
		{"value nested 10,000 deep", func(s *tracev1.Span) {
			s.Attributes = append(s.Attributes, &commonv1.KeyValue{Key: "deep", Value: nested(10_000)})
		}, "deep"},
	}
	for _, tc := range tests {
		for name, send := range transports {
			if name == "JSON" && tc.reason == "deep" {
				continue // JSON as deep is refused as a whole: TestBadRequests
			}
			t.Run(tc.name+" "+name, func(t *testing.T) {
				w := newWorld(t, logmem.Options{})
				r, b := w.receiver(), w.builder()
				odd, good, after := validSpan(), validSpan(), validSpan()
				good.SpanId, after.SpanId = bytes.Repeat([]byte{3}, 8), bytes.Repeat([]byte{4}, 8)
				tc.edit(odd)
				rejected, reason := send(w, r, tracesOf(t, odd, good))
				want := []*tracev1.Span{odd, good}
				if tc.reason != "" {
					require.EqualValues(t, 1, rejected)
					require.Contains(t, reason, tc.reason)
					want = want[1:]
				}
				require.EqualValues(t, len(want), 2-rejected, reason)
				w.requireSpans(b, want)
				w.flush(b)
				rejected, reason = send(w, r, tracesOf(t, after))
				require.Zero(t, rejected, reason)
				w.requireSpans(b, append(want, after))
			})
		}
	}
}

// transports are the ways in. Each sends TracesData as project p.
var transports = map[string]func(w *world, r *ingester.Receiver, body []byte) (rejected int64, reason string){
	"protobuf": func(w *world, r *ingester.Receiver, body []byte) (int64, string) {
		resp, reply := post(w.t, w.serve(r).URL+"/v1/traces", body, contentType, protobuf, ingester.HeaderProject, "p")
		require.Equal(w.t, 200, resp.StatusCode, string(reply))
		return partial(w.t, reply)
	},
	"gRPC": func(w *world, r *ingester.Receiver, body []byte) (int64, string) {
		code, text, reply := call(w.t, w.dial(r).Target(), traceExport, "", body)
		require.Equal(w.t, codes.OK, code, text)
		return partial(w.t, reply)
	},
	"JSON": func(w *world, r *ingester.Receiver, body []byte) (int64, string) {
		resp, reply := post(w.t, w.serve(r).URL+"/v1/traces", otlpJSON(w.t, body), contentType, jsonType, ingester.HeaderProject, "p")
		require.Equal(w.t, 200, resp.StatusCode, string(reply))
		var response collectortrace.ExportTraceServiceResponse
		require.NoError(w.t, protojson.Unmarshal(reply, &response))
		return response.GetPartialSuccess().GetRejectedSpans(), response.GetPartialSuccess().GetErrorMessage()
	},
}

// jsonID is an id as protobuf's JSON has it.
var jsonID = regexp.MustCompile(`"(?:traceId|spanId|parentSpanId)": *"([^"]*)"`)

// otlpJSON converts TracesData to JSON, in which OTLP has ids in hex.
func otlpJSON(t *testing.T, body []byte) []byte {
	t.Helper()
	var traces tracev1.TracesData
	require.NoError(t, proto.Unmarshal(body, &traces))
	text, err := protojson.Marshal(&traces)
	require.NoError(t, err)
	return jsonID.ReplaceAllFunc(text, func(match []byte) []byte {
		inBase64 := jsonID.FindSubmatch(match)[1]
		id, err := base64.StdEncoding.DecodeString(string(inBase64))
		require.NoError(t, err)
		return bytes.Replace(match, inBase64, hex.AppendEncode(nil, id), 1)
	})
}

func partial(t *testing.T, reply []byte) (int64, string) {
	t.Helper()
	var response collectortrace.ExportTraceServiceResponse
	require.NoError(t, proto.Unmarshal(reply, &response))
	return response.GetPartialSuccess().GetRejectedSpans(), response.GetPartialSuccess().GetErrorMessage()
}

func tracesOf(t *testing.T, spans ...*tracev1.Span) []byte {
	t.Helper()
	body, err := proto.Marshal(&tracev1.TracesData{ResourceSpans: []*tracev1.ResourceSpans{{
		ScopeSpans: []*tracev1.ScopeSpans{{Spans: spans}},
	}}})
	require.NoError(t, err)
	return body
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
	reply, err := otlp.AppendTracesJSON(nil, otlp.AppendTraces(nil, rows), "batches")
	require.NoError(w.t, err)
	require.True(w.t, json.Valid(reply))
	w.requireFound(joined.Segments)
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

// requireFound searches live data by an attribute of any kind.
func (w *world) requireFound(segments []catalog.Segment) {
	w.t.Helper()
	query, err := traceql.Parse(`{ name != "" || span.deep != nil || span.key = "1" }`)
	require.NoError(w.t, err)
	plan, err := engine.Compile(query)
	require.NoError(w.t, err)
	sources := make([]engine.Source, len(segments))
	for i, s := range segments {
		sources[i] = s
	}
	found, err := engine.Search(w.t.Context(), plan, [][]engine.Source{sources}, engine.SearchOptions{})
	require.NoError(w.t, err)
	require.Len(w.t, found.Traces, len(segments))
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

// inflated is what the bombs would become.
const inflated = 10 << 30

// gzipBomb is 10 MB of gzip, the densest there is: a short member many times.
func gzipBomb(t *testing.T) []byte {
	t.Helper()
	const member = 10 << 20
	var one bytes.Buffer
	z, err := gzip.NewWriterLevel(&one, gzip.BestCompression)
	require.NoError(t, err)
	_, err = z.Write(make([]byte, member))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	bomb := bytes.Repeat(one.Bytes(), inflated/member)
	require.InDelta(t, 10e6, len(bomb), 1e6)
	return bomb
}

// zstdBomb is one frame of 320 KB, by RFC 8878: blocks of one byte each that
// stand for 128 KB.
func zstdBomb(t *testing.T) []byte {
	t.Helper()
	const (
		windowOf8MB = 13 << 3
		block       = 128 << 10
		runLength   = 1 << 1 // the block's type
	)
	bomb := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, windowOf8MB}
	for i := range inflated / block {
		header := uint32(block<<3 | runLength)
		if i == inflated/block-1 {
			header |= 1 // the last
		}
		bomb = append(bomb, byte(header), byte(header>>8), byte(header>>16), 0)
	}
	require.InDelta(t, 320<<10, len(bomb), 16<<10)
	return bomb
}

// A body that inflates without end is refused at the limit, and takes no more
// than the limit and the decoder's window until then: over HTTP and gRPC.
func TestDecompressionBombs(t *testing.T) {
	const limit = 16 << 20
	w := newWorld(t, logmem.Options{})
	w.cfg.MaxRequestBytes, w.cfg.MaxInflightBytes = limit, 2*limit
	r, b := w.receiver(), w.builder()
	url := w.serve(r).URL + "/v1/traces"
	addr := w.dial(r).Target()
	bombs := map[string][]byte{"gzip": gzipBomb(t), "zstd": zstdBomb(t)}
	for encoding, bomb := range bombs {
		for _, kind := range []string{protobuf, jsonType} {
			t.Run(encoding+" "+kind, func(t *testing.T) {
				// All that was allocated, freed or not.
				allocated := allocations(func() {
					resp, body := post(t, url, bomb, contentType, kind, contentEncoding, encoding)
					require.Equal(t, 413, resp.StatusCode, string(body))
					require.Contains(t, string(body), strconv.Itoa(limit))
				})
				require.Less(t, allocated, uint64(2*limit))
				require.Zero(t, ingester.InflightBytes(r))
			})
		}
		t.Run(encoding+" gRPC", func(t *testing.T) {
			// grpc collects what arrives, the bomb itself, and inflates then.
			allocated := allocations(func() {
				code, text, _ := call(t, addr, traceExport, encoding, bomb)
				require.Equal(t, codes.ResourceExhausted, code, text)
			})
			require.Less(t, allocated, uint64(2*limit+4*len(bomb)))
		})
	}
	w.requireWorking(url, b)
}

// allocations is how many bytes f allocates, and whatever goes on meanwhile.
func allocations(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
