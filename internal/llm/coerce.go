package llm

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spanlake/spanlake/schema"
)

// form is what a canonical attribute's value is made.
type form uint8

const (
	formText     form = iota // a string that is not empty
	formCount                // a whole number, not negative
	formNumber               // a finite double
	formAmount               // likewise, and not negative
	formList                 // a list of strings that is not empty
	formFinish               // likewise, of finish reasons
	formProvider             // a provider by its name in the conventions
	formTexts                // a list of strings; a single one is one of it
	formAny                  // as it is, if it is not long
)

// maxText bounds what is copied of a text. A longer one stays under the key it
// was sent with alone.
const maxText = 1024

// coerce brings a value into a form. It is false if that cannot be.
func coerce(v schema.Value, to form) (schema.Value, bool) {
	switch to {
	case formText:
		s, ok := textOf(v)
		return text(s), ok
	case formCount:
		n, ok := countOf(v)
		return schema.Value{Kind: schema.KindInt, Int: n}, ok
	case formNumber, formAmount:
		f, ok := numberOf(v)
		return schema.Value{Kind: schema.KindDouble, Double: f}, ok && (f >= 0 || to == formNumber)
	case formList:
		list, ok := listOf(v)
		return schema.Value{Kind: schema.KindArray, Array: list}, ok
	case formFinish:
		list, ok := listOf(v)
		return schema.Value{Kind: schema.KindArray, Array: finishReasons(list)}, ok
	case formTexts:
		if v.Kind == schema.KindString {
			v = schema.Value{Kind: schema.KindArray, Array: []schema.Value{v}}
		}
		list, ok := listOf(v)
		return schema.Value{Kind: schema.KindArray, Array: list}, ok
	case formAny:
		return plainValue(v)
	case formProvider:
		s, ok := textOf(v)
		return text(providerName(s)), ok
	}
	return schema.Value{}, false
}

func text(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }

// textOf is a scalar as text.
func textOf(v schema.Value) (string, bool) {
	switch v.Kind {
	case schema.KindString:
		s := strings.TrimSpace(v.Str)
		return s, s != "" && len(s) <= maxText && utf8.ValidString(s)
	case schema.KindInt:
		return strconv.FormatInt(v.Int, 10), true
	case schema.KindDouble:
		return strconv.FormatFloat(v.Double, 'g', -1, 64), true
	case schema.KindBool:
		return strconv.FormatBool(v.Bool), true
	case schema.KindEmpty, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return "", false
}

// maxCount is more tokens than there are. It keeps sums of counts exact.
const maxCount = 1 << 50

// countOf is a whole number. Text and doubles are taken if they are one.
func countOf(v schema.Value) (int64, bool) {
	n := v.Int
	if v.Kind != schema.KindInt {
		f, ok := numberOf(v)
		if !ok || f != math.Trunc(f) || math.Abs(f) > maxCount {
			return 0, false
		}
		n = int64(f)
	}
	return n, n >= 0 && n <= maxCount
}

// numberOf is a finite number.
func numberOf(v schema.Value) (float64, bool) {
	f := v.Double
	switch v.Kind {
	case schema.KindDouble:
	case schema.KindInt:
		f = float64(v.Int)
	case schema.KindString:
		if len(v.Str) > maxNumber {
			return 0, false
		}
		var err error
		if f, err = strconv.ParseFloat(strings.TrimSpace(v.Str), 64); err != nil {
			return 0, false
		}
	case schema.KindEmpty, schema.KindBool, schema.KindBytes, schema.KindArray, schema.KindMap:
		return 0, false
	}
	return f, !math.IsNaN(f) && !math.IsInf(f, 0)
}

// maxNumber is the length of the longest text that is read as a number.
const maxNumber = 40

// maxList bounds the elements of a list.
const maxList = 64

// listOf is a list of texts: as one, as JSON, with commas between, or a single
// one.
func listOf(v schema.Value) (list []schema.Value, ok bool) {
	add := func(v schema.Value) {
		if s, ok := textOf(v); ok && len(list) < maxList {
			list = append(list, text(s))
		}
	}
	switch v.Kind {
	case schema.KindArray:
		for _, e := range v.Array {
			add(e)
		}
	case schema.KindString:
		s := strings.TrimSpace(v.Str)
		if len(s) > maxJSON {
			return nil, false
		}
		if strings.HasPrefix(s, "[") && validJSON(s) {
			elements(s, func(e string) { add(jsonScalar(e)) })
			break
		}
		for part := range strings.SplitSeq(s, ",") {
			add(text(part))
		}
	default:
		add(v)
	}
	return list, len(list) > 0
}

func finishReasons(list []schema.Value) []schema.Value {
	out := make([]schema.Value, len(list))
	for i, v := range list {
		reason := strings.ToLower(v.Str)
		if reason == "tool-calls" || reason == "tool_call" {
			reason = "tool_calls"
		}
		out[i] = text(reason)
	}
	return out
}

// providerName is a provider's name in OpenTelemetry's conventions. SDKs put the
// API that was called behind it: openai.chat.
func providerName(s string) string {
	s = strings.ToLower(s)
	for _, known := range [...][2]string{
		{"google.generative-ai", "gcp.gemini"},
		{"google.vertex", "gcp.vertex_ai"},
		{"vertex_ai", "gcp.vertex_ai"},
		{"vertexai", "gcp.vertex_ai"},
		{"amazon-bedrock", "aws.bedrock"},
		{"bedrock", "aws.bedrock"},
		{"aws", "aws.bedrock"},
		{"az.ai.openai", "azure.ai.openai"},
		{"azure-openai", "azure.ai.openai"},
		{"az.ai.inference", "azure.ai.inference"},
		{"mistralai", "mistral_ai"},
		{"mistral", "mistral_ai"},
		{"xai", "x_ai"},
		{"google", "gcp.gemini"},
		{"azure", "azure.ai.openai"},
	} {
		if rest, ok := strings.CutPrefix(s, known[0]); ok && (rest == "" || rest[0] == '.') {
			if known[0] == "azure" && strings.HasPrefix(rest, ".ai.") || known[0] == "aws" && rest == ".bedrock" {
				return s
			}
			return known[1]
		}
	}
	for _, name := range [...]string{"azure.ai.", "gcp.", "aws.", "ibm.watsonx"} {
		if strings.HasPrefix(s, name) {
			return s
		}
	}
	s, _, _ = strings.Cut(s, ".")
	return s
}

// timeOf reads a time: ISO 8601, also in quotes, or milliseconds since 1970.
func timeOf(v schema.Value) (nanos int64, ok bool) {
	if v.Kind != schema.KindString {
		ms, ok := numberOf(v)
		if !ok || ms <= 0 || ms > math.MaxInt64/1e6 {
			return 0, false
		}
		return int64(ms * 1e6), true
	}
	t, err := time.Parse(time.RFC3339Nano, strings.Trim(strings.TrimSpace(v.Str), `"`))
	if err != nil || t.Year() < 1970 || t.Year() > 2200 {
		return 0, false
	}
	return t.UnixNano(), true
}

// same reports whether two values, neither of which is a map, are one.
func same(a, b schema.Value) bool {
	if a.Kind != b.Kind || a.Str != b.Str || a.Int != b.Int || a.Double != b.Double || a.Bool != b.Bool || len(a.Array) != len(b.Array) {
		return false
	}
	for i := range a.Array {
		if !same(a.Array[i], b.Array[i]) {
			return false
		}
	}
	return true
}
