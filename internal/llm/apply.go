package llm

import (
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Apply sets what follows from a row (Derive), and puts lists together that its SDK
// has sent an attribute for every part of: llm.input_messages.0.message.role and
// the like, of which a conversation has hundreds, become one attribute under the
// key before the place, in JSON. Pieces of spans keep theirs, since another piece may
// have the rest of the list. It returns the memory that the row takes besides what it
// shares with its message.
func (n *Normalizer) Apply(s *schema.Span) (bytes int) {
	if s.Resource != nil && s.Resource.ServiceName == "" {
		s.Resource, bytes = n.named(s.Resource)
	}
	s.Derived = n.Derive(s)
	bytes += len(s.Derived)
	if !n.lists || s.Fragment != schema.FragmentNone {
		return bytes
	}
	if packed := n.pack(s); packed != nil {
		s.Attributes = packed
		bytes += len(packed)
	}
	return bytes
}

// vectors are parts of a list that are not kept: an embedding is read by nobody here,
// and larger than all else of its span.
const (
	vectorFamily = "embedding.embeddings"
	vectorPart   = "embedding.vector"
)

// pack returns the attributes of a span with its lists put together, nil if there are
// none.
func (n *Normalizer) pack(s *schema.Span) []byte {
	if n.packer == nil {
		n.packer = newPacker()
	}
	defer n.packer.reset()
	var taken []bool // attributes that are part of a list
	whole := sentWhole(s.Attributes)
	found := false
	for kv := otlp.SpanKeyValues(s.Attributes); kv.Next(); {
		key := alias(kv.Key)
		family := familyOf(key)
		ok := family != "" && !slices.Contains(whole, family) && (isVector(family, key) || n.packer.add(key, kv.Value))
		taken = append(taken, ok)
		found = found || ok
	}
	if !found {
		return nil
	}
	lists := n.packer.lists()
	repeated := n.spanKind == kindLLM && repeats(s.Attributes, lists["llm.input_messages"])
	out := make([]byte, 0, len(s.Attributes))
	i := -1
	for kv := otlp.SpanKeyValues(s.Attributes); kv.Next(); {
		i++
		switch key := alias(kv.Key); {
		case taken[i]:
			family := familyOf(key)
			if list, ok := lists[family]; ok { // in the place of its first part
				out = otlp.AppendAttribute(out, strings.Clone(family), schema.Value{Kind: schema.KindString, Str: alias(list)})
				delete(lists, family)
			}
		case repeated && (key == "input.value" || key == "input.mime_type"):
		default:
			out = append(out, kv.Field...)
		}
	}
	return out
}

// sentWhole are lists that are an attribute already: what came in parts beside it says
// something else, and stays.
func sentWhole(attributes []byte) (families []string) {
	for kv := otlp.SpanKeyValues(attributes); kv.Next(); {
		if key := alias(kv.Key); slices.Contains(listFamilies, key) {
			families = append(families, key)
		}
	}
	return families
}

// isVector reports whether a part of a list is of a vector.
func isVector(family, key string) bool {
	if family != vectorFamily {
		return false
	}
	_, part, _ := strings.Cut(key[len(family)+1:], ".")
	rest, ok := strings.CutPrefix(part, vectorPart)
	return ok && (rest == "" || rest[0] == '.')
}

// maxRepeated bounds the request that is compared with messages.
const maxRepeated = 1 << 20

// repeats reports whether input.value says nothing that the messages and the
// parameters of the call do not: OpenInference sends the request to the provider
// there, which is the whole conversation again.
func repeats(attributes, messages []byte) bool {
	if messages == nil {
		return false
	}
	value, _ := otlp.Lookup(attributes, "input.value")
	if value.Kind != schema.KindString || len(value.Str) > maxRepeated {
		return false
	}
	request := structured(value.Str)
	if request == nil {
		return false
	}
	said := inputMessages(request, true)
	if said == nil || string(said) != string(inputMessages(messages, true)) {
		return false
	}
	if request[0] == '[' {
		return true
	}
	parameters, _ := otlp.Lookup(attributes, "llm.invocation_parameters")
	sent := structured(parameters.Str)
	for key, member := range jsonvalue.Members(request) {
		switch key {
		case "messages", "contents", "input", "prompt", "prompts", "system", "instructions":
		default:
			if jsonvalue.Compact(jsonvalue.At(sent, key)) != jsonvalue.Compact(member) && !isModel(attributes, key, member) {
				return false
			}
		}
	}
	return true
}

func isModel(attributes []byte, key string, member jsonvalue.Value) bool {
	model, _ := otlp.Lookup(attributes, "llm.model_name")
	return key == "model" && model.Kind == schema.KindString && model.Str == jsonvalue.Text(member)
}

// packedFinish notes how an answer ended that is in a list which was put together
// before: what follows from a span must be the same then.
func (n *Normalizer) packedFinish() {
	slot := n.layout.slots[srcCompletionFinish]
	if n.values[slot].Kind != schema.KindEmpty {
		return
	}
	if list := n.value(srcCompletion); list.Kind == schema.KindString && strings.HasPrefix(list.Str, "[{") {
		v := jsonvalue.At(jsonvalue.Head(structured(list.Str)), "finish_reason")
		n.set(slot, jsonvalue.Attribute(v))
	}
}
