package llm

import (
	"strings"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
)

func (m *message) begin(kind string) {
	if len(m.parts) > 0 {
		m.parts = append(m.parts, ',')
	}
	m.parts = append(m.parts, `{"type":`...)
	m.parts = otlp.AppendJSONText(m.parts, kind)
}

func (m *message) member(key string, v jsonvalue.Value) {
	if jsonvalue.Absent(v) {
		return
	}
	m.parts = append(append(append(m.parts, `,"`...), key...), `":`...)
	m.parts = append(m.parts, v...)
}

func (m *message) text(key, s string) {
	m.parts = append(append(append(m.parts, `,"`...), key...), `":`...)
	m.parts = otlp.AppendJSONText(m.parts, s)
}

func (m *message) end() { m.parts = append(m.parts, '}') }

// addTyped adds a part whose content is a text.
func (m *message) addTyped(kind string, content jsonvalue.Value) {
	m.begin(kind)
	m.text("content", jsonvalue.Text(content))
	m.end()
}

// addCall adds a call of a tool, however it is written. What is all null is none:
// OpenInference's processor for the AI SDK sends such for every part.
func (m *message) addCall(v jsonvalue.Value) {
	if inner := jsonvalue.At(v, "tool_call"); isObject(inner) { // OpenInference's
		v = inner
	}
	f := jsonvalue.Pick(v, "id", "call_id", "toolCallId", "ref", "name", "toolName", "args", "arguments", "input", "function")
	if inner := f["function"]; isObject(inner) {
		g := jsonvalue.Pick(inner, "name", "arguments")
		f["name"], f["arguments"] = g["name"], g["arguments"]
	}
	name, arguments := f.First("name", "toolName"), f.First("arguments", "args", "input")
	if jsonvalue.Absent(name) && jsonvalue.Absent(arguments) {
		return
	}
	m.begin("tool_call")
	m.member("id", f.First("call_id", "toolCallId", "id", "ref"))
	m.text("name", jsonvalue.Text(name))
	m.member("arguments", opened(arguments))
	m.end()
}

// addResponse adds what a tool has answered.
func (m *message) addResponse(id, name, response jsonvalue.Value) {
	m.begin("tool_call_response")
	m.member("id", id)
	m.member("name", name)
	if jsonvalue.Absent(response) {
		response = jsonvalue.Value("null")
	}
	m.parts = append(m.parts, `,"response":`...)
	m.parts = append(m.parts, opened(response)...)
	m.end()
}

// opened is JSON in a text, which may have been quoted twice, as JSON; anything else
// as it is.
func opened(v jsonvalue.Value) jsonvalue.Value {
	inner := v
	for range 2 {
		if !isText(inner) {
			break
		}
		s := jsonvalue.Text(inner)
		if object := structured(s); object != nil {
			return object
		}
		if inner = jsonvalue.Value(s); len(s) < 2 || s[0] != '"' || !validJSON(s) {
			break
		}
	}
	return v
}

// addPart adds a part of a message, however it is written.
func (m *message) addPart(v jsonvalue.Value) {
	if !isObject(v) {
		if !jsonvalue.Absent(v) {
			m.addTyped("text", v)
		}
		return
	}
	if inner := jsonvalue.At(v, "message_content"); isObject(inner) { // OpenInference's
		v = inner
	}
	f := jsonvalue.Pick(v, "type", "text", "content", "thinking", "summary", "toolCallId", "tool_call_id", "tool_use_id", "call_id", "id", "output", "result",
		"response", "name", "toolName", "functionCall", "function_call", "functionResponse", "function_response", "toolRequest", "toolResponse", "refusal")
	kind := ""
	if isText(f["type"]) {
		kind = jsonvalue.Text(f["type"])
	}
	switch strings.ReplaceAll(kind, "-", "_") {
	case "text", "input_text", "output_text":
		if content := f.First("text", "content"); content != nil {
			m.addTyped("text", content)
		}
	case "refusal":
		m.addTyped("text", f.First("refusal", "content"))
	case "reasoning", "thinking":
		m.addReasoning(f)
	case "tool_call", "tool_use", "function_call", "custom_tool_call":
		m.addCall(v)
	case "tool_call_response", "tool_result", "function_call_output", "custom_tool_call_output":
		m.addResponse(f.First("toolCallId", "tool_call_id", "tool_use_id", "call_id", "id"), f.First("toolName", "name"),
			f.First("response", "result", "output", "content"))
	case "":
		m.addUntyped(v, f)
	default:
		if !m.addMedia(kind, v) {
			m.addOther(kind, v)
		}
	}
}

// addReasoning adds what a model thought, which some providers keep for
// themselves: then its text is empty.
func (m *message) addReasoning(f jsonvalue.Object) {
	before := len(m.parts)
	for summary := range jsonvalue.Elements(f["summary"]) {
		m.addTyped("reasoning", jsonvalue.At(summary, "text"))
	}
	if len(m.parts) == before {
		m.addTyped("reasoning", f.First("content", "text", "thinking"))
	}
}

// addUntyped adds parts of Gemini and Genkit, which say by a member what they are.
func (m *message) addUntyped(v jsonvalue.Value, f jsonvalue.Object) {
	switch {
	case f["text"] != nil:
		m.addTyped("text", f["text"])
	case isObject(f.First("functionCall", "function_call", "toolRequest")):
		m.addCall(f.First("functionCall", "function_call", "toolRequest"))
	case isObject(f.First("functionResponse", "function_response", "toolResponse")):
		g := jsonvalue.Pick(f.First("functionResponse", "function_response", "toolResponse"), "id", "ref", "name", "response", "output")
		m.addResponse(g.First("id", "ref"), g["name"], g.First("response", "output"))
	case m.addGeminiMedia(v):
	case f["content"] != nil && len(f) == 1:
		m.addTyped("text", f["content"])
	default:
		m.begin("object")
		m.member("content", v)
		m.end()
	}
}

// addOther adds a part of a type that the conventions do not have, as it is.
func (m *message) addOther(kind string, v jsonvalue.Value) {
	m.begin(kind)
	for key, member := range jsonvalue.Members(v) {
		if key != "type" {
			m.parts = append(otlp.AppendJSONText(append(m.parts, ','), key), ':')
			m.parts = append(m.parts, member...)
		}
	}
	m.end()
}
