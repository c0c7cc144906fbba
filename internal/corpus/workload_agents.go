package corpus

import "strconv"

// What the agents consist of.
const (
	agentUsers         = 3000
	agentConversations = 300 // that go on at the same time
	// maxReplayBytes is what an agent sends of its conversation: the latest.
	maxReplayBytes = 3600
	maxRunNanos    = 600 * second
)

// agents are the services that talk to models.
type agents struct {
	services      []agentService
	retrieval     []*pod
	conversations []*conversation
}

// agentService is one agent and how it is instrumented.
type agentService struct {
	name     string
	pods     []*pod
	langfuse bool // Langfuse's attributes beside gen_ai's, else OpenInference's
	system   string
}

// conversation is what a user and an agent have said.
type conversation struct {
	id, user string
	messages [][]byte // JSON objects
}

// model is a model and its price in dollars for a million tokens.
type model struct {
	name, provider string
	input, output  float64
}

func models() []model {
	return []model{
		{"gpt-4o", "openai", 2.5, 10},
		{"gpt-4o-mini", "openai", 0.15, 0.6},
		{"claude-sonnet-4", "anthropic", 3, 15},
		{"gemini-2.5-flash", "gcp.gemini", 0.3, 2.5},
		{"claude-haiku-3.5", "anthropic", 0.8, 4},
		{"gpt-4.1", "openai", 2, 8},
		{"mistral-large", "mistral_ai", 2, 6},
		{"o3", "openai", 2, 8},
	}
}

var agentScope = scope{"openinference.instrumentation.langchain", "0.1.50"}

func newAgents(w *workload) agents {
	a := agents{retrieval: w.newPods("retrieval", 2)}
	for i, name := range []string{"support-agent", "research-agent", "sales-agent", "code-agent", "travel-agent", "billing-agent"} {
		a.services = append(a.services, agentService{
			name: name, pods: w.newPods(name, 2), langfuse: i%3 == 2,
			system: "You are " + name + ". " + w.text(500),
		})
	}
	a.conversations = make([]*conversation, agentConversations)
	return a
}

// run is one turn of a conversation.
type run struct {
	*trace

	agent *agentService
	pod   *pod
	talk  *conversation
	root  *traceSpan
}

// agentRun is an agent's answer to a user.
func (t *trace) agentRun() {
	w := t.world
	agent := &w.agents.services[w.rank(len(w.agents.services))]
	r := &run{trace: t, agent: agent, pod: anyOf(&w.random, agent.pods...), talk: w.conversation()}
	question := w.text(min(int(w.spread(150, 0.8)), 1500))
	steps := max(1, min(int(w.spread(5, 0.4)), 25))
	r.root = t.span(r.pod, agentScope, nil, "invoke_agent "+agent.name, kindInternal, maxRunNanos)
	r.common(r.root, "AGENT", "invoke_agent")
	r.root.attrs.str("gen_ai.agent.name", agent.name)
	r.root.attrs.strs("tag.tags", "prod", agent.name)
	r.root.attrs.str("input.value", question)
	r.talk.say("user", question)
	answer := ""
	for step := range steps {
		if w.chance(0.4) {
			r.retrieve()
		}
		last := step == steps-1
		answer = r.chat(last)
		if !last {
			r.tool()
		}
	}
	r.root.attrs.str("output.value", answer)
	r.root.end = r.root.next
	for _, s := range t.spans[1:] {
		r.root.end = max(r.root.end, s.end)
	}
}

// conversation returns one that goes on, or begins a new one.
func (w *workload) conversation() *conversation {
	place := &w.agents.conversations[w.rng.IntN(agentConversations)]
	if *place == nil || w.chance(0.2) {
		*place = &conversation{id: "session-" + w.hex(12), user: "user-" + strconv.Itoa(w.rank(agentUsers))}
	}
	return *place
}

// say adds a message. Texts are words and need no escapes.
func (c *conversation) say(role, text string) {
	c.messages = append(c.messages, []byte(`{"role":"`+role+`","parts":[{"type":"text","content":"`+text+`"}]}`))
}

// replay returns the system's message and the latest others as JSON.
func (c *conversation) replay(system string) []byte {
	first, size := len(c.messages), len(system)
	for first > 0 && size+len(c.messages[first-1]) <= maxReplayBytes {
		first--
		size += len(c.messages[first])
	}
	c.messages = c.messages[first:]
	b := append(make([]byte, 0, size+200), `[{"role":"system","parts":[{"type":"text","content":"`+system+`"}]}`...)
	for _, m := range c.messages {
		b = append(append(b, ','), m...)
	}
	return append(b, ']')
}

// common adds what all spans of an agent have.
func (r *run) common(s *traceSpan, kind, operation string) {
	if r.agent.langfuse {
		s.attrs.str("langfuse.observation.type", map[string]string{"LLM": "generation", "TOOL": "tool", "AGENT": "agent"}[kind])
		s.attrs.str("langfuse.environment", "production")
	} else {
		s.attrs.str("openinference.span.kind", kind)
	}
	s.attrs.str("gen_ai.operation.name", operation)
	s.attrs.str("session.id", r.talk.id)
	s.attrs.str("user.id", r.talk.user)
}

// chat asks a model and returns what it says.
func (r *run) chat(last bool) string {
	w := r.world
	m := pick(&w.random, models())
	input := r.talk.replay(r.agent.system)
	answer := w.text(max(40, min(int(w.spread(280, 0.7)), 3000)))
	in, out := len(input)/4, len(answer)/4
	reason := "tool_calls"
	if last {
		reason = "stop"
	}
	s := r.span(r.pod, agentScope, r.root, "chat "+m.name, kindClient, uint64(out)*8*millisecond+w.latency(400*millisecond))
	r.common(s, "LLM", "chat")
	s.attrs.str("gen_ai.provider.name", m.provider)
	s.attrs.str("gen_ai.request.model", m.name)
	s.attrs.str("gen_ai.response.model", m.name+"-2025")
	s.attrs.str("gen_ai.response.id", "chatcmpl-"+w.hex(16))
	s.attrs.double("gen_ai.request.temperature", anyOf(&w.random, 0, 0.2, 0.7, 1))
	s.attrs.int("gen_ai.request.max_tokens", 4096)
	s.attrs.strs("gen_ai.response.finish_reasons", reason)
	s.attrs.str("gen_ai.conversation.id", r.talk.id)
	s.attrs.str("gen_ai.input.messages", string(input))
	s.attrs.int("gen_ai.usage.input_tokens", in)
	if w.chance(0.03) {
		r.fail(s, "RateLimitError", "429 Too Many Requests")
		return ""
	}
	if w.chance(0.04) {
		r.event(s, s.start+(s.end-s.start)/6, "gen_ai.first_token", attributes{})
	}
	s.attrs.int("gen_ai.usage.output_tokens", out)
	s.attrs.str("gen_ai.output.messages", `[{"role":"assistant","parts":[{"type":"text","content":"`+answer+`"}],"finish_reason":"`+reason+`"}]`)
	r.cost(s, float64(in)*m.input/1e6, float64(out)*m.output/1e6)
	r.talk.say("assistant", answer)
	return answer
}

// cost adds dollars.
func (r *run) cost(s *traceSpan, input, output float64) {
	if r.agent.langfuse {
		s.attrs.double("gen_ai.usage.cost", input+output)
		return
	}
	s.attrs.double("llm.cost.prompt", input)
	s.attrs.double("llm.cost.completion", output)
	s.attrs.double("llm.cost.total", input+output)
}

// tool lets the agent use a tool.
func (r *run) tool() {
	w := r.world
	name := pick(&w.random, []string{"search_web", "run_sql", "read_file", "get_weather", "send_mail", "create_ticket", "calculator"})
	result := w.text(max(30, min(int(w.spread(250, 0.8)), 3000)))
	s := r.span(r.pod, agentScope, r.root, "execute_tool "+name, kindInternal, w.latency(150*millisecond))
	r.common(s, "TOOL", "execute_tool")
	s.attrs.str("gen_ai.tool.name", name)
	s.attrs.str("gen_ai.tool.call.id", "call_"+w.hex(12))
	s.attrs.str("input.value", `{"query":"`+w.text(30)+`","limit":`+strconv.Itoa(1+w.rng.IntN(20))+`}`)
	s.attrs.str("output.value", result)
	if w.chance(0.05) {
		r.fail(s, "ToolError", "timeout")
	}
	r.talk.say("tool", result)
}

// retrieve looks for documents, for which it embeds the question.
func (r *run) retrieve() {
	w := r.world
	p := anyOf(&w.random, w.agents.retrieval...)
	query := w.text(50)
	s := r.span(p, agentScope, r.root, "retrieve", kindClient, w.latency(80*millisecond))
	s.attrs.str("openinference.span.kind", "RETRIEVER")
	s.attrs.str("input.value", query)
	s.attrs.int("retrieval.top_k", 3)
	for i := range 3 {
		key := "retrieval.documents." + strconv.Itoa(i) + ".document."
		s.attrs.str(key+"id", "doc-"+strconv.Itoa(w.rng.IntN(20_000)))
		s.attrs.double(key+"score", float64(w.rng.IntN(1000))/1000)
		s.attrs.str(key+"content", w.text(250))
	}
	e := r.span(p, agentScope, s, "embeddings text-embedding-3-small", kindClient, w.latency(20*millisecond))
	e.attrs.str("openinference.span.kind", "EMBEDDING")
	e.attrs.str("gen_ai.operation.name", "embeddings")
	e.attrs.str("gen_ai.request.model", "text-embedding-3-small")
	e.attrs.int("gen_ai.usage.input_tokens", len(query)/4)
}
