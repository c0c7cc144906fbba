package llm

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// Bounds of lists that come in parts. What is beyond them stays as it was sent.
const (
	maxSlots    = 10_000 // an index, and the parts of a span
	maxSegments = 24     // of a key
)

// families are the lists that SDKs flatten: an attribute for every part of every
// element, whose keys have its place.
func indexedFamilies() []string {
	return []string{
		"llm.input_messages", "llm.output_messages", "llm.tools", "retrieval.documents", "reranker.input_documents",
		"reranker.output_documents", "gen_ai.prompt", "gen_ai.completion", "embedding.embeddings",
	}
}

var listFamilies = indexedFamilies()

// isIndexed reports whether a key is of a part of a list.
func isIndexed(key string) bool { return familyOf(key) != "" }

// familyOf is the list that a key is a part of, "" if it is none.
func familyOf(key string) string {
	if len(key) > maxText {
		return ""
	}
	for _, family := range listFamilies {
		if len(key) < len(family)+4 || key[len(family)] != '.' || key[:len(family)] != family {
			continue
		}
		index, rest, ok := strings.Cut(key[len(family)+1:], ".")
		if _, number := slotOf(index); ok && number && rest != "" {
			return family
		}
	}
	return ""
}

// slotOf reads a place in a list.
func slotOf(s string) (int, bool) {
	if s == "" || len(s) > 4 || s[0] < '0' || s[0] > '9' || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n < maxSlots
}

// packer puts lists together that came in parts.
type packer struct {
	nodes []packNode
	at    map[string]int32 // by the key so far
	roots []string         // families, in the order in which they came
}

// packNode is a value, or what has parts.
type packNode struct {
	name        string
	value       schema.Value
	leaf        bool
	first, last int32 // of its parts; 0: none
	next        int32 // part of the same
}

func newPacker() *packer { return &packer{nodes: make([]packNode, 1, 64), at: make(map[string]int32)} }

func (p *packer) reset() {
	clear(p.nodes)
	clear(p.at)
	p.nodes, p.roots = p.nodes[:1], p.roots[:0]
}

// add adds a part, and reports whether it did. What cannot be said in JSON as it is,
// what contradicts another part, and what is too much, stays an attribute.
func (p *packer) add(key string, value []byte) bool {
	family := familyOf(key)
	if family == "" || strings.Count(key[len(family):], ".") > maxSegments || len(p.nodes)+strings.Count(key[len(family):], ".") > maxSlots {
		return false
	}
	v := otlp.ParseValue(value)
	if !utf8.ValidString(key) || !exact(&v) || !p.free(key, len(family)) {
		return false
	}
	parent, ok := p.at[family]
	if !ok {
		parent = p.node(0, family, family)
		p.roots = append(p.roots, family)
	}
	for end := len(family); end < len(key); {
		begin := end + 1
		if end = strings.IndexByte(key[begin:], '.'); end < 0 {
			end = len(key)
		} else {
			end += begin
		}
		child, ok := p.at[key[:end]]
		if !ok {
			child = p.node(parent, key[:end], key[begin:end])
		}
		parent = child
	}
	p.nodes[parent].leaf, p.nodes[parent].value = true, v
	return true
}

// free reports whether nothing has the key, and no part of it is a value.
func (p *packer) free(key string, end int) bool {
	for end < len(key) {
		next := strings.IndexByte(key[end+1:], '.')
		if next < 0 {
			break
		}
		end += next + 1
		at, ok := p.at[key[:end]]
		if !ok {
			return true
		}
		if p.nodes[at].leaf {
			return false
		}
	}
	_, taken := p.at[key]
	return !taken
}

func (p *packer) node(parent int32, key, name string) int32 {
	at := int32(len(p.nodes)) //nolint:gosec // maxSlots at most
	p.nodes = append(p.nodes, packNode{name: name})
	p.at[key] = at
	if parent > 0 {
		if last := p.nodes[parent].last; last > 0 {
			p.nodes[last].next = at
		} else {
			p.nodes[parent].first = at
		}
		p.nodes[parent].last = at
	}
	return at
}

// exact reports whether JSON can say a value just as it is.
func exact(v *schema.Value) bool {
	switch v.Kind {
	case schema.KindString:
		return utf8.ValidString(v.Str)
	case schema.KindDouble:
		return !math.IsNaN(v.Double) && !math.IsInf(v.Double, 0)
	case schema.KindArray:
		for i := range v.Array {
			if !exact(&v.Array[i]) {
				return false
			}
		}
		return true
	case schema.KindEmpty, schema.KindBool, schema.KindInt:
		return true
	case schema.KindBytes, schema.KindMap:
	}
	return false
}

// appendNode appends what a node is as JSON: of parts whose names are all places a list
// in their order, else an object.
func (p *packer) appendNode(dst []byte, at int32) []byte {
	n := &p.nodes[at]
	if n.leaf {
		return appendValueJSON(dst, &n.value)
	}
	parts, list := p.parts(at)
	if list {
		dst = append(dst, '[')
	} else {
		dst = append(dst, '{')
	}
	for i, part := range parts {
		if i > 0 {
			dst = append(dst, ',')
		}
		if !list {
			dst = append(otlp.AppendJSONText(dst, p.nodes[part].name), ':')
		}
		dst = p.appendNode(dst, part)
	}
	if list {
		return append(dst, ']')
	}
	return append(dst, '}')
}

func (p *packer) parts(at int32) (parts []int32, list bool) {
	list = true
	sorted, before := true, -1
	for part := p.nodes[at].first; part > 0; part = p.nodes[part].next {
		slot, ok := slotOf(p.nodes[part].name)
		list = list && ok
		sorted, before = sorted && slot > before, slot
		parts = append(parts, part)
	}
	if list && !sorted {
		slices.SortFunc(parts, func(a, b int32) int {
			x, _ := slotOf(p.nodes[a].name)
			y, _ := slotOf(p.nodes[b].name)
			return x - y
		})
	}
	return parts, list
}

// lists are all lists as JSON.
func (p *packer) lists() map[string][]byte {
	out := make(map[string][]byte, len(p.roots))
	for _, family := range p.roots {
		out[family] = p.appendNode(nil, p.at[family])
	}
	return out
}
