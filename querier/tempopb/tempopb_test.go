package tempopb_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/querier/tempopb/tempopbtest"
	"github.com/spanlake/spanlake/schema"
)

// random makes replies.
type random struct{ *rand.Rand }

func (r random) text() string {
	return []string{"", "a", "shop", "<é>\"\n", strings.Repeat("x", r.IntN(300))}[r.IntN(5)]
}

func (r random) value(depth int) schema.Value {
	kinds := 5
	if depth < 3 {
		kinds = 8
	}
	switch r.IntN(kinds) {
	case 0:
		return schema.Value{Kind: schema.KindString, Str: r.text()}
	case 1:
		return schema.Value{Kind: schema.KindBool, Bool: r.IntN(2) > 0}
	case 2:
		return schema.Value{Kind: schema.KindInt, Int: r.Int64() - r.Int64()}
	case 3:
		return schema.Value{Kind: schema.KindDouble, Double: []float64{0, -1.5, 1e300, math.Inf(1), 1e-9}[r.IntN(5)]}
	case 4:
		return schema.Value{Kind: schema.KindBytes, Str: "\x00\xff" + r.text()}
	case 5:
		return schema.Value{}
	case 6:
		v := schema.Value{Kind: schema.KindArray}
		for range r.IntN(3) {
			v.Array = append(v.Array, r.value(depth+1))
		}
		return v
	}
	return schema.Value{Kind: schema.KindMap, Map: r.attributes(depth + 1)}
}

func (r random) attributes(depth int) (list []schema.Attribute) {
	for range r.IntN(4) {
		list = append(list, schema.Attribute{Key: r.text(), Value: r.value(depth)})
	}
	return list
}

func (r random) trace(i int) engine.TraceResult {
	t := engine.TraceResult{
		RootServiceName: r.text(), RootTraceName: r.text(), StartNanos: r.Uint64N(3), DurationMs: r.Uint32N(3),
	}
	copy(t.TraceID[:], fmt.Sprintf("%016d", i))
	for range r.IntN(3) {
		set := engine.SpanSet{Matched: r.Uint32N(5), Attributes: r.attributes(0)}
		for range r.IntN(4) {
			set.Spans = append(set.Spans, engine.SpanResult{
				SpanID: schema.SpanID{byte(r.IntN(9))}, Name: r.text(), StartNanos: r.Uint64N(2) << 62, DurationNanos: r.Uint64N(2), Attributes: r.attributes(0),
			})
		}
		t.SpanSets = append(t.SpanSets, set)
	}
	for i := range r.IntN(3) {
		t.ServiceStats = append(t.ServiceStats, engine.ServiceStats{
			Service: fmt.Sprint(r.text(), i), SpanCount: r.Uint32N(3), ErrorCount: r.Uint32N(3),
		})
	}
	return t
}

func (r random) searchMetrics() tempopb.SearchMetrics {
	return tempopb.SearchMetrics{
		InspectedTraces: r.Uint32N(2), InspectedBytes: r.Uint64N(2) << 40, TotalBlocks: r.Uint32N(2), CompletedJobs: r.Uint32N(2),
		TotalJobs: r.Uint32N(2), TotalBlockBytes: r.Uint64N(2), InspectedSpans: r.Uint64N(2),
	}
}

func (r random) replies() map[string]tempopb.Reply {
	metadata := tempopb.MetadataMetrics{
		InspectedBytes: r.Uint64N(2), TotalJobs: r.Uint32N(2), CompletedJobs: r.Uint32N(2), TotalBlocks: r.Uint32N(2), TotalBlockBytes: r.Uint64N(2),
	}
	search := &tempopb.SearchResponse{Bare: r.IntN(4) == 0, Metrics: r.searchMetrics()}
	names, texts := &tempopb.Texts{Name: tempopb.NamesOfTags, Metrics: metadata}, &tempopb.Texts{Name: tempopb.ValuesOfTag, Metrics: metadata}
	scopes, values := &tempopb.Scopes{Metrics: metadata}, &tempopb.Values{Metrics: metadata}
	samples := &tempopb.QueryRangeResponse{Times: []uint64{0, 1e6, 2e9}, Metrics: r.searchMetrics(), Message: r.text()}
	instant := &tempopb.QueryInstantResponse{Metrics: r.searchMetrics(), Message: r.text()}
	for i := range r.IntN(4) {
		search.Traces = append(search.Traces, r.trace(i))
		names.List, texts.List = append(names.List, r.text()), append(texts.List, r.text())
		scopes.List = append(scopes.List, tempopb.Scope{Name: r.text(), Tags: []string{r.text()}})
		values.List = append(values.List, tempopb.Value{Type: "string", Value: r.text()})
		samples.Series = append(samples.Series, engine.Series{
			Labels: r.attributes(0), Values: []float64{0, math.NaN(), r.Float64()},
			Exemplars: []engine.Exemplar{{StartNanos: r.Uint64N(2) * 1e6, Value: r.Float64(), Labels: r.attributes(0)}},
		})
		instant.Series = append(instant.Series, engine.Series{Labels: r.attributes(0), Values: []float64{r.Float64()}})
	}
	return map[string]tempopb.Reply{
		"SearchResponse": search, "SearchTagsResponse": names, "SearchTagValuesResponse": texts, "SearchTagsV2Response": scopes,
		"SearchTagValuesV2Response": values, "QueryRangeResponse": samples, "QueryInstantResponse": instant,
	}
}

// Both forms say the same, and messages that were cut say it together: in
// protobuf, messages one after the other are one message.
func TestFormsAgree(t *testing.T) {
	api := tempopbtest.Load(t)
	for seed := range uint64(200) {
		r := random{rand.New(rand.NewPCG(seed, 1))}
		for name, reply := range r.replies() {
			text := string(tempopb.Append(nil, tempopb.JSON, reply))
			want := api.JSON(t, name, text)
			whole := api.Protobuf(t, name, tempopb.Append(nil, tempopb.Protobuf, reply))
			require.True(t, proto.Equal(want, whole), "%s of seed %d: %s\n%s", name, seed, text, whole)
			all := api.New(t, name)
			for message := range tempopb.Messages(reply, math.MaxInt) {
				proto.Merge(all, api.Protobuf(t, name, message))
			}
			require.True(t, proto.Equal(want, all), "%s of seed %d", name, seed)
			require.True(t, tempopbtest.Has(t, whole, "metrics"))
		}
	}
}

func TestMessagesAreCut(t *testing.T) {
	api := tempopbtest.Load(t)
	const most = 4096
	r := random{rand.New(rand.NewPCG(7, 7))}
	reply := &tempopb.SearchResponse{Metrics: tempopb.SearchMetrics{CompletedJobs: 1, TotalJobs: 2}}
	var ids []string
	for i := range 100 {
		reply.Traces = append(reply.Traces, r.trace(i))
		ids = append(ids, reply.Traces[i].TraceID.String())
	}
	// One that fits only without most of its spans, and one without its spansets.
	for i := range 500 {
		reply.Traces[3].SpanSets = append(reply.Traces[3].SpanSets, engine.SpanSet{Matched: uint32(i + 1)})
		reply.Traces[5].SpanSets = []engine.SpanSet{{Matched: 500, Spans: make([]engine.SpanResult, 100)}}
	}
	for i := range reply.Traces[5].SpanSets[0].Spans {
		reply.Traces[5].SpanSets[0].Spans[i].Name = strings.Repeat("n", 200)
	}
	var got []string
	messages := 0
	for message := range tempopb.Messages(reply, most) {
		require.LessOrEqual(t, len(message), most)
		messages++
		m := api.Protobuf(t, "SearchResponse", message)
		require.EqualValues(t, 2, tempopbtest.Get(t, m, "metrics", "totalJobs").Uint(), "metrics are in every message")
		list := tempopbtest.Get(t, m, "traces").List()
		for i := range list.Len() {
			trace := list.Get(i).Message()
			got = append(got, tempopbtest.Get(t, trace, "traceID").String())
			if got[len(got)-1] == ids[5] {
				set := tempopbtest.Get(t, trace, "spanSets").List().Get(0).Message()
				require.EqualValues(t, 500, tempopbtest.Get(t, set, "matched").Uint(), "the true number")
				require.Positive(t, tempopbtest.Get(t, set, "spans").List().Len())
			}
		}
	}
	require.Equal(t, ids, got)
	require.Greater(t, messages, 5)
}

func TestSeriesAreCut(t *testing.T) {
	api := tempopbtest.Load(t)
	const steps = 100_000
	reply := &tempopb.QueryRangeResponse{Windows: true, Times: make([]uint64, steps), Series: []engine.Series{{Values: make([]float64, steps)}}}
	long := schema.Attribute{Key: "k", Value: schema.Value{Kind: schema.KindString, Str: strings.Repeat("x", 64<<10)}}
	for range 100 {
		reply.Series[0].Exemplars = append(reply.Series[0].Exemplars, engine.Exemplar{Labels: []schema.Attribute{long}})
	}
	for i := range steps {
		reply.Times[i], reply.Series[0].Values[i] = uint64(i+1)*1e9, float64(i+1)
	}
	seen, exemplars := 0, 0
	for message := range tempopb.Messages(reply, tempopb.MaxMessageBytes) {
		require.LessOrEqual(t, len(message), tempopb.MaxMessageBytes)
		list := tempopbtest.Get(t, api.Protobuf(t, "QueryRangeResponse", message), "series").List()
		for i := range list.Len() {
			samples := tempopbtest.Get(t, list.Get(i).Message(), "samples").List()
			for j := range samples.Len() {
				seen++
				require.EqualValues(t, seen*1000, tempopbtest.Get(t, samples.Get(j).Message(), "timestampMs").Int())
			}
			exemplars += tempopbtest.Get(t, list.Get(i).Message(), "exemplars").List().Len()
		}
	}
	require.Equal(t, steps, seen)
	require.Equal(t, 100, exemplars)
	reply.Windows = false
	whole := api.JSON(t, "QueryRangeResponse", string(tempopb.Append(nil, tempopb.JSON, reply)))
	require.Equal(t, 1, tempopbtest.Get(t, whole, "series").List().Len())
}

// What cannot be made shorter goes out as it is, and the rest as well.
func TestLongElements(t *testing.T) {
	long := strings.Repeat("x", 5000)
	names := &tempopb.Texts{List: []string{"a", long, "b"}}
	require.Len(t, slices.Collect(tempopb.Messages(names, 1000)), 3)
	scopes := &tempopb.Scopes{List: []tempopb.Scope{{Name: "span", Tags: slices.Repeat([]string{long[:300]}, 100)}}}
	for message := range tempopb.Messages(scopes, 1000) {
		require.LessOrEqual(t, len(message), 1000)
	}
	require.Len(t, slices.Collect(tempopb.Messages(&tempopb.Texts{}, 10)), 1, "an empty answer is one")
}

func TestTextIsUTF8(t *testing.T) {
	api := tempopbtest.Load(t)
	reply := &tempopb.SearchResponse{Traces: []engine.TraceResult{{SpanSets: []engine.SpanSet{{
		Attributes: []schema.Attribute{{Key: "k\xff", Value: schema.Value{Kind: schema.KindString, Str: "v\xff"}}},
	}}}}}
	m := api.Protobuf(t, "SearchResponse", tempopb.Append(nil, tempopb.Protobuf, reply))
	require.True(t, proto.Equal(m, api.JSON(t, "SearchResponse", string(tempopb.Append(nil, tempopb.JSON, reply)))))
}

func BenchmarkAppend(b *testing.B) {
	r := random{rand.New(rand.NewPCG(7, 7))}
	reply := &tempopb.SearchResponse{}
	for i := range 1000 {
		reply.Traces = append(reply.Traces, r.trace(i))
	}
	for name, format := range map[string]tempopb.Format{"json": tempopb.JSON, "protobuf": tempopb.Protobuf} {
		b.Run("form="+name, func(b *testing.B) {
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out = tempopb.Append(nil, format, reply)
			}
			b.SetBytes(int64(len(out)))
		})
	}
}
