package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func TestCanaryFindsNothing(t *testing.T) {
	otlpHTTP, otlpGRPC, api := startApp(t)
	for name, endpoint := range map[string]string{"http": otlpHTTP, "grpc": otlpGRPC} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(t, "canary", "-otlp.endpoint", endpoint, "-api.endpoint", api, "-interval=1ms", "-traces=3", "-project=canaries")
			require.Equal(t, exitOK, code, stdout+stderr)
			require.Equal(t, 6, strings.Count(stdout, "  ok\n")-1, "three traces, each read twice, and the result:\n%s", stdout)
			require.Regexp(t, `traces written +3 \(18 spans\)`, stdout)
			require.Regexp(t, `time to visibility +0s at most`, stdout)
		})
	}
}

// Traces are read again as soon as they are old enough, while others are written.
func TestCanaryReadsAgainLater(t *testing.T) {
	otlpHTTP, _, api := startApp(t)
	code, stdout, stderr := call(t, "canary", "-otlp.endpoint", otlpHTTP, "-api.endpoint", api, "-interval=20ms", "-traces=5", "-after=30ms")
	require.Equal(t, exitOK, code, stdout+stderr)
	require.Regexp(t, `read again +5\n`, stdout)
	require.Less(t, strings.Index(stdout, "read again"), strings.Index(stdout, "    5  "), "the first is read again before the last is written")
}

// liar is a proxy in front of the query API that changes what it passes on.
type liar struct {
	trace  func(*tracepb.TracesData)
	search func(*searchReply)
	// lies counts the replies to change; less than all of them for a lie
	// that passes by.
	lies atomic.Int64
}

func (l *liar) modify(resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if l.lies.Add(-1) >= 0 {
		switch {
		case l.trace != nil && strings.HasPrefix(resp.Request.URL.Path, "/api/v2/traces/"):
			body = l.changeTrace(body)
		case l.search != nil && resp.Request.URL.Path == "/api/search":
			var reply searchReply
			if err := json.Unmarshal(body, &reply); err != nil {
				return err
			}
			l.search(&reply)
			body, _ = json.Marshal(reply)
		}
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.ContentLength = int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

func (l *liar) changeTrace(body []byte) []byte {
	_, _, n := protowire.ConsumeTag(body)
	message, _ := protowire.ConsumeBytes(body[n:])
	var data tracepb.TracesData
	if proto.Unmarshal(message, &data) != nil {
		return body
	}
	l.trace(&data)
	message, _ = proto.Marshal(&data)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), message)
}

// proxy puts l in front of api and returns where.
func (l *liar) proxy(t *testing.T, api string) string {
	t.Helper()
	target, err := url.Parse(api)
	require.NoError(t, err)
	transport := &http.Transport{}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding") // the transport's own it undoes
		},
		Transport:      transport,
		ModifyResponse: l.modify,
	})
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.URL
}

func first(data *tracepb.TracesData) *tracepb.ScopeSpans { return data.ResourceSpans[0].ScopeSpans[0] }

const always = 1 << 40

func TestCanaryFindsLies(t *testing.T) {
	otlpHTTP, _, api := startApp(t)
	for _, tc := range []struct {
		name   string
		trace  func(*tracepb.TracesData)
		search func(*searchReply)
		lies   int64
		want   string // in the trace's line
		count  string // in the summary
	}{
		{
			"a span is dropped", func(d *tracepb.TracesData) { first(d).Spans = nil }, nil, always,
			"lost: by id: 1 of 6 spans missing", `lost +2\n`,
		},
		{
			"the trace is gone", func(d *tracepb.TracesData) { d.ResourceSpans = nil }, nil, always,
			"lost: by id: 6 of 6 spans missing", `lost +2\n`,
		},
		{
			"a span is doubled", func(d *tracepb.TracesData) { first(d).Spans = append(first(d).Spans, first(d).Spans...) }, nil, always,
			"doubled: by id: 1 of 6 spans more than once", `doubled +2\n`,
		},
		{
			"an attribute is changed", func(d *tracepb.TracesData) { first(d).Spans[0].Attributes[0].Value = intValue(1) }, nil, always,
			"changed: by id: span ", `changed +2\n`,
		},
		{
			"a span is invented", func(d *tracepb.TracesData) {
				first(d).Spans = append(first(d).Spans, &tracepb.Span{SpanId: []byte("invented")})
			}, nil, always,
			"span 696e76656e746564 was never written", `changed +2\n`,
		},
		{
			"the trace comes late", func(d *tracepb.TracesData) { d.ResourceSpans = nil }, nil, 1,
			"late: by id: complete only ", `late +1\n`,
		},
		{
			"search misses the trace", nil, func(r *searchReply) { r.Traces = nil }, always,
			"lost: by search: 6 of 6 spans missing", `lost +2\n`,
		},
		{
			"search counts spans twice", nil, func(r *searchReply) { r.Traces[0].SpanSets[0].Matched *= 2 }, always,
			"doubled: by search: 6 of 6 spans more than once", `doubled +2\n`,
		},
		{
			"search lists the trace twice", nil, func(r *searchReply) { r.Traces = append(r.Traces, r.Traces[0]) }, always,
			"changed: by search: the trace is listed 2 times", `changed +2\n`,
		},
		{
			"search finds something else", nil, func(r *searchReply) { r.Traces[0].TraceID = "abc" }, always,
			"found another trace: abc", `changed +2\n`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := &liar{trace: tc.trace, search: tc.search}
			l.lies.Store(tc.lies)
			timeout := "-timeout=200ms"
			if tc.lies < always { // the truth must have the time to come
				timeout = "-timeout=1h"
			}
			code, stdout, stderr := call(t, "canary", "-otlp.endpoint", otlpHTTP, "-api.endpoint", l.proxy(t, api), "-traces=1", timeout)
			require.Equal(t, exitFailed, code, stdout)
			require.Contains(t, stdout, tc.want)
			require.Regexp(t, tc.count, stdout)
			require.Contains(t, stderr, errCanary.Error())
		})
	}
}

// collector answers writes with what it is told and knows no traces.
func collector(t *testing.T, answers ...http.HandlerFunc) string {
	t.Helper()
	var calls atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		answers[min(int(calls.Add(1)), len(answers))-1](w, req)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func answerWith(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestCanaryFailedWrites(t *testing.T) {
	partial := string([]byte{0x0a, 0x07, 0x08, 0x02, 0x12, 0x03, 'b', 'a', 'd'})
	for _, tc := range []struct {
		name    string
		answers []http.HandlerFunc
		want    string
	}{
		{"refused for good", []http.HandlerFunc{answerWith(http.StatusBadRequest, "no thanks")}, "error: not written: status 400: no thanks"},
		{"rejected in part", []http.HandlerFunc{answerWith(http.StatusOK, partial)}, "error: not written: 2 spans rejected: bad"},
		{"not OTLP", []http.HandlerFunc{answerWith(http.StatusOK, "<html>")}, "error: not written: reply: "},
		{
			"refused, then broken",
			[]http.HandlerFunc{answerWith(http.StatusTooManyRequests, ""), answerWith(http.StatusServiceUnavailable, ""), answerWith(http.StatusTeapot, "")},
			"error: not written: status 418",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			url := collector(t, tc.answers...)
			code, stdout, _ := call(t, "canary", "-otlp.endpoint", url, "-api.endpoint", url, "-traces=1", "-timeout=5s")
			require.Equal(t, exitFailed, code)
			require.Contains(t, stdout, tc.want)
			require.Regexp(t, `error +1\n`, stdout)
		})
	}
}

func TestCanaryWithoutServer(t *testing.T) {
	url := collector(t, answerWith(http.StatusOK, ""))
	for _, scheme := range []string{"http", "grpc"} {
		t.Run(scheme, func(t *testing.T) {
			code, stdout, _ := call(t, "canary", "-otlp.endpoint", scheme+"://127.0.0.1:1", "-api.endpoint", url, "-traces=1", "-timeout=1ms")
			require.Equal(t, exitFailed, code)
			require.Contains(t, stdout, "error: not written: ")
		})
	}
}

func TestCanaryFailedReads(t *testing.T) {
	writes := collector(t, answerWith(http.StatusOK, ""))
	reads := collector(t, answerWith(http.StatusInternalServerError, "broken"))
	code, stdout, _ := call(t, "canary", "-otlp.endpoint", writes, "-api.endpoint", reads, "-traces=1", "-timeout=1ms")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stdout, "error: by id: status 500: broken")
	require.Contains(t, stdout, "error: by search: status 500: broken")
}

// An endless run ends when it is interrupted, with a summary.
func TestCanaryInterrupted(t *testing.T) {
	otlpHTTP, _, api := startApp(t)
	ctx, cancel := context.WithCancel(t.Context())
	out := watch("    2  ")
	code := make(chan int)
	var summary bytes.Buffer
	go func() {
		c := run(ctx, []string{"canary", "-otlp.endpoint", otlpHTTP, "-api.endpoint", api, "-traces=0", "-interval=1ms"},
			env{io.MultiWriter(&summary, out.pipe), io.Discard, os.LookupEnv})
		_ = out.pipe.Close()
		code <- c
	}()
	<-out.seen
	cancel()
	require.Equal(t, exitOK, <-code, summary.String())
	require.Regexp(t, `result +ok\n`, summary.String())
}

func TestGenerateIsDeterministic(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	a, b := generateTrace(1, 2, start), generateTrace(1, 2, start)
	require.True(t, proto.Equal(a.data, b.data))
	require.Equal(t, a.id, b.id)
	require.NotEqual(t, a.id, generateTrace(1, 3, start).id)
	require.NotEqual(t, a.id, generateTrace(2, 2, start).id)
	require.Len(t, flatten(a.data), a.spans)
}

// What OTLP gives no order is compared without one.
func TestCompareIgnoresOrder(t *testing.T) {
	want := generateTrace(1, 1, time.Unix(1_700_000_000, 0))
	got := proto.CloneOf(want.data)
	rs := got.ResourceSpans
	rs[0], rs[2] = rs[2], rs[0]
	for _, r := range rs {
		reverse(r.Resource.Attributes)
		for _, ss := range r.ScopeSpans {
			for _, s := range ss.Spans {
				reverse(s.Attributes)
			}
		}
	}
	require.Equal(t, verdict{}, compareTraces(want.data, got))
}

func reverse[T any](list []T) {
	for i := range len(list) / 2 {
		list[i], list[len(list)-1-i] = list[len(list)-1-i], list[i]
	}
}

// Every single field counts.
func TestCompareFindsChanges(t *testing.T) {
	span := func(d *tracepb.TracesData, name string) *tracepb.Span {
		for _, s := range flatten(d) {
			if s[0].span.Name == name {
				return s[0].span
			}
		}
		return nil
	}
	for _, tc := range []struct {
		name   string
		change func(*tracepb.TracesData)
		want   string
	}{
		{"resource schema", func(d *tracepb.TracesData) { d.ResourceSpans[0].SchemaUrl = "x" }, "schema URLs"},
		{"scope schema", func(d *tracepb.TracesData) { first(d).SchemaUrl = "" }, "schema URLs"},
		{"resource attribute", func(d *tracepb.TracesData) { d.ResourceSpans[0].Resource.Attributes[0].Value = textValue("x") }, "resource: attribute "},
		{"resource lost", func(d *tracepb.TracesData) { d.ResourceSpans[0].Resource = nil }, "resource: attribute process.pid is missing"},
		{"scope name", func(d *tracepb.TracesData) { first(d).Scope.Name = "x" }, "scope: a field other than attributes"},
		{"scope attribute", func(d *tracepb.TracesData) { first(d).Scope.Attributes = nil }, "scope: attribute scope is missing"},
		{"trace id", func(d *tracepb.TracesData) { first(d).Spans[0].TraceId = []byte("x") }, "trace id 78"},
		{"attribute added", func(d *tracepb.TracesData) {
			s := first(d).Spans[0]
			s.Attributes = append(s.Attributes, text("zz", ""))
		}, "attribute zz was never written"},
		{"attribute between others", func(d *tracepb.TracesData) {
			s := first(d).Spans[0]
			s.Attributes = append(s.Attributes, text("canary.i", ""))
		}, "attribute canary.i"},
		{"type of a value", func(d *tracepb.TracesData) {
			for _, a := range first(d).Spans[0].Attributes {
				if a.Key == "canary.type.4" {
					a.Value = doubleValue(0)
				}
			}
		}, "attribute canary.type.4 is double_value:0, not int_value:0"},
		{"large value", func(d *tracepb.TracesData) {
			for _, a := range span(d, "chat").Attributes {
				if v, ok := a.Value.Value.(*commonpb.AnyValue_StringValue); ok && len(v.StringValue) == largeBytes {
					v.StringValue = v.StringValue[:largeBytes-1] + "x"
				}
			}
		}, "attribute canary.large is "},
		{"event lost", func(d *tracepb.TracesData) { s := span(d, "invoke_agent"); s.Events = s.Events[1:] }, "2 events, not 3"},
		{"order of events", func(d *tracepb.TracesData) { reverse(span(d, "invoke_agent").Events) }, "a field other"},
		{"link lost", func(d *tracepb.TracesData) { span(d, "process").Links = nil }, "0 links, not 2"},
		{"status", func(d *tracepb.TracesData) { span(d, "execute_tool").Status = nil }, "a field other"},
		{"flags", func(d *tracepb.TracesData) { span(d, "POST /chat").Flags = 1 }, "a field other"},
		{"dropped", func(d *tracepb.TracesData) { span(d, "publish").DroppedLinksCount = 0 }, "a field other"},
		{"time", func(d *tracepb.TracesData) { span(d, "publish").EndTimeUnixNano++ }, "a field other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			want := generateTrace(1, 1, time.Unix(1_700_000_000, 0))
			got := proto.CloneOf(want.data)
			tc.change(got)
			v := compareTraces(want.data, got)
			require.Zero(t, v.missing)
			require.NotEmpty(t, v.changes)
			require.Contains(t, fmt.Sprint(v.changes), tc.want)
		})
	}
}
