package app_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// capture is a request that an SDK has sent, and the answer that satisfied it.
type capture struct {
	name string

	Program      string
	Method, Path string
	Headers      map[string]string
	BodyEncoding string `json:"body_encoding"`
	Body         json.RawMessage
	Response     struct {
		Status int
		Body   string
	}
}

// captures are those of a folder whose program is one of them, in their order.
func captures(t *testing.T, dir string, programs ...string) (list []capture) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	slices.Sort(files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		c := capture{name: filepath.Base(file)}
		require.NoError(t, json.Unmarshal(content, &c), file)
		if slices.Contains(programs, c.Program) {
			list = append(list, c)
		}
	}
	require.NotEmpty(t, list, "captures of %v in %s", programs, dir)
	return list
}

// bytes is the body as it was sent.
func (c *capture) bytes(t *testing.T) []byte {
	t.Helper()
	switch c.BodyEncoding {
	case "base64":
		var text string
		require.NoError(t, json.Unmarshal(c.Body, &text))
		body, err := base64.StdEncoding.DecodeString(text)
		require.NoError(t, err)
		return body
	case "json":
		return c.Body
	}
	return nil
}

// traces are all of a project that have spans in that time, by their ids.
func (p *process) traces(t *testing.T, header http.Header, from, to time.Time) map[string]*tracepb.TracesData {
	t.Helper()
	const everything = `{ } || { span.spanlake.kind = "score" }` // some traces are scores alone
	query := url.Values{"q": {everything}, "limit": {"1000"}, "start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(to.Unix(), 10)}}
	base := "http://" + p.APIAddr().String()
	found := p.do(t, http.MethodGet, base+"/api/search?"+query.Encode(), header.Clone(), nil)
	require.Equal(t, http.StatusOK, found.code, string(found.body))
	var reply struct{ Traces []struct{ TraceID string } }
	require.NoError(t, json.Unmarshal(found.body, &reply))
	all := make(map[string]*tracepb.TracesData)
	for _, trace := range reply.Traces {
		all[trace.TraceID] = p.trace(t, header, trace.TraceID)
	}
	return all
}

// trace is one by its id.
func (p *process) trace(t *testing.T, header http.Header, id string) *tracepb.TracesData {
	t.Helper()
	h := header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	h.Set("Accept", "application/protobuf")
	got := p.do(t, http.MethodGet, "http://"+p.APIAddr().String()+"/api/v2/traces/"+id, h, nil)
	require.Equal(t, http.StatusOK, got.code, string(got.body))
	_, _, n := protowire.ConsumeTag(got.body)
	message, _ := protowire.ConsumeBytes(got.body[n:])
	data := new(tracepb.TracesData)
	require.NoError(t, proto.Unmarshal(message, data))
	return data
}

// node is a span with what it came in.
type node struct {
	*tracepb.Span

	resource, scope string
}

// printTree writes a trace as text, children below their parents by start. What is
// the same whenever a program runs is all there is if it is a shape: no ids, no times,
// no attributes but numbers and the kind.
func printTree(data *tracepb.TracesData, shape bool) string {
	var spans []node
	ids := make(map[string]bool)
	for _, rs := range data.GetResourceSpans() {
		resource := printAttributes(rs.GetResource().GetAttributes(), " ")
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				spans = append(spans, node{s, resource, strings.TrimSpace(ss.GetScope().GetName() + " " + ss.GetScope().GetVersion())})
				ids[string(s.GetSpanId())] = true
			}
		}
	}
	slices.SortStableFunc(spans, func(a, b node) int {
		return cmp.Or(cmp.Compare(a.GetStartTimeUnixNano(), b.GetStartTimeUnixNano()), strings.Compare(a.GetName(), b.GetName()))
	})
	var b strings.Builder
	var below func(parent string, depth int)
	below = func(parent string, depth int) {
		for _, s := range spans {
			if string(s.GetParentSpanId()) == parent || parent == "" && !ids[string(s.GetParentSpanId())] {
				s.print(&b, strings.Repeat("  ", depth), shape)
				below(string(s.GetSpanId()), depth+1)
			}
		}
	}
	below("", 0)
	return b.String()
}

func (n node) print(b *strings.Builder, indent string, shape bool) {
	fmt.Fprintf(b, "%s%s", indent, n.GetName())
	if n.GetStatus().GetCode() != 0 || n.GetStatus().GetMessage() != "" {
		fmt.Fprintf(b, " %s %q", strings.TrimPrefix(n.GetStatus().GetCode().String(), "STATUS_CODE_"), n.GetStatus().GetMessage())
	}
	if shape {
		for _, a := range n.GetAttributes() {
			if strings.HasPrefix(a.GetKey(), "gen_ai.") && a.GetKey() != "gen_ai.response.time_to_first_chunk" || a.GetKey() == "spanlake.kind" {
				fmt.Fprintf(b, " %s=%s", strings.TrimPrefix(a.GetKey(), "gen_ai."), printValue(a.GetValue()))
			}
		}
		b.WriteByte('\n')
		return
	}
	start := time.Unix(0, int64(n.GetStartTimeUnixNano())).UTC()             //nolint:gosec // of a test
	took := time.Duration(n.GetEndTimeUnixNano() - n.GetStartTimeUnixNano()) //nolint:gosec // of a test
	fmt.Fprintf(b, " %s %s\n", start.Format(time.RFC3339Nano), took)
	indent += "  | "
	fmt.Fprintf(b, "%sid %x of %x, scope %s\n", indent, n.GetSpanId(), n.GetParentSpanId(), n.scope)
	fmt.Fprintf(b, "%sresource %s\n", indent, n.resource)
	if len(n.GetAttributes()) > 0 {
		fmt.Fprintf(b, "%s%s\n", indent, printAttributes(n.GetAttributes(), "\n"+indent))
	}
	for _, e := range n.GetEvents() {
		at := time.Duration(e.GetTimeUnixNano() - n.GetStartTimeUnixNano()) //nolint:gosec // of a test
		fmt.Fprintf(b, "%sevent %s at %s %s\n", indent, e.GetName(), at, printAttributes(e.GetAttributes(), " "))
	}
}

func printAttributes(list []*commonpb.KeyValue, between string) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.GetKey() + "=" + printValue(a.GetValue())
	}
	return strings.Join(texts, between)
}

func printValue(v *commonpb.AnyValue) string {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return fmt.Sprintf("%q", v.StringValue)
	case *commonpb.AnyValue_IntValue:
		return strconv.FormatInt(v.IntValue, 10)
	case *commonpb.AnyValue_DoubleValue:
		return fmt.Sprintf("%gf", v.DoubleValue)
	case *commonpb.AnyValue_BoolValue:
		return strconv.FormatBool(v.BoolValue)
	case *commonpb.AnyValue_ArrayValue:
		texts := make([]string, len(v.ArrayValue.GetValues()))
		for i, element := range v.ArrayValue.GetValues() {
			texts[i] = printValue(element)
		}
		return "[" + strings.Join(texts, " ") + "]"
	}
	return "nothing"
}

// printTraces writes traces, the first to begin first.
func printTraces(all map[string]*tracepb.TracesData, shape bool) string {
	type printed struct {
		begin uint64
		text  string
	}
	var list []printed
	for id, data := range all {
		p := printed{begin: 1<<64 - 1}
		if !shape {
			p.text = "trace " + id + "\n"
		}
		p.text += printTree(data, shape)
		for _, rs := range data.GetResourceSpans() {
			for _, ss := range rs.GetScopeSpans() {
				for _, s := range ss.GetSpans() {
					p.begin = min(p.begin, s.GetStartTimeUnixNano())
				}
			}
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b printed) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), strings.Compare(a.text, b.text))
	})
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.text)
	}
	return b.String()
}

// replay sends a capture with a key, "" for none, below a prefix of the path.
func (p *process) replay(t *testing.T, c *capture, prefix, key string) answer {
	t.Helper()
	header := make(http.Header)
	for name, value := range c.Headers {
		switch name {
		case "host", "accept-encoding", "transfer-encoding", "connection", "x-api-key", "authorization":
		default:
			header.Set(name, value)
		}
	}
	if key != "" {
		header.Set("X-Api-Key", key)
	}
	return p.do(t, c.Method, "http://"+p.OTLPHTTPAddr().String()+prefix+c.Path, header, c.bytes(t))
}
