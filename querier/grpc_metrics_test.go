package querier_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// point is a sample of a series.
type point struct {
	labels string
	millis int64
}

// pointsOf are those of a message, as a client reads them.
func pointsOf(t *testing.T, m proto.Message) map[point]float64 {
	t.Helper()
	text, err := protojson.Marshal(m)
	require.NoError(t, err)
	var r metricsReply
	require.NoError(t, json.Unmarshal(text, &r))
	points := make(map[point]float64)
	for _, s := range r.Series {
		labels := labelsText(t, s.Labels)
		for _, p := range s.Samples {
			points[point{labels, p.TimestampMs}] = p.Value
		}
		if len(s.Samples) == 0 {
			points[point{labels, 0}] = s.Value
		}
	}
	return points
}

// overStream are the messages of a metrics query of the HTTP API.
func overStream(t *testing.T, c *caller, path string) []*dynamicpb.Message {
	t.Helper()
	u, err := url.Parse(path)
	require.NoError(t, err)
	fields := map[string]any{"query": u.Query().Get("q")}
	for _, name := range []string{"start", "end"} {
		fields[name] = u.Query().Get(name) + "000000000"
	}
	method, message := "MetricsQueryInstant", "QueryInstant"
	if strings.HasSuffix(u.Path, "query_range") {
		method, message = "MetricsQueryRange", "QueryRange"
		fields["step"] = u.Query().Get("step") + "000000000"
	}
	body, err := json.Marshal(fields)
	require.NoError(t, err)
	got, err := c.call(t.Context(), method, message+"Request", string(body), message+"Response")
	require.NoError(t, err, path)
	require.NotEmpty(t, got)
	return got
}

// orderedCluster holds spans in blocks in the order of time, ten seconds each. Some
// spans were delivered again later, which some say to have begun later, too.
func orderedCluster(t *testing.T) *cluster {
	t.Helper()
	c := emptyCluster(t)
	var blocks [30][]schema.Span
	for b := range blocks {
		for i := range 40 {
			n := b*40 + i
			row := schema.Span{
				TraceID: schema.TraceID{byte(n * 37), byte(n / 3)}, SpanID: schema.SpanID{byte(n), byte(n >> 8), 1},
				Name: strconv.Itoa(n % 7), Kind: int32(n % 3), StartNanos: uint64(1_768_471_200+b*10)*1e9 + uint64(i)*2e8,
				Resource: &schema.Resource{ServiceName: "shop"}, Scope: &schema.Scope{},
			}
			row.EndNanos = row.StartNanos + uint64(n%50)*1e7
			blocks[b] = append(blocks[b], row)
			if again := b + n%5; n%4 == 0 && again < len(blocks) {
				if n%8 == 0 {
					row.StartNanos += uint64(again-b) * 10e9
					row.EndNanos += uint64(again-b) * 10e9
				}
				blocks[again] = append(blocks[again], row)
			}
		}
	}
	for _, rows := range blocks[:len(blocks)-2] {
		c.storeParts(rows, clusterPartitions)
	}
	for _, rows := range blocks[len(blocks)-2:] {
		c.publishRows(rows)
	}
	return c
}

// What is sent before the end stays true, and in the end all is sent that HTTP
// answers, wherever the work is done.
func TestSamplesAreSentBeforeTheEnd(t *testing.T) {
	c := orderedCluster(t)
	c.work(c.querier(inParts()).Work)
	one := c.querier(whole())
	within := "&step=10&start=1768471203&end=1768471496&q="
	sums := make(map[string]int)
	for name, newMember := range map[string]func() *member{
		"in one job": func() *member { return c.querier(querier.Config{JobSpans: 2000}) },
		"in parts":   func() *member { return c.querier(inParts()) },
		"shared":     func() *member { return c.asker(inParts()) },
	} {
		t.Run(name, func(t *testing.T) {
			q := newMember()
			q.SetPartialEvery(time.Nanosecond)
			client := callerOf(t, serve(t, q.Querier))
			all := 0
			for query, early := range map[string]bool{
				"{ } | rate() by (name)": true, "{ kind != internal } | quantile_over_time(duration, .5, .9)": true,
				"{ } | histogram_over_time(duration) by (kind)": true, "({ name = `1` } | rate()) / ({ } | rate()) > .1": true,
				"{ } | max_over_time(duration) by (name)": true, "{ } | count_over_time() by (name) | topk(2)": false,
				"{ } >> { } | rate()": false, "{ } | compare({ name = `1` })": false, "{ rootName = `1` } | rate()": false,
			} {
				path := "/api/metrics/query_range?" + within + url.QueryEscape(query)
				messages, final := sameAsHTTP(t, client, one, path, "QueryRangeResponse")
				points := 0
				for _, m := range messages {
					for at, v := range pointsOf(t, m) {
						points++
						last, ok := final[at]
						require.True(t, ok && v == last, "%s: %v is %v first, then %v", query, at, v, last)
					}
				}
				require.True(t, early || points == 0, query)
				all += points
			}
			require.Positive(t, all)
			for _, query := range []string{"{ } | count_over_time() by (name)", "{ } | avg_over_time(duration)"} {
				messages, final := sameAsHTTP(t, client, one, "/api/metrics/query?"+within+url.QueryEscape(query), "QueryInstantResponse")
				for _, m := range messages {
					sums[name]++
					require.Len(t, pointsOf(t, m), len(final), "an answer replaces the one before it")
				}
			}
		})
	}
	require.Zero(t, sums["in one job"])
	require.Positive(t, sums["in parts"]+sums["shared"])
}

// sameAsHTTP asks over gRPC what somebody else answers over HTTP, and returns the
// messages before the last and what is in that.
func sameAsHTTP(t *testing.T, c *caller, one *member, path, response string) ([]*dynamicpb.Message, map[point]float64) {
	t.Helper()
	messages := overStream(t, c, path)
	requireProgress(t, messages)
	a := one.get(t.Context(), path)
	require.Equal(t, 200, a.status, a.body)
	want, last := c.api.JSON(t, response, a.body), messages[len(messages)-1]
	final := pointsOf(t, last)
	require.Equal(t, pointsOf(t, want), final, path)
	require.NotEmpty(t, final, path)
	require.Equal(t, strings.Count(fmt.Sprint(want), "trace:id"), strings.Count(fmt.Sprint(last), "trace:id"))
	return messages[:len(messages)-1], final
}

// requireProgress requires that messages say more and more is done, and the last
// one that all is.
func requireProgress(t *testing.T, messages []*dynamicpb.Message) {
	t.Helper()
	done := 0
	for i, m := range messages {
		next, total := count(t, m, "metrics", "completedJobs"), count(t, m, "metrics", "totalJobs")
		require.GreaterOrEqual(t, next, done)
		require.Equal(t, i == len(messages)-1, next == total, "%d of %d", next, total)
		done = next
	}
}

// rangeOf is a request for samples of all that olderHeld has, 10 ms apart.
func rangeOf(query string, more string) string {
	return fmt.Sprintf(`{"query":%q,"start":"%d","end":"%d","step":"10000000"%s}`, query, int64(base*1e9), int64(base*1e9+400e6), more)
}

func TestNewestSamplesComeFirst(t *testing.T) {
	w, b := olderHeld(t)
	b.free = 2 // which traces they have is known, too
	c := w.caller()
	const query = "{} | count_over_time() by (name)"
	stream := c.open(t.Context(), "MetricsQueryRange", "QueryRangeRequest", rangeOf(query, ""))
	<-b.arrived // it waits for older blocks
	early, err := c.receive(stream, "QueryRangeResponse")
	require.NoError(t, err)
	first := pointsOf(t, early)
	require.NotEmpty(t, first)
	times := slices.SortedFunc(maps.Keys(first), func(a, b point) int { return int(a.millis - b.millis) })
	require.Greater(t, times[0].millis, int64(base*1e3+200), "they are the newest")
	require.NotContains(t, fmt.Sprint(early), "exemplars", "which are shown is not known yet")
	close(b.released)
	messages := []*dynamicpb.Message{early}
	for {
		m, err := c.receive(stream, "QueryRangeResponse")
		require.NoError(t, err)
		if m == nil {
			break
		}
		messages = append(messages, m)
	}
	requireProgress(t, messages)
	last := messages[len(messages)-1]
	final := pointsOf(t, last)
	for at, v := range first {
		require.Equal(t, final[at], v, "%v", at)
	}
	a := w.get(fmt.Sprintf("/api/metrics/query_range?step=10ms&q=%s&start=%d&end=%d.4", url.QueryEscape(query), base, base))
	want := c.api.JSON(t, "QueryRangeResponse", a.body)
	require.Equal(t, pointsOf(t, want), final)
	require.Contains(t, fmt.Sprint(last), "exemplars")
	require.Equal(t, strings.Count(fmt.Sprint(want), "trace:id"), strings.Count(fmt.Sprint(last), "trace:id"))
}

// A query whose early samples may be others in the end sends how far it is.
func TestProgressWithoutSamples(t *testing.T) {
	for name, test := range map[string]struct{ query, more string }{
		"a rank":                       {"{} | count_over_time() by (name) | topk(2)", ""},
		"a comparison":                 {"{} | compare({ status = error })", ""},
		"more series than it may have": {"{} | count_over_time() by (name)", `,"maxSeries":3`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorldWith(t, nil, querier.Config{Timeout: time.Minute, Concurrency: 4, CacheBytes: 1 << 20, JobSpans: 100})
			for i := range 40 {
				w.storeRows(manyTraces(i*10, 10, 10))
			}
			w.q.SetPartialEvery(time.Nanosecond)
			got, err := w.caller().call(t.Context(), "MetricsQueryRange", "QueryRangeRequest", rangeOf(test.query, test.more), "QueryRangeResponse")
			require.NoError(t, err)
			requireProgress(t, got)
			for _, m := range got[:len(got)-1] {
				require.Empty(t, pointsOf(t, m))
			}
			require.NotEmpty(t, pointsOf(t, got[len(got)-1]))
		})
	}
}

// A quick query sends its answer and nothing before it.
func TestPartialsAreFew(t *testing.T) {
	w := newWorldWithCache(t, nil, 1<<20)
	for i := range 40 {
		w.storeRows(manyTraces(i*10, 10, 10))
	}
	begun := time.Now()
	got, err := w.caller().call(t.Context(), "MetricsQueryRange", "QueryRangeRequest", rangeOf("{} | rate()", ""), "QueryRangeResponse")
	require.NoError(t, err)
	require.LessOrEqual(t, len(got)-1, int(time.Since(begun)/(500*time.Millisecond)))
	require.NotEmpty(t, pointsOf(t, got[len(got)-1]))
}
