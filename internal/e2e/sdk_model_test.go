//go:build sdk

package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
)

// bill is what a model's provider charges for.
type bill struct{ Calls, Input, Output, Cached, Reasoning int }

func (b *bill) add(o bill) {
	b.Calls, b.Input, b.Output = b.Calls+o.Calls, b.Input+o.Input, b.Output+o.Output
	b.Cached, b.Reasoning = b.Cached+o.Cached, b.Reasoning+o.Reasoning
}

// model stands in for OpenAI's API: it asks for a tool, then answers, streamed if
// it is asked to. Every answer costs the same.
type model struct {
	url string

	mu       sync.Mutex
	whole    bill // of answers that were sent in one piece
	streamed bill
}

func startModel(t *testing.T) *model {
	t.Helper()
	m := new(model)
	server := httptest.NewServer(http.HandlerFunc(m.serve))
	t.Cleanup(server.Close)
	m.url = server.URL + "/v1"
	return m
}

// bills are what was charged until now.
func (m *model) bills() (whole, streamed bill) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.whole, m.streamed
}

const (
	modelTool = `{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}]}`
	modelText = `{"role":"assistant","content":"It is 21 degrees in Oslo."}`
	modelUsed = `{"prompt_tokens":42,"completion_tokens":17,"total_tokens":59,"prompt_tokens_details":{"cached_tokens":16},"completion_tokens_details":{"reasoning_tokens":5}}`
)

func (m *model) serve(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Model    string
		Stream   bool
		Messages []struct{ Role string }
		Options  struct {
			Usage bool `json:"include_usage"`
		} `json:"stream_options"`
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || r.URL.Path != "/v1/chat/completions" || asked.Model != "gpt-4o-mini" {
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"error":{"message":"The model %q does not exist","type":"invalid_request_error","code":"model_not_found"}}`, asked.Model)
		return
	}
	message, reason := modelText, "stop"
	if !slices.ContainsFunc(asked.Messages, func(m struct{ Role string }) bool { return m.Role == "tool" }) {
		message, reason = modelTool, "tool_calls"
	}
	m.mu.Lock()
	sum := &m.whole
	if asked.Stream {
		sum = &m.streamed
	}
	sum.add(bill{Calls: 1, Input: 42, Output: 17, Cached: 16, Reasoning: 5})
	m.mu.Unlock()
	const head = `{"id":"chatcmpl-1","created":1790000000,"model":"gpt-4o-mini-2024-07-18",`
	if !asked.Stream {
		_, _ = fmt.Fprintf(w, head+`"object":"chat.completion","choices":[{"index":0,"message":%s,"finish_reason":%q}],"usage":%s}`, message, reason, modelUsed)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	part := func(format string, args ...any) {
		_, _ = fmt.Fprintf(w, "data: "+head+`"object":"chat.completion.chunk",`+format+"}\n\n", args...)
	}
	part(`"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]`)
	for _, text := range []string{"It is 21 degrees ", "in Oslo."} {
		part(`"choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]`, text)
	}
	part(`"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]`)
	if asked.Options.Usage {
		part(`"choices":[],"usage":%s`, modelUsed)
	}
	_, _ = fmt.Fprint(w, "data: [DONE]\n\n")
}
