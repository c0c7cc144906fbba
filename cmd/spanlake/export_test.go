package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// numbered is a trace of two spans: the second begins late after the first.
func numbered(n byte, begun time.Time, late time.Duration) *tracepb.TracesData {
	span := func(id, parent byte, at time.Time) *tracepb.Span {
		s := spanOf(id, parent, fmt.Sprintf("span %d", id), at, 0, 10)
		s.TraceId = append(bytes.Repeat([]byte{7}, 15), n)
		return s
	}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{keyValue("service.name", "a,\"b\"")}},
		ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{span(1, 0, begun), span(2, 1, begun.Add(late))}}},
	}}}
}

// tracesOf reads an export as OTLP: the ids in order, each with its spans.
func tracesOf(t *testing.T, text string) (list []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		traces, err := new(ptrace.JSONUnmarshaler).UnmarshalTraces([]byte(line))
		require.NoError(t, err)
		id := traces.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID()
		list = append(list, fmt.Sprintf("%d with %d", id[15], traces.SpanCount()))
	}
	return list
}

func flushApp(t *testing.T, api string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, api+"/flush", http.NoBody)
	require.NoError(t, err)
	client := newClient()
	defer client.CloseIdleConnections()
	code, _, body, err := do(client, req)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, code, string(body))
}

func TestExport(t *testing.T) {
	dir := t.TempDir()
	otlpHTTP, _, api := startAppIn(t, dir)
	w, err := newTraceWriter(otlpHTTP, identity{})
	require.NoError(t, err)
	defer w.close()
	from := time.Now().Add(-12 * time.Hour).Truncate(time.Second)
	// The first slice ends after an hour: traces on both sides of that, and over it.
	var want []string
	for i, at := range []time.Duration{0, time.Minute, time.Hour - 1, time.Hour, 2 * time.Hour, 7 * time.Hour} {
		require.NoError(t, w.write(t.Context(), numbered(byte(i), from.Add(at), time.Minute)))
		want = append(want, fmt.Sprintf("%d with 2", i))
		if i == 2 {
			flushApp(t, api) // half in a block, half in memory
		}
	}
	// Just out of the range, on both sides; the first reaches into it.
	require.NoError(t, w.write(t.Context(), numbered(100, from.Add(-1), time.Minute)))
	require.NoError(t, w.write(t.Context(), numbered(101, from.Add(8*time.Hour), time.Minute)))
	args := func(more ...string) []string {
		return append([]string{
			"export", "-from", from.Format(time.RFC3339), "-to", from.Add(8 * time.Hour).Format(time.RFC3339), "-api.endpoint", api,
		}, more...)
	}
	code, live, stderr := call(t, args()...)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, want, tracesOf(t, live))
	require.Equal(t, "exported 12 spans in 6 traces\n", stderr)

	// Ended in the middle of a slice, the server's blocks are others by then.
	proxied, err := url.Parse(api)
	require.NoError(t, err)
	for _, last := range []string{"00", "02", "03", "05"} {
		t.Run("interrupted at "+last, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			proxy := httputil.NewSingleHostReverseProxy(proxied)
			transport := new(http.Transport)
			defer transport.CloseIdleConnections()
			proxy.Transport = transport
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "07"+last) {
					cancel()
					return
				}
				proxy.ServeHTTP(w, r)
			}))
			defer server.Close()
			file := filepath.Join(t.TempDir(), "out")
			var stdout, errs bytes.Buffer
			code := run(ctx, args("-out", file, "-api.endpoint", server.URL), env{&stdout, &errs, os.LookupEnv})
			require.Equal(t, exitFailed, code)
			require.Contains(t, errs.String(), "interrupted\n")
			require.Contains(t, errs.String(), "-resume goes on")
			// What a killed process may have left behind what is sure.
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = f.WriteString(`{"resourceSpans":[{"half`)
			require.NoError(t, err)
			require.NoError(t, f.Close())
			flushApp(t, api)

			code, _, stderr := call(t, args("-out", file)...)
			require.Equal(t, exitFailed, code)
			require.Contains(t, stderr, "exists: go on with an interrupted export by -resume")
			code, _, stderr = call(t, args("-out", file, "-resume", "-q", "{ name = `x` }")...)
			require.Equal(t, exitUsage, code)
			require.Contains(t, stderr, "begun with another q")
			code, _, stderr = call(t, "export", "-resume", "-out", file, "-api.endpoint", api)
			require.Equal(t, exitOK, code, stderr)
			require.Equal(t, "exported 12 spans in 6 traces\n", stderr)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, want, tracesOf(t, string(text)))
			require.NoFileExists(t, file+".state")
			code, _, stderr = call(t, args("-out", file, "-resume")...)
			require.Equal(t, exitFailed, code)
			require.Contains(t, stderr, "nothing to resume")
		})
	}

	code, stdout, stderr := call(t, args("-q", "{ name = `span 2` && trace:id = `"+strings.Repeat("07", 15)+"02` }", "-format", "csv", "-columns", "span_id,service,start,duration_ns,span.x")...)
	require.Equal(t, exitOK, code, stderr)
	lines, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 3) // the trace is whole
	require.Equal(t, []string{"span_id", "service", "start", "duration_ns", "span.x"}, lines[0])
	require.Equal(t, []string{"0100000000000001", `a,"b"`, from.Add(time.Hour - 1).UTC().Format("2006-01-02T15:04:05.000000000Z"), "10000000", ""}, lines[1])
	require.Equal(t, 3, strings.Count(stdout, "\r\n"))

	code, stdout, stderr = call(t, args("-format", "jsonl")...)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, 12, strings.Count(stdout, "\n"))
	var first map[string]any
	require.NoError(t, json.Unmarshal([]byte(stdout[:strings.Index(stdout, "\n")]), &first))
	require.Equal(t, `a,"b"`, first["resource.service.name"])
	code, _, stderr = call(t, args("-q", "{ name == 1 }")...)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "status 400: invalid TraceQL query")
}

// Live data, blocks and both, also after a restart, give the same bytes.
func TestExportOfLiveDataAndBlocks(t *testing.T) {
	dir := t.TempDir()
	from := time.Now().Add(-12 * time.Hour).Truncate(time.Second)
	ask := func(t *testing.T, api string) string {
		t.Helper()
		code, stdout, stderr := call(t, "export", "-from", from.Format(time.RFC3339), "-to", from.Add(8*time.Hour).Format(time.RFC3339), "-api.endpoint", api)
		require.Equal(t, exitOK, code, stderr)
		require.Len(t, tracesOf(t, stdout), 60)
		return stdout
	}
	var live string
	t.Run("as it arrives", func(t *testing.T) {
		otlpHTTP, _, api := startAppIn(t, dir)
		w, err := newTraceWriter(otlpHTTP, identity{})
		require.NoError(t, err)
		defer w.close()
		for i := range byte(60) {
			require.NoError(t, w.write(t.Context(), numbered(i, from.Add(time.Duration(i)*5*time.Minute), time.Minute)))
			if i%12 == 0 {
				flushApp(t, api)
			}
		}
		live = ask(t, api)
		flushApp(t, api)
		require.Equal(t, live, ask(t, api))
	})
	t.Run("after a restart", func(t *testing.T) {
		_, _, api := startAppIn(t, dir)
		require.Equal(t, live, ask(t, api))
	})
}

func TestExportSpanFields(t *testing.T) {
	of := func(v *commonpb.AnyValue) *commonpb.KeyValue { return &commonpb.KeyValue{Key: "k", Value: v} }
	bytesOf := &commonpb.AnyValue{Value: &commonpb.AnyValue_BytesValue{BytesValue: []byte{0, 255}}}
	for _, tc := range []struct {
		name, json, cell string
		value            *commonpb.AnyValue
	}{
		{"text", `"<a>"`, "<a>", keyValue("", "<a>").GetValue()},
		{"number", "9223372036854775807", "9223372036854775807", &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: math.MaxInt64}}},
		{"none", "null", "", nil},
		{"not a number", `"NaN"`, "NaN", &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: math.NaN()}}},
		{"truth", "true", "true", &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}},
		{"bytes", `"AP8="`, "AP8=", bytesOf},
		{"list", `["AP8="]`, `["AP8="]`, &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{bytesOf}}}}},
		{"map", `{"k":"AP8="}`, `{"k":"AP8="}`, &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{of(bytesOf)}}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			trace := numbered(1, time.Unix(5, 0), 0)
			spans := trace.ResourceSpans[0].ScopeSpans[0].Spans[:1]
			spans[0].Attributes = []*commonpb.KeyValue{of(tc.value), keyValue("k", "second")}
			trace.ResourceSpans[0].ScopeSpans[0].Spans = spans
			var lines, cells bytes.Buffer
			require.NoError(t, newTraceFormat(&exportConfig{format: formatJSONL}, &lines).write(trace))
			require.Contains(t, lines.String(), `"span.k":`+tc.json)
			require.NoError(t, newTraceFormat(&exportConfig{format: formatCSV, columns: "name,span.k"}, &cells).write(trace))
			got, err := csv.NewReader(&cells).Read()
			require.NoError(t, err)
			require.Equal(t, []string{"span 1", tc.cell}, got)
		})
	}
}

func TestExportCommandLine(t *testing.T) {
	for _, tc := range []struct {
		args   string
		stderr string
	}{
		{"", "from is missing"},
		{"-from 5 -to 5", "to must be after from"},
		{"-from 2026-01-15T00:00:00.5Z", "whole seconds"},
		{"-from 9999999999", "from is in the future"},
		{"-from 1 -format xml", `format "xml": want one of otlp, jsonl, csv`},
		{"-from 1 -format csv -columns name,title", `there is no "title"`},
		{"-from 1 -format csv -columns name,name", "twice"},
		{"-from 1 -format csv -columns span.", `there is no "span."`},
		{"-from 1 -out=", "out must not be empty"},
		{"-from 1 -q=", "q must not be empty"},
		{"-resume", "standard output cannot be resumed"},
		{"-from 1 x", `unexpected argument "x"`},
		{"-from 1 -api.endpoint ftp://x", "want http:// or https://"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			code, stdout, stderr := call(t, append([]string{"export"}, strings.Fields(tc.args)...)...)
			require.Equal(t, exitUsage, code)
			require.Empty(t, stdout)
			require.Contains(t, stderr, tc.stderr)
		})
	}
}

// A slice with more traces than are asked for at once is cut into smaller ones.
func TestExportCutsSlices(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := r.URL.Query()
		asked = append(asked, v.Get("start")+"-"+v.Get("end")+" "+v.Get("limit"))
		if v.Get("end") > "1003" {
			http.Error(w, "takes too long", http.StatusGatewayTimeout)
			return
		}
		n := 0
		if v.Get("start") == "1001" {
			n = sliceTraces
		}
		found := strings.Repeat(`{"traceID":"1","startTimeUnixNano":"5"},`, n)
		fmt.Fprintf(w, `{"traces":[%s]}`, strings.TrimSuffix(found, ","))
	}))
	defer server.Close()
	code, stdout, stderr := call(t, "export", "-from", "1000", "-to", "1005", "-api.endpoint", server.URL)
	require.Equal(t, exitFailed, code)
	require.Empty(t, stdout)
	require.Contains(t, stderr, "status 504: takes too long")
	require.Equal(t, []string{"1000-1005 2000", "1000-1002 2000", "1002-1005 2000", "1002-1003 2000", "1003-1005 2000", "1003-1004 2000"}, asked)

	asked = nil
	code, _, stderr = call(t, "export", "-from", "1001", "-to", "1002", "-api.endpoint", server.URL)
	require.Equal(t, exitOK, code, stderr)
	require.Equal(t, []string{"1001-1002 2000", "1001-1002 262144"}, asked)
}

func FuzzExportState(f *testing.F) {
	f.Add([]byte(`{"project":"default","q":"{ }","format":"otlp","from":5,"to":9,"next":7,"offset":100,"traces":1,"spans":2}`))
	f.Add([]byte(`{"from":9,"to":5}`))
	f.Add([]byte(`{`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := parseExportState(text)
		if err == nil {
			require.GreaterOrEqual(t, s.Offset, int64(0))
			require.LessOrEqual(t, s.From, s.Next)
			require.LessOrEqual(t, s.Next, s.To)
			require.Less(t, s.From, s.To)
		}
	})
}
