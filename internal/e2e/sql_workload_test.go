//go:build sql

package e2e_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/schema"
)

const (
	// adasID is the trace that the page asks for.
	adasID = "4bf92f3577b34da6a3ce929d0e0e4736"
	// rareSpans have an attribute that nobody else has.
	rareSpans = 3
)

// sqlSpan is a span as it was sent.
type sqlSpan struct {
	*tracepb.Span

	resource, attrs map[string]*commonpb.AnyValue
}

func (s sqlSpan) str(key string) string { return s.attrs[key].GetStringValue() }

func (s sqlSpan) service() string { return s.resource["service.name"].GetStringValue() }

func (s sqlSpan) start() time.Time { return time.Unix(0, int64(s.GetStartTimeUnixNano())).UTC() }

func (s sqlSpan) millis() float64 {
	return float64(s.GetEndTimeUnixNano()-s.GetStartTimeUnixNano()) / 1e6
}

// sentSpans is what a server was sent.
type sentSpans struct {
	spans    []sqlSpan // without the old ones
	repeated int       // of these, those that were sent before
	old      int       // spans of another day

	blocks    int // that count
	oldBlocks int // of these, those with nothing but old spans
	leftovers int // that others cover
}

func (s *sentSpans) traces() map[string]bool {
	ids := map[string]bool{}
	for _, span := range s.spans {
		ids[string(span.GetTraceId())] = true
	}
	return ids
}

// storeWorkload makes a server store a workload below dir, in blocks of
// different kinds, and leaves some blocks that others cover.
func storeWorkload(t *testing.T, dir string) *sentSpans {
	t.Helper()
	data := filepath.Join(dir, "spanlake-data")
	s := startServer(t, data, noCutByAge, "-log.partitions=2")
	micro := slices.Collect(corpus.Workload(1, 12_000, corpus.MixMicro))
	sent := &sentSpans{}
	for _, batch := range [][][]byte{
		micro,
		slices.Collect(corpus.Workload(2, 3000, corpus.MixLLM)),
		append(slices.Collect(corpus.Workload(3, 5000, corpus.MixBoth)), wire(t, adasSpans()), micro[0]),
	} {
		for _, body := range batch {
			require.NoError(t, s.export(t.Context(), request{protocol: corpus.HTTPProtobuf, body: body}))
			sent.add(t, body)
		}
		require.NoError(t, s.flush(t.Context()))
	}
	sent.repeated = spanCount(t, micro[0])
	before := len(blockFiles(t, data))

	old := spanOf("old", nil, -24*time.Hour, time.Second)
	require.NoError(t, s.export(t.Context(), request{protocol: corpus.HTTPProtobuf, body: wire(t, exportOf(old))}))
	require.NoError(t, s.flush(t.Context()))
	s.stop()
	files := blockFiles(t, data)
	sent.old, sent.blocks, sent.oldBlocks = 1, len(files), len(files)-before
	sent.leave(t, data, files)
	return sent
}

// add keeps account of a request.
func (s *sentSpans) add(t *testing.T, body []byte) {
	t.Helper()
	var data tracepb.TracesData
	require.NoError(t, proto.Unmarshal(body, &data))
	for _, rs := range data.GetResourceSpans() {
		resource := valuesOf(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, span := range ss.GetSpans() {
				s.spans = append(s.spans, sqlSpan{span, resource, valuesOf(span.GetAttributes())})
			}
		}
	}
}

func valuesOf(attributes []*commonpb.KeyValue) map[string]*commonpb.AnyValue {
	values := map[string]*commonpb.AnyValue{}
	for _, kv := range attributes {
		values[kv.GetKey()] = kv.GetValue()
	}
	return values
}

func spanCount(t *testing.T, body []byte) int {
	t.Helper()
	var s sentSpans
	s.add(t, body)
	return len(s.spans)
}

// leave copies blocks to names that others cover: as a merge that was killed
// before it removed its inputs leaves them.
func (s *sentSpans) leave(t *testing.T, data string, files []string) {
	t.Helper()
	wide := 0
	for i, file := range files {
		key, err := filepath.Rel(filepath.Join(data, "bucket"), file)
		require.NoError(t, err)
		name, err := schema.ParseBlockName(filepath.ToSlash(key))
		require.NoError(t, err)
		copies := []schema.BlockName{name, name}
		copies[0].LogNanos++ // of equal blocks the smallest name counts
		if name.Last > name.First {
			copies[1].First++
			copies[1].Level = 2 // counts for equal ranges only
			wide++
		} else {
			copies = copies[:1]
		}
		if i == 0 { // a merged block takes the place of the original
			copies[0] = name
			copies[0].Level++
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, c := range copies {
			path := filepath.Join(data, "bucket", filepath.FromSlash(c.Key()))
			require.NoError(t, os.WriteFile(path, content, 0o600))
			s.leftovers++
		}
	}
	require.Positive(t, wide, "no block covers more than a message")
}

func blockFiles(t *testing.T, data string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "bucket/blocks/default/*/*/*.parquet"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

func wire(t *testing.T, data *tracepb.TracesData) []byte {
	t.Helper()
	body, err := proto.Marshal(data)
	require.NoError(t, err)
	return body
}

// spanOf makes a span of Ada's trace that begins at a time after the
// workload's start.
func spanOf(name string, parent *tracepb.Span, after, duration time.Duration, attributes ...*commonpb.KeyValue) *tracepb.Span {
	trace, _ := hex.DecodeString(adasID) // a constant
	start := uint64(corpus.WorkloadStart + after.Nanoseconds())
	return &tracepb.Span{
		TraceId: trace, SpanId: []byte((name + "........")[:8]), ParentSpanId: parent.GetSpanId(), Name: name,
		Kind: tracepb.Span_SPAN_KIND_CLIENT, StartTimeUnixNano: start, EndTimeUnixNano: start + uint64(duration), Attributes: attributes,
	}
}

func attribute(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

// adasSpans is the trace and the conversation that the page asks for.
func adasSpans() *tracepb.TracesData {
	root := spanOf("help", nil, time.Minute, 10*time.Second)
	message := func(role, text string) string {
		return `{"role":"` + role + `","parts":[{"type":"text","content":"` + text + `"}]}`
	}
	talk := attribute("gen_ai.conversation.id", "session-of-ada")
	spans := []*tracepb.Span{
		spanOf("answer", root, time.Minute+6*time.Second, 2*time.Second, talk,
			attribute("gen_ai.input.messages", "["+message("user", "Where is it?")+","+message("assistant", "Which one?")+","+message("user", "The blue one.")+"]"),
			attribute("gen_ai.output.messages", "["+message("assistant", "Here.")+"]")),
		root,
		spanOf("ask", root, time.Minute+time.Second, 3*time.Second, talk,
			attribute("gen_ai.input.messages", "["+message("user", "Where is it?")+"]"),
			attribute("gen_ai.output.messages", "["+message("assistant", "Which one?")+"]")),
		spanOf("refuse", root, time.Minute+9*time.Second, time.Second, talk, attribute("gen_ai.input.messages", "[]")),
	}
	for i := range rareSpans {
		spans[i].Attributes = append(spans[i].Attributes, attribute("warehouse.slot", "A-17"))
	}
	for i := range 8 { // a key with a colon, often enough for a column
		spans = append(spans, spanOf("order "+string('a'+rune(i)), root, time.Minute+time.Duration(i)*time.Millisecond, 0, attribute("order:id", "7")))
	}
	return exportOf(spans...)
}

func adasTrace(s *sentSpans) (want [][]any) {
	trace, _ := hex.DecodeString(adasID) // a constant
	spans := slices.Collect(func(yield func(sqlSpan) bool) {
		for _, span := range s.spans {
			if string(span.GetTraceId()) == string(trace) && !yield(span) {
				return
			}
		}
	})
	slices.SortFunc(spans, func(a, b sqlSpan) int { return a.start().Compare(b.start()) })
	for _, span := range spans {
		parent := any(nil)
		if len(span.GetParentSpanId()) > 0 {
			parent = hex.EncodeToString(span.GetParentSpanId())
		}
		want = append(want, []any{hex.EncodeToString(span.GetSpanId()), parent, "shop", span.GetName(), span.millis()})
	}
	return want
}

func adasTalk(*sentSpans) [][]any {
	at := func(after time.Duration) string {
		return time.Unix(0, corpus.WorkloadStart).UTC().Add(time.Minute + after).Format(time.RFC3339)
	}
	return [][]any{{at(time.Second), "Where is it?", "Which one?"}, {at(6 * time.Second), "The blue one.", "Here."}}
}
