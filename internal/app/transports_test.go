package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/otlp"
)

// One program, whose exporter spoke protobuf, JSON, gzip, gRPC, and gRPC with gzip, left
// the same behind but for ids, times and what the system chose, such as ports.
func TestTransportsAreTheSame(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	texts := make(map[string]string)
	for _, c := range captures {
		if !strings.HasPrefix(c.Name, "otel-js/") || !strings.Contains(strings.ToLower(c.Path), "trace") {
			continue
		}
		p := start(t, "-data-dir", t.TempDir())
		sent := send(t, p, &c)
		var b strings.Builder
		for _, id := range slices.Sorted(maps.Keys(sent)) {
			b.WriteString(rowsWithoutChance(p.trace(t, nil, id)))
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		slices.Sort(lines)
		texts[c.Name] = strings.Join(lines, "\n")
		require.NoError(t, p.stop())
	}
	require.Len(t, texts, 5)
	first := texts["otel-js/02-otel-protobuf-post-v1-traces"]
	for _, part := range []string{"tracestate=", "link", "event"} {
		require.Contains(t, first, part)
	}
	for name, text := range texts {
		require.Equal(t, first, text, name)
	}
}

// send sends a capture as its exporter did and returns the ids of its traces.
func send(t *testing.T, p *process, c *corpus.Capture) map[string]bool {
	t.Helper()
	request := new(collectorpb.ExportTraceServiceRequest)
	if c.Protocol == "grpc" {
		require.NoError(t, proto.Unmarshal(c.Body, request))
		conn, err := grpc.NewClient(p.OTLPGRPCAddr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close()) }()
		_, err = collectorpb.NewTraceServiceClient(conn).Export(t.Context(), request)
		require.NoError(t, err)
	} else {
		header := http.Header{"Content-Type": {c.Header["content-type"]}}
		body := c.Body
		if encoding := c.Header["content-encoding"]; encoding != "" {
			header.Set("Content-Encoding", encoding)
			r, err := gzip.NewReader(bytes.NewReader(body))
			require.NoError(t, err)
			body, err = io.ReadAll(r)
			require.NoError(t, err)
		}
		if strings.HasPrefix(c.Header["content-type"], "application/json") {
			var err error
			body, err = otlp.FromJSON(body)
			require.NoError(t, err)
		}
		require.NoError(t, proto.Unmarshal(body, request))
		got := p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+c.Path, header, c.Body)
		require.Equal(t, http.StatusOK, got.code, string(got.body))
	}
	ids := make(map[string]bool)
	for _, rs := range request.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				ids[hex.EncodeToString(s.GetTraceId())] = true
			}
		}
	}
	return ids
}

// byChance are attributes that differ whenever the program runs.
func byChance(key string) bool {
	switch key {
	case "process.pid", "process.command_args", "process.command", "host.id", "host.name", "service.instance.id", "http.user_agent":
		return true
	}
	return strings.HasSuffix(key, ".port") || strings.HasSuffix(key, ".url") || strings.HasSuffix(key, ".host") || strings.HasPrefix(key, "url.")
}

// rowsWithoutChance is a line for each span: all that does not differ from run to run.
func rowsWithoutChance(data *tracepb.TracesData) string {
	attributes := func(list []*commonpb.KeyValue) string {
		var kept []string
		for _, a := range list {
			text := a.GetKey()
			if !byChance(a.GetKey()) {
				text += "=" + printValue(a.GetValue())
			}
			kept = append(kept, text)
		}
		slices.Sort(kept)
		return strings.Join(kept, " ")
	}
	var b strings.Builder
	for _, rs := range data.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				fmt.Fprintf(&b, "%s %s %s %s tracestate=%s flags=%d {%s} [%s] {%s}", s.GetName(), s.GetKind(), s.GetStatus(), ss.GetScope().GetName()+ss.GetScope().GetVersion(),
					s.GetTraceState(), s.GetFlags(), attributes(s.GetAttributes()), rs.GetSchemaUrl(), attributes(rs.GetResource().GetAttributes()))
				for _, e := range s.GetEvents() {
					fmt.Fprintf(&b, " event %s {%s}", e.GetName(), attributes(e.GetAttributes()))
				}
				for _, l := range s.GetLinks() {
					fmt.Fprintf(&b, " link %s {%s}", l.GetTraceState(), attributes(l.GetAttributes()))
				}
				b.WriteString("\n")
			}
		}
	}
	return b.String()
}
