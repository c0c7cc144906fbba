package llm

import "github.com/spanlake/spanlake/internal/jsonvalue"

// inputMessages brings what went into a span into the form of messages; nil if it
// is no conversation. request says that an object is a request to a model, of
// which members that are no messages may be left out.
func inputMessages(v jsonvalue.Value, request bool) []byte {
	var l messageList
	if v[0] == '[' {
		l.addAll(v, "")
		return l.done()
	}
	if l.addOne(v, "") {
		return l.done()
	}
	if !request {
		return loneMessages(v)
	}
	f := jsonvalue.Pick(v, "messages", "system", "prompt", "prompts", "contents", "config", "systemInstruction", "system_instruction",
		"input", "instructions", "chat_history", "items")
	l.instructions(f)
	before := len(l.out)
	switch {
	case l.addAll(f["messages"], ""), l.addAll(f["contents"], roleUser), l.addAll(f["input"], ""), l.addAll(f["items"], ""):
	case isText(f["input"]):
		l.addText(roleUser, f["input"])
	case isText(f["prompt"]):
		l.addText(roleUser, f["prompt"])
	case l.addAll(f["prompt"], ""):
	default:
		for prompt := range jsonvalue.Elements(f["prompts"]) {
			l.addText(roleUser, prompt)
		}
	}
	if len(l.out) == before { // a request without messages is something else
		return nil
	}
	return l.done()
}

// instructions adds what a request says before its messages.
func (l *messageList) instructions(f jsonvalue.Object) {
	for _, v := range [...]jsonvalue.Value{
		f["system"], f["instructions"], f["systemInstruction"], f["system_instruction"],
		jsonvalue.At(f["config"], "system_instruction"), jsonvalue.At(f["config"], "systemInstruction"),
	} {
		if parts := jsonvalue.At(v, "parts"); parts != nil {
			v = parts
		}
		l.addText(roleSystem, v)
	}
}

func isText(v jsonvalue.Value) bool { return len(v) > 0 && v[0] == '"' }

// loneMessages are those of an object that has nothing else, as states of graphs.
func loneMessages(v jsonvalue.Value) []byte {
	var l messageList
	for key, member := range jsonvalue.Members(v) {
		if key != "messages" || len(l.out) > 0 || !l.addAll(member, "") {
			return nil
		}
	}
	return l.done()
}

// outputMessages does the same with what came out. reply says that an object is
// a reply of a model.
func outputMessages(v jsonvalue.Value, reply bool) []byte {
	var l messageList
	if v[0] == '[' {
		role := ""
		if reply {
			role = roleAssistant
		}
		if !l.addAll(v, role) && reply {
			l.addParts(v)
		}
		return l.done()
	}
	if isReplyMessage(v) && l.addOne(v, "") {
		return l.done()
	}
	if !reply {
		return loneMessages(v)
	}
	f := jsonvalue.Pick(v, "choices", "candidates", "message", "messages", "generations", "output", "content", "text", "finish_reason", "finishReason")
	switch {
	case l.addReplies(f["choices"], "message"), l.addReplies(f["candidates"], "content"), l.addGenerations(f["generations"]):
	case isObject(f["message"]) && l.addOne(v, roleAssistant):
	case l.addAll(f["messages"], roleAssistant), l.addAll(f["output"], roleAssistant):
	case isObject(f["content"]): // of a candidate of Gemini, as ADK has it
		l.addReply(v, "content")
	case isText(f["text"]):
		l.addText(roleAssistant, f["text"])
	}
	return l.done()
}

// addParts adds a list of parts of known types as a message, as Anthropic's replies
// have it.
func (l *messageList) addParts(v jsonvalue.Value) {
	m := message{role: roleAssistant}
	for part := range jsonvalue.Elements(v) {
		switch jsonvalue.Text(jsonvalue.At(part, "type")) {
		case "text", "output_text", "thinking", "reasoning", "tool_use", "tool-call", "tool_call":
			m.addPart(part)
		default:
			return
		}
	}
	if len(m.parts) > 0 {
		l.add(&m)
	}
}

// isReplyMessage reports whether an object is a message itself, also one of
// LangChain, rather than a reply around one, of which more can be read.
func isReplyMessage(v jsonvalue.Value) bool { return !isObject(jsonvalue.At(v, "message")) }

// addReplies adds the messages of choices.
func (l *messageList) addReplies(list jsonvalue.Value, member string) bool {
	before := len(l.out)
	for choice := range jsonvalue.Elements(list) {
		l.addReply(choice, member)
	}
	return len(l.out) > before
}

// addReply adds the message of a choice, or its text.
func (l *messageList) addReply(choice jsonvalue.Value, member string) {
	f := jsonvalue.Pick(choice, member, "text", "finish_reason", "finishReason")
	m, ok := readMessage(f[member], roleAssistant, 0)
	if !ok {
		m = message{role: roleAssistant}
		m.addContent(f["text"])
	}
	if m.finish == "" {
		m.finish = jsonvalue.Text(f.First("finish_reason", "finishReason"))
	}
	if len(m.parts) > 0 || ok {
		l.add(&m)
	}
}

// addGenerations adds those of LangChain: lists of lists, of messages or texts.
func (l *messageList) addGenerations(list jsonvalue.Value) bool {
	before := len(l.out)
	for prompt := range jsonvalue.Elements(list) {
		if isObject(prompt) {
			l.addReply(prompt, "message")
		}
		l.addReplies(prompt, "message")
	}
	return len(l.out) > before
}
