package querier_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// apiCall is a call of a script in testdata/api, which testdata/api/README.md
// describes.
type apiCall struct {
	title         string
	method, path  string // method GRPC: path is that of the service
	request       string // GRPC: the message of the body
	params        url.Values
	headers       []string // names and values in turn
	body          string
	status        string // of HTTP, or the name of gRPC's code
	contentType   string
	message, want string
}

// parseScript reads the calls of a script.
func parseScript(t *testing.T, name string) (calls []apiCall) {
	t.Helper()
	text, err := os.ReadFile("testdata/api/" + name)
	require.NoError(t, err)
	for part := range strings.SplitSeq("\n"+string(text), "\n== ") {
		title, rest, _ := strings.Cut(part, "\n")
		if strings.HasPrefix(title, "#") || strings.TrimSpace(title) == "" {
			continue // what stands before the first call
		}
		calls = append(calls, parseCall(t, title, rest))
	}
	require.NotEmpty(t, calls)
	return calls
}

func parseCall(t *testing.T, title, text string) apiCall {
	t.Helper()
	c := apiCall{title: title, params: make(url.Values)}
	sent, reply, ok := strings.Cut(text, "\n-- ")
	require.True(t, ok, "%s: no reply", title)
	first, rest, _ := strings.Cut(sent, "\n")
	words := strings.Fields(first)
	c.method, c.path = words[0], words[1]
	if c.method == "GRPC" {
		c.request = words[2]
	}
	for line := range strings.Lines(rest) {
		line = strings.TrimRight(line, "\n")
		switch param, isParam := strings.CutPrefix(line, "  "); {
		case c.method == "GRPC" && isParam:
			c.body += param
		case isParam:
			key, value, _ := strings.Cut(param, " = ")
			c.params.Set(key, value)
		case line != "":
			key, value, ok := strings.Cut(line, ": ")
			require.True(t, ok, "%s: %q", title, line)
			c.headers = append(c.headers, key, value)
		}
	}
	head, want, _ := strings.Cut(reply, "\n")
	words = append(strings.Fields(head), "", "")
	c.status, c.want = words[0], strings.TrimSpace(want)
	if c.method == "GRPC" {
		c.message = words[1]
	} else {
		c.contentType, c.message = words[1], words[2]
	}
	return c
}

// runScript makes the calls, one after the other.
func runScript(t *testing.T, w *world, name string) {
	t.Helper()
	runCalls(t, w, name, "")
}

// runCalls makes those whose titles begin so.
func runCalls(t *testing.T, w *world, name, title string) {
	t.Helper()
	client := w.caller()
	calls := slices.DeleteFunc(parseScript(t, name), func(c apiCall) bool { return !strings.HasPrefix(c.title, title) })
	require.NotEmpty(t, calls)
	for _, call := range calls {
		t.Run(call.title, func(t *testing.T) {
			if call.method == "GRPC" {
				callGRPC(t, client, &call)
				return
			}
			callHTTP(t, w, client, &call)
		})
	}
}

// callHTTP makes a call and reads the reply as a client does: strictly.
func callHTTP(t *testing.T, w *world, client *caller, c *apiCall) {
	t.Helper()
	path := c.path
	if len(c.params) > 0 {
		path += "?" + c.params.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), c.method, w.server.URL+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(c.headers); i += 2 {
		req.Header.Set(c.headers[i], c.headers[i+1])
	}
	resp, err := w.server.Client().Do(req)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, c.status, strconv.Itoa(resp.StatusCode), "%s", body)
	require.Equal(t, c.contentType, strings.Split(resp.Header.Get("Content-Type"), ";")[0])
	switch {
	case c.contentType == "application/protobuf":
		text, err := protojson.Marshal(client.api.Protobuf(t, c.message, body))
		require.NoError(t, err)
		requireMatch(t, c.want, text)
	case c.message != "":
		client.api.JSON(t, c.message, string(body))
		requireMatch(t, c.want, body)
	case strings.HasPrefix(c.want, "{"):
		requireMatch(t, c.want, body)
	default:
		require.Contains(t, string(body), c.want)
	}
}

// callGRPC makes a call with a client that takes up to 4 MiB, and reads all
// messages. The last one is looked at.
func callGRPC(t *testing.T, client *caller, c *apiCall) {
	t.Helper()
	ctx := t.Context()
	if len(c.headers) > 0 {
		require.Equal(t, "X-Scope-OrgID", c.headers[0])
		ctx = withProjects(ctx, c.headers[1])
	}
	got, err := client.call(ctx, strings.TrimPrefix(c.path, "/tempopb.StreamingQuerier/"), c.request, c.body, c.message)
	require.Equal(t, c.status, status.Code(err).String(), "%v", err)
	if err != nil {
		require.ErrorContains(t, err, c.want)
		return
	}
	require.NotEmpty(t, got)
	text, err := protojson.Marshal(got[len(got)-1])
	require.NoError(t, err)
	requireMatch(t, c.want, text)
}

// anything stands in a pattern for further elements or members, or for a value.
const anything = "…"

// requireMatch compares JSON with a pattern.
func requireMatch(t *testing.T, pattern string, got []byte) {
	t.Helper()
	var want, have any
	require.NoError(t, json.Unmarshal([]byte(pattern), &want), pattern)
	require.NoError(t, json.Unmarshal(got, &have), "%s", got)
	require.Empty(t, mismatch(want, have, "reply"), "%s\n%s", pattern, got)
}

// mismatch says where JSON is not as a pattern wants it, "" if it is.
func mismatch(want, have any, at string) string {
	switch want := want.(type) {
	case map[string]any:
		return mismatchObject(want, have, at)
	case []any:
		list, ok := have.([]any)
		if !ok || !matchList(want, list) {
			return at + " is another list"
		}
	default:
		if want != anything && !reflect.DeepEqual(want, have) {
			return fmt.Sprintf("%s is %v, not %v", at, have, want)
		}
	}
	return ""
}

func mismatchObject(want map[string]any, have any, at string) string {
	object, ok := have.(map[string]any)
	if !ok {
		return at + " is no object"
	}
	_, open := want[anything]
	for key := range object {
		if _, ok := want[key]; !ok && !open {
			return fmt.Sprintf("%s has %s", at, key)
		}
	}
	for key, value := range want {
		if key == anything {
			continue
		}
		have, ok := object[key]
		if !ok {
			return fmt.Sprintf("%s has no %s", at, key)
		}
		if fault := mismatch(value, have, at+"."+key); fault != "" {
			return fault
		}
	}
	return ""
}

// matchList reports whether a list is as wanted, in order.
func matchList(want, have []any) bool {
	for len(want) > 0 {
		if want[0] == anything {
			return slices.ContainsFunc(make([]struct{}, len(have)+1), func() func(struct{}) bool {
				skip := -1
				return func(struct{}) bool { skip++; return matchList(want[1:], have[skip:]) }
			}())
		}
		if len(have) == 0 || mismatch(want[0], have[0], "") != "" {
			return false
		}
		want, have = want[1:], have[1:]
	}
	return len(have) == 0
}

// exampleWorld serves the spans of testdata/api/spans.json.
func exampleWorld(t *testing.T) *world {
	t.Helper()
	w := newWorldWithCache(t, nil, 1<<20)
	rows, err := otlp.NewDecoder().Decode(exampleSpans(t), 1, nil)
	require.NoError(t, err)
	slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	w.storeRows(rows)
	return w
}

// exampleSpans are these spans as OTLP.
func exampleSpans(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/api/spans.json")
	require.NoError(t, err)
	wire, err := otlp.FromJSON(text)
	require.NoError(t, err)
	return wire
}

// TestExamples reproduces the examples of the page about Tempo's API.
func TestExamples(t *testing.T) { runScript(t, exampleWorld(t), "examples.txt") }

// TestPlugin replays what Grafana's data source and Traces Drilldown ask for,
// and looks at what they read.
func TestPlugin(t *testing.T) { runScript(t, exampleWorld(t), "plugin.txt") }
