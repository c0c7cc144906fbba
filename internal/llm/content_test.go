package llm_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// TestContentOfCaptures compares the content of real SDKs' spans with what people
// have read.
func TestContentOfCaptures(t *testing.T) {
	captures, err := corpus.Captures()
	require.NoError(t, err)
	seen := make(map[string]bool)
	for _, c := range captures {
		if seen[string(c.Body)] {
			continue // sent again after a 429
		}
		seen[string(c.Body)] = true
		t.Run(c.Name, func(t *testing.T) {
			rows := rowsOf(t, &c)
			n := llm.New(price.Shipped())
			var got strings.Builder
			for i := range rows {
				rows[i].Derived = n.Derive(&rows[i])
				writeContent(t, &got, rows[i].Name, llm.ContentOf(&rows[i]))
				if whole := llm.TraceContentOf(&rows[i]); whole != (llm.Content{}) {
					writeContent(t, &got, "  of the trace", whole)
				}
			}
			golden(t, filepath.Join("testdata", "content", strings.ReplaceAll(c.Name, "/", "-")+".txt"), got.String())
		})
	}
}

func writeContent(t testing.TB, out *strings.Builder, name string, c llm.Content) {
	t.Helper()
	fmt.Fprintln(out, name)
	for _, side := range [...]struct {
		name string
		body llm.Body
	}{{"in ", c.Input}, {"out", c.Output}} {
		if side.body.Form == llm.FormNone {
			continue
		}
		checkBody(t, side.body)
		fmt.Fprintf(out, "    %s %s: %s\n", side.name, [...]string{"", "text", "json", "messages"}[side.body.Form], side.body.Text)
	}
}

// checkBody checks what is true of every body.
func checkBody(t testing.TB, b llm.Body) {
	t.Helper()
	require.True(t, json.Valid(b.AppendJSON(nil)), "%+v", b)
	_ = b.Plain()
	switch b.Form {
	case llm.FormNone:
		require.Empty(t, b.Text)
	case llm.FormText:
		require.NotEmpty(t, b.Text)
	case llm.FormJSON:
		require.Contains(t, "{[", b.Text[:1])
	case llm.FormMessages:
		var messages []struct {
			Role  string           `json:"role"`
			Parts []map[string]any `json:"parts"`
		}
		require.NoError(t, json.Unmarshal([]byte(b.Text), &messages), b.Text)
		require.NotEmpty(t, messages)
		for _, m := range messages {
			require.NotNil(t, m.Parts, b.Text)
			for _, part := range m.Parts {
				require.IsType(t, "", part["type"], b.Text)
			}
		}
	}
}

// golden compares with a file that -rewrite writes.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *rewrite {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "write it with -rewrite and read it")
	have := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got, "\n") {
		require.Less(t, i, len(have), "another line: %s", line)
		require.Equal(t, have[i], line, "line %d", i+1)
	}
	require.Len(t, got, len(want), "lines are missing")
}

// contentSeeds are texts in the forms that SDKs and providers have for messages, and
// such that only look like them.
func contentSeeds() []string {
	return []string{
		`[{"role":"user","content":"hi"}]`, `{"messages":[[{"lc":1,"id":["a","HumanMessage"],"kwargs":{"content":"x"}}]]}`,
		`{"choices":[{"message":{"role":"assistant","tool_calls":[{"id":"1","function":{"name":"f","arguments":"\"{}\""}}]}}]}`,
		`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}]}`,
		`[{"type":"function_call","call_id":"1","name":"f","arguments":"{}"},{"type":"reasoning","summary":[{"text":"x"}]}]`,
		`{"message":{"message":{"message":{"message":{"role":"user","content":"deep"}}}}}`, `{"role":"user","content":[[[1]],null,{"type":1}]}`,
		"\"quoted\"", `{"messages":{}}`, `[]`, `{`, "[\xff]",
	}
}

// FuzzContent: whatever is sent, content is valid JSON of its form.
func FuzzContent(f *testing.F) {
	keys := []string{
		"langfuse.observation.input", "gen_ai.input.messages", "ai.prompt", "gen_ai.output.messages", "langfuse.observation.output",
		"gcp.vertex.agent.llm_response", "ai.response.toolCalls", "events", "llm.input_messages.0.message.content", "mlflow.spanInputs", "ai.values",
	}
	for i, s := range contentSeeds() {
		f.Add(byte(i), s, true)
		f.Add(byte(i+3), s, false)
	}
	f.Fuzz(func(t *testing.T, key byte, value string, call bool) {
		v := schema.Value{Kind: schema.KindString, Str: value}
		s := schema.Span{Attributes: otlp.AppendAttribute(nil, keys[int(key)%len(keys)], v)}
		for _, name := range [...]string{"gen_ai.choice", "gen_ai.user.message", "gen_ai.client.inference.operation.details"} {
			s.Events = otlp.AppendEvent(s.Events, 1, name, schema.Attribute{Key: "message", Value: v}, schema.Attribute{Key: "content", Value: v},
				schema.Attribute{Key: "gen_ai.output.messages", Value: v})
		}
		if call {
			s.Derived = otlp.AppendAttribute(nil, "spanlake.kind", schema.Value{Kind: schema.KindString, Str: "llm"})
		}
		c := llm.ContentOf(&s)
		checkBody(t, c.Input)
		checkBody(t, c.Output)
		require.Equal(t, c, llm.ContentOf(&s), "it is a function of the row")
	})
}
