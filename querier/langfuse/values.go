package langfuse

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strings"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/schema"
)

// orNull is a text that is null if nobody said it.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// asJSON is what was sent as JSON, and a text that is none.
func asJSON(text string) any {
	if s := strings.TrimLeft(text, " \t\r\n"); s != "" && (s[0] == '{' || s[0] == '[') && json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	return text
}

// body is what went in or came out: as it was sent to Langfuse, if it was, else as
// the views of content have it.
func body(sent string, seen llm.Body) any {
	if sent != "" {
		return asJSON(sent)
	}
	switch seen.Form {
	case llm.FormNone:
		return nil
	case llm.FormText:
		return seen.Text
	default:
		return asJSON(seen.Text)
	}
}

// metadataOf is an object, of whatever keys there are.
func metadataOf(list []schema.Attribute) map[string]any {
	object := make(map[string]any, len(list))
	for i := range list {
		object[list[i].Key] = valueOf(&list[i].Value)
	}
	return object
}

// valueOf is a value as JSON has it. A number that JSON does not know is a text.
func valueOf(v *schema.Value) any {
	switch v.Kind {
	case schema.KindString:
		return asJSON(v.Str)
	case schema.KindBool:
		return v.Bool
	case schema.KindInt:
		return v.Int
	case schema.KindDouble:
		switch {
		case math.IsNaN(v.Double):
			return "NaN"
		case math.IsInf(v.Double, 1):
			return "Infinity"
		case math.IsInf(v.Double, -1):
			return "-Infinity"
		}
		return v.Double
	case schema.KindBytes:
		return base64.StdEncoding.EncodeToString([]byte(v.Str))
	case schema.KindArray:
		list := make([]any, len(v.Array))
		for i := range v.Array {
			list[i] = valueOf(&v.Array[i])
		}
		return list
	case schema.KindMap:
		return metadataOf(v.Map)
	default:
		return nil
	}
}

// seconds is the time between two others, none if it would be negative.
func seconds(from, to uint64) float64 {
	if to <= from {
		return 0
	}
	return float64(to-from) / 1e9
}

// finite is a number that JSON knows.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// costOf is null if nobody knows.
func costOf(u *conversation.Usage, v float64) *float64 {
	if !u.HasCost {
		return nil
	}
	v = finite(v)
	return &v
}
