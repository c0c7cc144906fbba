package llm

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Form is how a Body is to be read.
type Form uint8

// The forms of a Body.
const (
	FormNone     Form = iota // there is none
	FormText                 // a text as it was sent
	FormJSON                 // an object or a list in JSON, as it was sent
	FormMessages             // JSON: messages as OpenTelemetry's GenAI conventions have them
)

// Body is what went into a span, or what came out of it.
type Body struct {
	Form Form
	Text string // shares memory with the row if it can
}

// Content is what went into a span and what came out of it.
type Content struct{ Input, Output Body }

// ContentOf reads the content of a span, whichever SDK it is from: of the keys and
// events that have some the first by precedence counts (content_table.go). Where
// it is a conversation it is brought into one form. It is a view: nothing of it is
// stored, and what it is read from stays as it is. s may be a row, or a span that
// was folded of several. Its Derived says whether it is a call of a model, whose
// requests and replies are conversations also in the form of a provider's API.
func ContentOf(s *schema.Span) Content {
	r := readContent(s)
	return Content{Input: r.first(inputRows), Output: r.first(outputRows)}
}

// TraceContentOf reads what a span says of its whole trace, as Langfuse's SDKs let
// it: nothing, in most cases.
func TraceContentOf(s *schema.Span) Content {
	r := readContent(s)
	return Content{Input: r.first(traceInputRows), Output: r.first(traceOutputRows)}
}

// The attributes that Shown adds.
const (
	keyInput  = "spanlake.input"
	keyOutput = "spanlake.output"
)

// Shown returns spans with what was derived of them among their attributes, in the
// place of what was sent under the same keys, and with their content, as spanlake.input
// and spanlake.output. It does not change spans.
func Shown(spans []schema.Span) []schema.Span {
	if !slices.ContainsFunc(spans, func(s schema.Span) bool { return len(s.Derived) > 0 }) {
		return spans
	}
	spans = slices.Clone(spans)
	for i := range spans {
		if s := &spans[i]; len(s.Derived) > 0 { // it is about models
			c := ContentOf(s)
			s.Derived = slices.Clip(s.Derived)
			s.Derived = appendBody(appendBody(s.Derived, keyInput, c.Input), keyOutput, c.Output)
		}
	}
	return otlp.WithDerived(spans)
}

func appendBody(attributes []byte, key string, b Body) []byte {
	if b.Form == FormNone {
		return attributes
	}
	return otlp.AppendAttribute(attributes, key, text(b.Text))
}

// AppendJSON appends the body as a JSON value: a text as a string, and null if
// there is none.
func (b Body) AppendJSON(dst []byte) []byte {
	switch b.Form {
	case FormText:
		return otlp.AppendJSONText(dst, b.Text)
	case FormJSON, FormMessages:
		return append(dst, b.Text...)
	case FormNone:
	}
	return append(dst, "null"...)
}

// Plain is what a person wants to read first: a text as it is, of a conversation
// the text of its last message that has one, and JSON as it is.
func (b Body) Plain() string {
	if b.Form != FormMessages {
		return b.Text
	}
	last := ""
	for message := range jsonvalue.Elements(jsonvalue.Value(b.Text)) {
		var texts []string
		for part := range jsonvalue.Elements(jsonvalue.At(message, "parts")) {
			if f := jsonvalue.Pick(part, "type", "content"); jsonvalue.Text(f["type"]) == "text" {
				texts = append(texts, jsonvalue.Text(f["content"]))
			}
		}
		if len(texts) > 0 {
			last = strings.Join(texts, "\n")
		}
	}
	return last
}

// contentReader has what of a span its content can be read from.
type contentReader struct {
	span    *schema.Span
	values  map[string]schema.Value
	indexed map[string][]byte // lists that came in parts, put together
	events  *eventContent     // nil until somebody asks
	call    bool              // of a model
}

func readContent(s *schema.Span) *contentReader {
	r := &contentReader{span: s, values: make(map[string]schema.Value)}
	var p *packer
	for kv := otlp.SpanKeyValues(s.Attributes); kv.Next(); {
		key := alias(kv.Key)
		if contentKeys[key] {
			if _, twice := r.values[key]; !twice {
				r.values[key] = otlp.ParseValue(kv.Value)
			}
			continue
		}
		if family := familyOf(key); family != "" && !isVector(family, key) {
			if p == nil {
				p = newPacker()
			}
			p.add(key, kv.Value)
		}
	}
	if p != nil {
		r.indexed = p.lists()
	}
	kind, _ := otlp.Lookup(s.Derived, keyKind)
	if kind.Kind != schema.KindString {
		kind, _ = otlp.Lookup(s.Attributes, keyKind)
	}
	r.call = kind.Str == kindLLM
	return r
}

// first is the content of the first row of a table that has some.
func (r *contentReader) first(rows []contentRow) Body {
	for i := range rows {
		if b := r.read(&rows[i]); b.Form != FormNone {
			return b
		}
	}
	return Body{}
}

func (r *contentReader) read(row *contentRow) Body {
	if row.read != nil {
		return row.read(r)
	}
	if s := contentText(r.values[row.key], row.as != asSent); s != "" {
		return r.shape(row, s)
	}
	return r.shape(row, alias(r.indexed[row.key]))
}

// contentText is a value as text: JSON where it is no string.
func contentText(v schema.Value, quoted bool) string {
	switch v.Kind {
	case schema.KindEmpty:
		return ""
	case schema.KindString:
		if s := strings.TrimSpace(v.Str); quoted && len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' && json.Valid([]byte(s)) {
			return jsonvalue.Text(jsonvalue.Value(s))
		}
		return v.Str
	case schema.KindBool, schema.KindInt, schema.KindDouble, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return string(appendValueJSON(nil, &v))
}

// maxContent bounds the content that is read as JSON. What is longer is shown as
// the text that it is.
const maxContent = 32 << 20

// shape gives a text the form that it has.
func (r *contentReader) shape(row *contentRow, s string) Body {
	v := structured(s)
	switch {
	case s == "":
		return Body{}
	case v == nil:
		return Body{Form: FormText, Text: s}
	}
	var messages []byte
	if row.output {
		messages = outputMessages(v, r.call || row.as == asConversation)
	} else {
		messages = inputMessages(v, r.call || row.as == asConversation)
	}
	if messages != nil {
		return Body{Form: FormMessages, Text: string(messages)}
	}
	return Body{Form: FormJSON, Text: alias(v)}
}

// structured is an object or a list in JSON, nil if the text is none.
func structured(s string) jsonvalue.Value {
	s = strings.TrimSpace(s)
	if len(s) < 2 || len(s) > maxContent || s[0] != '{' && s[0] != '[' {
		return nil
	}
	if v := jsonvalue.Value(s); utf8.Valid(v) && json.Valid(v) {
		return v
	}
	return nil
}
