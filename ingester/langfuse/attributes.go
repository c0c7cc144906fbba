package langfuse

import (
	"strings"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// row is a span that is being made of an event.
type row struct{ schema.Span }

func (r *row) set(key string, value schema.Value) {
	if value.Kind != schema.KindEmpty {
		r.Attributes = otlp.AppendAttribute(r.Attributes, key, value)
	}
}

// text sets an attribute unless there is nothing to say.
func (r *row) text(key, value string) {
	if value != "" {
		r.set(key, schema.Value{Kind: schema.KindString, Str: value})
	}
}

// textOf sets what a client sent, whatever its type, as text.
func (r *row) textOf(key string, v jsonvalue.Value) { r.text(key, jsonvalue.Text(v)) }

// members sets the members of an object below a prefix. What is no object, and what is
// too much, goes to the attribute whole, as JSON.
func (r *row) members(v jsonvalue.Value, prefix, whole string, name func(string) string) {
	if jsonvalue.Absent(v) {
		return
	}
	if v[0] != '{' {
		r.set(whole, jsonvalue.Attribute(v))
		return
	}
	members, more := jsonvalue.Few(v)
	for _, m := range members {
		key, value := prefix+name(m.Key), jsonvalue.Attribute(m.Value)
		if key == stopSequences {
			value = texts(m.Value)
		}
		r.set(key, value)
	}
	if more {
		r.textOf(whole, v)
	}
}

func (r *row) metadata(v jsonvalue.Value) {
	r.members(v, "metadata.", "metadata", func(key string) string { return key })
}

// tags are a list of texts.
func (r *row) tags(v jsonvalue.Value) {
	r.set("spanlake.tags", texts(v))
}

// stopSequences are a list in OpenTelemetry's conventions, and of one text in some clients.
const stopSequences = "gen_ai.request.stop_sequences"

// texts are those of a list, or the only one; nothing if there are none.
func texts(v jsonvalue.Value) schema.Value {
	var list []schema.Value
	for element := range jsonvalue.Elements(v) {
		if text := jsonvalue.Text(element); text != "" {
			list = append(list, schema.Value{Kind: schema.KindString, Str: text})
		}
	}
	if text := jsonvalue.Text(v); len(v) > 0 && v[0] != '[' && text != "" {
		list = append(list, schema.Value{Kind: schema.KindString, Str: text})
	}
	if len(list) == 0 {
		return schema.Value{}
	}
	return schema.Value{Kind: schema.KindArray, Array: list}
}

// snakeCase is a parameter's name as OpenTelemetry writes it.
func snakeCase(key string) string {
	var b strings.Builder
	for i, c := range key {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// parameter is the attribute of a model's parameter.
func parameter(key string) string {
	switch name := snakeCase(key); name {
	case "temperature", "top_p", "top_k", "max_tokens", "seed", "frequency_penalty", "presence_penalty", "stream", "stop_sequences":
		return name
	case "stop":
		return "stop_sequences"
	default:
		return "extra." + name
	}
}
