package llm

import (
	"cmp"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Names of events that carry content.
const (
	eventChoice     = "gen_ai.choice"
	eventDetails    = "gen_ai.client.inference.operation.details"
	eventPrompt     = "gen_ai.content.prompt"
	eventCompletion = "gen_ai.content.completion"
)

// eventContent is the content of a span's events.
type eventContent struct{ input, output Body }

// conversationOf reads what messages, requests and replies are known to be in.
func conversationOf(s string, output bool) Body {
	v := structured(s)
	if v == nil {
		if s == "" {
			return Body{}
		}
		return Body{Form: FormText, Text: s}
	}
	read := inputMessages
	if output {
		read = outputMessages
	}
	if messages := read(v, true); messages != nil {
		return Body{Form: FormMessages, Text: string(messages)}
	}
	return Body{Form: FormJSON, Text: alias(v)}
}

// semconvInput reads OpenTelemetry's messages, behind the instructions for them unless
// they have some themselves.
func semconvInput(r *contentReader) Body {
	return withInstructions(contentText(r.values[srcInputMessages], true), contentText(r.values[srcInstructions], true))
}

func withInstructions(messages, instructions string) Body {
	b := conversationOf(messages, false)
	if instructions == "" || b.Form != FormMessages && b.Form != FormNone {
		return b
	}
	for m := range jsonvalue.Elements(jsonvalue.Value(b.Text)) {
		if jsonvalue.Text(jsonvalue.At(m, "role")) == roleSystem {
			return b
		}
	}
	v := structured(instructions)
	if v == nil {
		v = otlp.AppendJSONText(nil, instructions)
	}
	var l messageList
	l.addText(roleSystem, v)
	l.addAll(jsonvalue.Value(b.Text), "")
	return Body{Form: FormMessages, Text: string(l.done())}
}

func eventInput(r *contentReader) Body  { return r.ofEvents().input }
func eventOutput(r *contentReader) Body { return r.ofEvents().output }

// ofEvents reads events of messages: one each, or all of them in one.
func (r *contentReader) ofEvents() *eventContent {
	if r.events != nil {
		return r.events
	}
	r.events = new(eventContent)
	var input, output messageList
	for _, e := range contentEvents(r.span) {
		body := messageOfEvent(e.Attributes)
		switch e.Name {
		case eventDetails:
			r.events.input = withInstructions(eventText(e.Attributes, srcInputMessages), eventText(e.Attributes, srcInstructions))
			r.events.output = conversationOf(eventText(e.Attributes, "gen_ai.output.messages"), true)
		case eventPrompt:
			r.events.input = conversationOf(eventText(e.Attributes, "gen_ai.prompt"), false)
		case eventCompletion:
			r.events.output = conversationOf(eventText(e.Attributes, "gen_ai.completion"), true)
		case eventChoice:
			output.addReply(body, "message")
		default:
			role, _ := strings.CutSuffix(strings.TrimPrefix(e.Name, "gen_ai."), ".message")
			if m, ok := readMessage(body, roleOf(role), 0); ok {
				input.add(&m)
			}
		}
	}
	if m := input.done(); m != nil && r.events.input.Form == FormNone {
		r.events.input = Body{Form: FormMessages, Text: string(m)}
	}
	if m := output.done(); m != nil && r.events.output.Form == FormNone {
		r.events.output = Body{Form: FormMessages, Text: string(m)}
	}
	return r.events
}

// contentEvents are the events that carry content, in the order of their times: pieces
// of a span bring them in any order.
func contentEvents(s *schema.Span) []otlp.Event {
	found := false
	for m := otlp.EventMessages(s.Events); m.Next() && !found; {
		found = isContentEvent(alias(otlp.EventName(m.Message)))
	}
	if !found {
		return nil
	}
	var events []otlp.Event
	for e := range otlp.Events(s) {
		if isContentEvent(e.Name) {
			events = append(events, e)
		}
	}
	slices.SortStableFunc(events, func(a, b otlp.Event) int { return cmp.Compare(a.TimeNanos, b.TimeNanos) })
	return events
}

func isContentEvent(name string) bool {
	rest, ok := strings.CutPrefix(name, "gen_ai.")
	return ok && (strings.HasSuffix(rest, ".message") || name == eventChoice || name == eventDetails || name == eventPrompt || name == eventCompletion)
}

func eventText(attributes []schema.Attribute, key string) string {
	i := slices.IndexFunc(attributes, func(a schema.Attribute) bool { return a.Key == key })
	if i < 0 {
		return ""
	}
	return contentText(attributes[i].Value, true)
}

// messageOfEvent is the message that the attributes of an event are: members that
// are objects or lists may be JSON in a text.
func messageOfEvent(attributes []schema.Attribute) jsonvalue.Value {
	out := []byte{'{'}
	for i, a := range attributes {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(otlp.AppendJSONText(out, strings.TrimPrefix(a.Key, "gen_ai.event.")), ':')
		if a.Value.Kind == schema.KindString && a.Key != "content" {
			if v := structured(a.Value.Str); v != nil {
				out = append(out, v...)
				continue
			}
		}
		out = appendValueJSON(out, &a.Value)
	}
	return append(out, '}')
}

// vercelResponse reads what a model has answered the AI SDK: reasoning, text and calls
// of tools.
func vercelResponse(r *contentReader) Body {
	m := message{role: roleAssistant}
	if s := contentText(r.values[srcReasoning], true); s != "" {
		m.addTyped("reasoning", otlp.AppendJSONText(nil, s))
	}
	if s := contentText(r.values[srcResponseText], false); s != "" {
		m.addTyped("text", otlp.AppendJSONText(nil, s))
	}
	if calls := structured(contentText(r.values[srcResponseCalls], true)); calls != nil {
		for call := range jsonvalue.Elements(calls) {
			m.addCall(call)
		}
	}
	if len(m.parts) == 0 {
		return Body{}
	}
	if reasons, ok := listOf(r.values[srcResponseFinish]); ok {
		m.finish = finishReasons(reasons)[0].Str
	}
	var l messageList
	l.add(&m)
	return Body{Form: FormMessages, Text: string(l.done())}
}

// vercelValues reads what was embedded: a list of texts, each in JSON.
func vercelValues(r *contentReader) Body {
	v := r.values[srcValues]
	if v.Kind != schema.KindArray {
		return r.shape(&contentRow{}, contentText(v, true))
	}
	out := []byte{'['}
	for i, e := range v.Array {
		if i > 0 {
			out = append(out, ',')
		}
		if e.Kind == schema.KindString && validJSON(e.Str) {
			out = append(out, e.Str...)
		} else {
			out = appendValueJSON(out, &e)
		}
	}
	return Body{Form: FormJSON, Text: string(append(out, ']'))}
}

func loggedInput(r *contentReader) Body  { return r.logged(false) }
func loggedOutput(r *contentReader) Body { return r.logged(true) }

// logged reads events of messages that are an attribute, as Logfire has them: replies
// are what came out.
func (r *contentReader) logged(output bool) Body {
	for _, key := range [...]string{srcEvents, srcAllEvents} {
		var l messageList
		for e := range jsonvalue.Elements(structured(contentText(r.values[key], false))) {
			switch name := jsonvalue.Text(jsonvalue.At(e, "event.name")); {
			case !isContentEvent(name):
			case name == eventChoice && output:
				l.addReply(e, "message")
			case name != eventChoice && !output:
				l.addOne(e, "")
			}
		}
		if m := l.done(); m != nil {
			return Body{Form: FormMessages, Text: string(m)}
		}
	}
	return Body{}
}
