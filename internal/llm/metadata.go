package llm

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// maxMeta bounds the metadata of a span: more keys, and longer texts, stay under
// the names they were sent with alone.
const maxMeta = 64

func cloned(s string) string { return strings.Clone(s) }

// takeMeta notes an attribute that is metadata of a user.
func (n *Normalizer) takeMeta(key string, value []byte) {
	for _, prefix := range metaFamilies {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			n.addMeta(name, otlp.ParseValue(value))
			return
		}
	}
	if !slices.Contains(metaWhole, key) {
		return
	}
	s, ok := jsonText(value)
	if !ok {
		return
	}
	prefix := key + "."
	members(s, func(name, value string) {
		if len(name) > maxText {
			return
		}
		v := jsonScalar(value)
		if slot, ok := n.layout.slots[prefix+name]; ok {
			if n.values[slot].Kind == schema.KindEmpty {
				n.set(slot, v)
			}
			return
		}
		n.addMeta(name, v)
	})
}

var metaFamilies, metaWhole = families(), wholeFamilies()

// addMeta notes metadata. LangChain's environment variables are noise, and may
// tell of hosts.
func (n *Normalizer) addMeta(name string, v schema.Value) {
	if name == "" || len(name) > maxText || !utf8.ValidString(name) || len(n.meta) >= maxMeta ||
		strings.HasPrefix(name, "LANGSMITH_") || strings.HasPrefix(name, "LANGCHAIN_") {
		return
	}
	switch rest := strings.TrimPrefix(name, "ls_"); name {
	case "ls_temperature", "ls_max_tokens", "ls_stop":
		n.addParameter(rest, v) // LangChain's name for it
		return
	}
	v, ok := plainValue(v)
	if !ok {
		return
	}
	n.meta = append(n.meta, schema.Attribute{Key: name, Value: v})
}

// plainValue is a value to be copied: a scalar that is not long, or a list of
// them as texts.
func plainValue(v schema.Value) (schema.Value, bool) {
	switch v.Kind {
	case schema.KindString:
		return v, v.Str != "" && len(v.Str) <= maxText && utf8.ValidString(v.Str)
	case schema.KindInt, schema.KindDouble, schema.KindBool:
		return v, true
	case schema.KindArray:
		list, ok := listOf(v)
		return schema.Value{Kind: schema.KindArray, Array: list}, ok
	case schema.KindEmpty, schema.KindBytes, schema.KindMap:
	}
	return v, false
}

// metadata derives metadata.<key>, in the order of the keys. Of those that are
// there twice the first counts.
func (n *Normalizer) metadata() { n.emitSorted("metadata.", n.meta) }

func (n *Normalizer) emitSorted(prefix string, list []schema.Attribute) {
	slices.SortStableFunc(list, func(a, b schema.Attribute) int { return strings.Compare(a.Key, b.Key) })
	for i := range list {
		if i == 0 || list[i].Key != list[i-1].Key {
			n.emit(prefix+list[i].Key, list[i].Value)
		}
	}
}

var parameterObjects, parameterPrefixes = parameters()

// takeParameters notes parameters of the request, and reports whether the
// attribute is one.
func (n *Normalizer) takeParameters(key string, value []byte) bool {
	for _, prefix := range parameterPrefixes {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			n.addParameter(name, otlp.ParseValue(value))
			return true
		}
	}
	if !slices.Contains(parameterObjects, key) {
		return false
	}
	if s, ok := jsonText(value); ok {
		members(s, func(name, value string) {
			if value[0] == '{' || len(name) > maxText {
				return
			}
			v := jsonScalar(value)
			if value[0] == '[' {
				list, _ := listOf(v)
				v = schema.Value{Kind: schema.KindArray, Array: list}
			}
			if slot, ok := n.layout.slots[key+"."+name]; ok && n.values[slot].Kind == schema.KindEmpty {
				n.set(slot, v)
			}
			n.addParameter(name, v)
		})
	}
	return true
}

// parameterName is <name> of gen_ai.request.<name> of a parameter, as
// OpenTelemetry and the providers spell them, and its form; formAny for those
// that the conventions do not have.
func parameterName(name string) (canonical string, to form) {
	switch name {
	case "temperature", "frequency_penalty", "presence_penalty", "top_p":
		return name, formNumber
	case "topP":
		return "top_p", formNumber
	case "frequencyPenalty":
		return "frequency_penalty", formNumber
	case "presencePenalty":
		return "presence_penalty", formNumber
	case "top_k", "max_tokens", "seed":
		return name, formCount
	case "topK":
		return "top_k", formCount
	case "maxTokens", "maxOutputTokens", "max_output_tokens", "max_completion_tokens", "maxCompletionTokens":
		return "max_tokens", formCount
	case "n":
		return "choice.count", formCount
	case "stop_sequences", "stop", "stopSequences":
		return "stop_sequences", formTexts
	case "encoding_formats":
		return name, formTexts
	case "stream":
		return name, formAny
	}
	return "extra." + name, formAny
}

func (n *Normalizer) addParameter(name string, v schema.Value) {
	switch name {
	case "", "messages", "tools", "model", "input", "prompt", "instructions", "system":
		return
	}
	canonical, to := parameterName(name)
	v, ok := coerce(v, to)
	if !ok || len(canonical) > maxText || !utf8.ValidString(canonical) || len(n.request) >= maxMeta {
		return
	}
	n.request = append(n.request, schema.Attribute{Key: canonical, Value: v})
}

// requestParameters derives gen_ai.request.<name>, unless it was sent.
func (n *Normalizer) requestParameters() {
	list := n.request[:0]
	for _, a := range n.request {
		if _, sent := otlp.Lookup(n.span.Attributes, "gen_ai.request."+a.Key); !sent {
			list = append(list, a)
		}
	}
	n.emitSorted("gen_ai.request.", list)
}
