package llm

import (
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
)

// Roles of messages.
const (
	roleSystem    = "system"
	roleUser      = "user"
	roleAssistant = "assistant"
	roleTool      = "tool"
)

// message is one of a conversation while it is brought into its form.
type message struct {
	role, name, finish string
	parts              []byte // of a JSON list, without brackets
}

// messageList is a conversation in its form.
type messageList struct{ out []byte }

func (l *messageList) add(m *message) {
	l.out = append(l.out, separator(l.out))
	l.out = append(l.out, `{"role":`...)
	l.out = otlp.AppendJSONText(l.out, m.role)
	if m.name != "" {
		l.out = append(l.out, `,"name":`...)
		l.out = otlp.AppendJSONText(l.out, m.name)
	}
	l.out = append(l.out, `,"parts":[`...)
	l.out = append(l.out, m.parts...)
	l.out = append(l.out, ']')
	if m.finish != "" {
		l.out = append(l.out, `,"finish_reason":`...)
		l.out = otlp.AppendJSONText(l.out, m.finish)
	}
	l.out = append(l.out, '}')
}

// separator begins a list, or goes on with it.
func separator(list []byte) byte {
	if len(list) == 0 {
		return '['
	}
	return ','
}

// done is the list as JSON, nil if nothing is in it.
func (l *messageList) done() []byte {
	if len(l.out) == 0 {
		return nil
	}
	return append(l.out, ']')
}

// addAll adds a list of messages, or lists of them as LangChain has them, and
// reports whether all of it were messages. If not the list is as before. role is for
// those that are wrapped and have none.
func (l *messageList) addAll(v jsonvalue.Value, role string) bool {
	before := len(l.out)
	found := false
	for e := range jsonvalue.Elements(v) {
		if ok := e[0] == '[' && l.addFlat(e, role) || e[0] == '{' && l.addOne(e, role); !ok {
			l.out = l.out[:before]
			return false
		}
		found = true
	}
	return found
}

// addFlat adds the messages of a list inside a list.
func (l *messageList) addFlat(v jsonvalue.Value, role string) bool {
	found := false
	for e := range jsonvalue.Elements(v) {
		if e[0] != '{' || !l.addOne(e, role) {
			return false
		}
		found = true
	}
	return found
}

// addOne adds what is a message, and reports whether it is one.
func (l *messageList) addOne(v jsonvalue.Value, role string) bool {
	if !isObject(jsonvalue.At(v, "message")) {
		role = ""
	}
	m, ok := readMessage(v, role, 0)
	if ok {
		l.add(&m)
	}
	return ok
}

// addText adds a text, or a list of parts, as a message. Nothing is not one.
func (l *messageList) addText(role string, v jsonvalue.Value) {
	m := message{role: role}
	if m.addContent(v); len(m.parts) > 0 {
		l.add(&m)
	}
}

// maxWrapped is how deep a message may be inside of what wraps it.
const maxWrapped = 3

// readMessage reads a message in any of the forms in which providers and SDKs
// write them, and reports whether it is one.
func readMessage(v jsonvalue.Value, role string, depth int) (m message, ok bool) {
	if depth > maxWrapped {
		return m, false
	}
	f := jsonvalue.Pick(v, "role", "type", "name", "message", "kwargs", "data", "id", "parts", "content", "contents", "tool_calls",
		"tool_call_id", "additional_kwargs", "function_call", "reasoning_content", "finish_reason", "finishReason", "stop_reason", "text", "refusal")
	m.finish = jsonvalue.Text(f.First("finish_reason", "finishReason", "stop_reason"))
	kind := jsonvalue.Text(f["type"])
	inner, wrapped := role, jsonvalue.Value(nil)
	switch {
	case f["role"] != nil:
		inner = roleOf(jsonvalue.Text(f["role"]))
	case isObject(f["message"]): // OpenInference's, and a choice
		wrapped = f["message"]
	case isObject(f["kwargs"]): // LangChain's, serialised
		inner, wrapped = langChainRole(lastText(f["id"])), f["kwargs"]
	case isObject(f["data"]) && langChainRole(kind) != "":
		inner, wrapped = langChainRole(kind), f["data"]
	case langChainRole(kind) != "" && f["content"] != nil:
		inner = langChainRole(kind)
	case isItem(kind):
		inner = itemRole(kind)
		m.addPart(v)
		m.role = inner
		return m, len(m.parts) > 0
	}
	if wrapped != nil {
		finish := m.finish
		if m, ok = readMessage(wrapped, inner, depth+1); m.finish == "" {
			m.finish = finish
		}
		return m, ok
	}
	says := f.First("parts", "content", "contents", "tool_calls", "function_call", "text", "refusal", "reasoning_content") != nil
	if m.role = inner; m.role == "" || !says && (m.role != roleAssistant || f["role"] == nil) {
		return m, false
	}
	if m.name = jsonvalue.Text(f["name"]); m.role == roleTool {
		m.name = ""
	}
	m.fill(f)
	return m, true
}

// fill adds what a message says.
func (m *message) fill(f jsonvalue.Object) {
	if reasoning := f["reasoning_content"]; reasoning != nil && jsonvalue.Text(reasoning) != "" {
		m.addTyped("reasoning", reasoning)
	}
	content := f.First("parts", "contents", "content", "refusal", "text")
	if m.role == roleTool && f["tool_call_id"] != nil {
		m.addResponse(f["tool_call_id"], f["name"], content)
		return
	}
	m.addContent(content)
	calls := f["tool_calls"]
	if calls == nil {
		calls = jsonvalue.At(f["additional_kwargs"], "tool_calls")
	}
	for call := range jsonvalue.Elements(calls) {
		m.addCall(call)
	}
	if call := f["function_call"]; isObject(call) {
		m.addCall(call)
	}
}

// addContent adds a text or parts.
func (m *message) addContent(v jsonvalue.Value) {
	switch {
	case jsonvalue.Absent(v), string(v) == `""`: // as beside calls of tools
	case v[0] == '[':
		for part := range jsonvalue.Elements(v) {
			m.addPart(part)
		}
	default:
		m.addPart(v)
	}
}

func isObject(v jsonvalue.Value) bool { return len(v) > 0 && v[0] == '{' }

// lastText is the last element of a list, as a text.
func lastText(list jsonvalue.Value) string {
	last := ""
	for e := range jsonvalue.Elements(list) {
		last = jsonvalue.Text(e)
	}
	return last
}

// roleOf is a role by its name in the conventions.
func roleOf(name string) string {
	switch strings.ToLower(name) {
	case "model", "ai", roleAssistant:
		return roleAssistant
	case "human", roleUser:
		return roleUser
	case "function", roleTool:
		return roleTool
	}
	return name
}

// langChainRole is a role by the name of a class or type of LangChain, "" if it is
// none of a message.
func langChainRole(class string) string {
	switch class {
	case "HumanMessage", "HumanMessageChunk", "human":
		return roleUser
	case "AIMessage", "AIMessageChunk", "ai":
		return roleAssistant
	case "SystemMessage", "SystemMessageChunk", "system":
		return roleSystem
	case "ToolMessage", "ToolMessageChunk", "FunctionMessage", "tool", "function":
		return roleTool
	case "ChatMessage", "ChatMessageChunk":
		return roleUser
	}
	return ""
}

// isItem reports whether a type is that of an item of OpenAI's responses that is no
// message but stands among them.
func isItem(kind string) bool {
	return slices.Contains([]string{"function_call", "function_call_output", "reasoning", "custom_tool_call", "custom_tool_call_output"}, kind)
}

func itemRole(kind string) string {
	if strings.HasSuffix(kind, "_output") {
		return roleTool
	}
	return roleAssistant
}
