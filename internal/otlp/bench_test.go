package otlp

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// sample is a request of 500 spans in ten traces, with contentBytes of text in
// each beside small attributes.
func sample(tb testing.TB, contentBytes int) []byte {
	tb.Helper()
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	for _, k := range []string{"service.name", "service.version", "host.name", "k8s.pod.name", "process.pid", "telemetry.sdk.name"} {
		rs.Resource().Attributes().PutStr(k, "value of "+k)
	}
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("bench")
	for i := range 500 {
		s := ss.Spans().AppendEmpty()
		var id [16]byte
		binary.BigEndian.PutUint64(id[8:], uint64(i/50+1))
		s.SetTraceID(id)
		s.SetSpanID([8]byte(binary.BigEndian.AppendUint64(nil, uint64(i+1))))
		s.SetParentSpanID([8]byte(binary.BigEndian.AppendUint64(nil, uint64(i+2))))
		s.SetName("GET /orders/{id}")
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.Timestamp(1_795_243_278_421_182_036))
		s.SetEndTimestamp(pcommon.Timestamp(1_795_243_278_521_182_036))
		s.Attributes().PutStr("http.request.method", "GET")
		s.Attributes().PutInt("http.response.status_code", 200)
		s.Attributes().PutStr("http.route", "/orders/{id}")
		if contentBytes > 0 {
			s.Attributes().PutStr("gen_ai.input.messages", strings.Repeat("word ", contentBytes/5))
		}
	}
	body, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(tb, err)
	return body
}

func samples(b *testing.B) map[string][]byte {
	b.Helper()
	recorded, err := os.ReadFile("testdata/openinference-js.pb")
	require.NoError(b, err)
	return map[string][]byte{"small": sample(b, 0), "4KB": sample(b, 4000), "recorded": recorded}
}

func runSamples(b *testing.B, f func(b *testing.B, body []byte)) {
	b.Helper()
	for name, body := range samples(b) {
		b.Run("spans="+name, func(b *testing.B) { f(b, body) })
	}
}

// reportRatio measures f and reports how many times faster it is than the
// collector's decoding of the same request: the median over rounds in which
// each runs right after the other, so that a busy machine slows both.
func reportRatio(b *testing.B, body []byte, f func()) {
	b.Helper()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		f()
	}
	u := &ptrace.ProtoUnmarshaler{}
	pdata := func() {
		if _, err := u.UnmarshalTraces(body); err != nil {
			b.Fatal(err)
		}
	}
	const rounds, legNanos = 31, 2_000_000
	times := max(legNanos*int64(b.N)/max(int64(b.Elapsed()), 1), 1)
	leg := func(f func(), times int64) float64 {
		begun := time.Now()
		for range times {
			f()
		}
		return float64(time.Since(begun)) / float64(times)
	}
	var ratios []float64
	for range rounds {
		ours := leg(f, times)
		ratios = append(ratios, leg(pdata, (times+4)/5)/ours)
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[rounds/2], "x-pdata")
}

func BenchmarkSplit(b *testing.B) {
	runSamples(b, func(b *testing.B, body []byte) {
		b.Helper()
		var s Splitter
		reportRatio(b, body, func() {
			if got, err := s.Split(body, 4, 900_000); err != nil || got.Rejected > 0 {
				b.Fatal(got.Reason, err)
			}
		})
	})
}

// BenchmarkSplitAndWrite is what receiving does with the bytes of a request
// before they are compressed: the chunks are written into the log's messages.
func BenchmarkSplitAndWrite(b *testing.B) {
	runSamples(b, func(b *testing.B, body []byte) {
		b.Helper()
		var s Splitter
		var out []byte
		reportRatio(b, body, func() {
			got, err := s.Split(body, 4, 900_000)
			if err != nil {
				b.Fatal(err)
			}
			out = out[:0]
			for i := range got.Chunks {
				out = got.Chunks[i].AppendTo(out)
			}
		})
	})
}

// findIDs walks a span as far as it must to have both ids, which the collector
// writes last. It trusts the span to be what sample makes.
func findIDs(span []byte, ids *spanIDs) fault {
	for i := 0; i < len(span) && (ids.trace.end == 0 || ids.span.end == 0); {
		tag, at := span[i], i+1
		switch protowire.Type(tag & 7) {
		case protowire.BytesType:
			n := int(span[at])
			if at++; n >= 0x80 {
				var size uint64
				size, at = uvarint(span, at-1)
				n = int(size)
			}
			if i = at + n; tag <= spanSpanID<<3|7 {
				ids.set(uint64(tag>>3), byteRange{at, i})
			}
		case protowire.Fixed64Type:
			i = at + 8
		case protowire.VarintType:
			_, i = uvarint(span, at)
		default:
			f, flt := readField(span, i)
			if i = f.end; flt != faultNone {
				return flt
			}
		}
	}
	return faultNone
}

func BenchmarkSplitWithoutValidation(b *testing.B) {
	runSamples(b, func(b *testing.B, body []byte) {
		b.Helper()
		var s Splitter
		reportRatio(b, body, func() {
			if got, err := s.split(body, 4, 900_000, findIDs, Rules{}); err != nil || got.Rejected > 0 {
				b.Fatal(got.Reason, err)
			}
		})
	})
}

func BenchmarkDecode(b *testing.B) {
	runSamples(b, func(b *testing.B, body []byte) {
		b.Helper()
		d := NewDecoder()
		var rows []schema.Span
		reportRatio(b, body, func() {
			var err error
			if rows, err = d.Decode(body, 1, rows[:0]); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func BenchmarkAppendTraces(b *testing.B) {
	runSamples(b, func(b *testing.B, body []byte) {
		b.Helper()
		rows, err := NewDecoder().Decode(body, 1, nil)
		require.NoError(b, err)
		var out []byte
		reportRatio(b, body, func() { out = AppendTraces(out[:0], rows) })
	})
}

func BenchmarkAppendTracesJSON(b *testing.B) {
	runSamples(b, func(b *testing.B, body []byte) {
		b.Helper()
		var out []byte
		reportRatio(b, body, func() {
			var err error
			if out, err = AppendTracesJSON(out[:0], body, "batches"); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func BenchmarkFromJSON(b *testing.B) {
	runSamples(b, func(b *testing.B, body []byte) {
		b.Helper()
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
		require.NoError(b, err)
		text, err := (&ptrace.JSONMarshaler{}).MarshalTraces(td)
		require.NoError(b, err)
		reportRatio(b, body, func() {
			if _, err := FromJSON(text); err != nil {
				b.Fatal(err)
			}
		})
	})
}

func BenchmarkLookup(b *testing.B) {
	row, err := NewDecoder().Decode(sample(b, 4000), 1, nil)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := Lookup(row[0].Attributes, "http.route"); !ok {
			b.Fatal("not found")
		}
	}
}

// TestSampleIsWhatBenchmarksSay keeps the benchmarks honest about their input.
func TestSampleIsWhatBenchmarksSay(t *testing.T) {
	rows, err := NewDecoder().Decode(sample(t, 4000), 1, nil)
	require.NoError(t, err)
	require.Len(t, rows, 500)
	require.Equal(t, 1, bytes.Count(rows[0].Attributes, []byte("gen_ai.input.messages")))
	require.Greater(t, len(rows[0].Attributes), 4000)
}
