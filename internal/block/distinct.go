package block

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Keys returns the keys that attributes of the scope have in any row, in no
// order and some perhaps twice. It reads dictionaries at most, and is false if
// these do not tell. Errors are those of Scan.
func (r *Reader) Keys(ctx context.Context, scope vec.Scope) (keys []string, ok bool, err error) {
	defer r.guard("list of keys", &err)
	for i := range r.dir.groups {
		g, listed := r.groupReader(i), true
		switch scope {
		case vec.ScopeSpan:
			keys, listed = g.appendKeys(keys, ownerSpan, ownerDerived)
		case vec.ScopeEvent:
			keys, listed = g.appendKeys(keys, ownerEvent)
		case vec.ScopeLink:
			keys, listed = g.appendKeys(keys, ownerLink)
		case vec.ScopeResource, vec.ScopeInstrumentation:
			d, err := g.messages(ctx, scope)
			if err != nil || d == nil {
				return nil, false, err
			}
			keys = append(keys, d.keys...)
		case vec.ScopeIntrinsic:
			return nil, false, nil
		}
		if !listed {
			return nil, false, nil
		}
	}
	return keys, true, nil
}

// appendKeys appends the keys of owners. It is false if they are not all
// listed.
func (g *groupReader) appendKeys(keys []string, list ...owner) ([]string, bool) {
	for _, from := range list {
		if g.group.keys[from].any {
			return nil, false
		}
		for _, c := range g.reader.columns.shredded[from] {
			if !g.chunk(c).absent {
				keys = append(keys, g.column(c).attribute.key)
			}
		}
		keys = append(keys, g.group.keys[from].sorted...)
	}
	return keys, true
}

// Distinct yields rows that have between them all values that rows of the block
// have of a field, and no others: of each only the field is filled in. It reads
// dictionaries at most, and is false if these do not tell; then nothing was
// yielded. It ends when yield returns false. Errors are those of Scan.
func (r *Reader) Distinct(ctx context.Context, field vec.Field, yield func(*schema.Span) bool) (ok bool, err error) {
	defer r.guard("list of values", &err)
	lists := make([]func(func(*schema.Span) bool) bool, len(r.dir.groups))
	for i := range r.dir.groups {
		g := r.groupReader(i)
		switch field.Scope {
		case vec.ScopeIntrinsic:
			lists[i], err = g.distinctTexts(ctx, field.Key)
		case vec.ScopeSpan:
			lists[i], err = g.distinctAttributes(ctx, field.Key)
		case vec.ScopeResource, vec.ScopeInstrumentation:
			lists[i], err = g.distinctMessages(ctx, field)
		case vec.ScopeEvent:
			lists[i] = g.none(ownerEvent, field.Key)
		case vec.ScopeLink:
			lists[i] = g.none(ownerLink, field.Key)
		}
		if err != nil || lists[i] == nil {
			return false, err
		}
	}
	for _, each := range lists {
		if !each(yield) {
			break
		}
	}
	return true, nil
}

// none yields nothing, and is nil if there may be something.
func (g *groupReader) none(from owner, key string) func(func(*schema.Span) bool) bool {
	if !g.lacks(from, key) {
		return nil
	}
	return func(func(*schema.Span) bool) bool { return true }
}

// lacks reports whether no row has an attribute of the key.
func (g *groupReader) lacks(from owner, key string) bool {
	if g.group.keys[from].mayHave(key) {
		return false
	}
	return !slices.ContainsFunc(g.reader.columns.byKey[attributeKey{from, key}], func(c int) bool { return !g.chunk(c).absent })
}

// dictionaryOf fetches the dictionary of a column. It is nil if there is none.
func (g *groupReader) dictionaryOf(ctx context.Context, c int) (*dictionary, error) {
	if !g.hasDictionary(c) {
		return nil, nil
	}
	if err := g.keep(ctx, []extent{g.chunk(c).dict.extent()}); err != nil {
		return nil, fmt.Errorf("read dictionary: %w", err)
	}
	return g.dictionary(c)
}

// distinctTexts lists the values of an intrinsic that is a text.
func (g *groupReader) distinctTexts(ctx context.Context, key string) (func(func(*schema.Span) bool) bool, error) {
	var fill func(s *schema.Span, text string)
	switch key {
	case vec.Name:
		fill = func(s *schema.Span, text string) { s.Name = text }
	case vec.StatusMessage:
		fill = func(s *schema.Span, text string) { s.StatusMessage = text }
	case vec.ScopeName:
		fill = func(s *schema.Span, text string) { s.Scope = &schema.Scope{Name: text} }
	case vec.ScopeVersion:
		fill = func(s *schema.Span, text string) { s.Scope = &schema.Scope{Version: text} }
	default:
		return nil, nil
	}
	d, err := g.dictionaryOf(ctx, g.fixed(intrinsicColumn(key)))
	if err != nil || d == nil {
		return nil, err
	}
	return func(yield func(*schema.Span) bool) bool {
		for _, text := range d.texts {
			s := schema.Span{Resource: &noResource, Scope: &noScope}
			fill(&s, alias(text))
			if !yield(&s) {
				return false
			}
		}
		return true
	}, nil
}

// distinctAttributes lists the values of an attribute of the span: those that
// stand in dictionaries, if there are no others and none hides another.
func (g *groupReader) distinctAttributes(ctx context.Context, key string) (func(func(*schema.Span) bool) bool, error) {
	from := ownerSpan
	if g.lacks(ownerSpan, key) {
		from = ownerDerived
	} else if !g.lacks(ownerDerived, key) {
		return nil, nil
	}
	if g.group.keys[from].mayHave(key) {
		return nil, nil
	}
	var a assembler
	a.perColumn = make([]*shreddedColumn, len(g.reader.dir.columns))
	var list []*shreddedColumn
	for _, c := range g.reader.columns.byKey[attributeKey{from, key}] {
		if g.chunk(c).absent {
			continue
		}
		d, err := g.dictionaryOf(ctx, c)
		if err != nil || d == nil {
			return nil, err
		}
		column := a.column(g, c)
		column.dict, column.codes = d, make([]uint32, 1)
		list = append(list, column)
	}
	return func(yield func(*schema.Span) bool) bool {
		var buffer []byte
		for _, column := range list {
			for code := range len(column.dict.texts) + len(column.dict.ints) + len(column.dict.doubles) {
				column.codes[0] = uint32(code)
				buffer, _ = column.appendAttribute(buffer[:0], 0)
				s := schema.Span{Resource: &noResource, Scope: &noScope}
				if s.Attributes = buffer; !yield(&s) {
					return false
				}
			}
		}
		return true
	}, nil
}

// sharedMessages is what is known of the resources or scopes of a row group.
type sharedMessages struct {
	keys   []string                 // of their attributes
	values map[string][]schema.Span // by key: rows that have its values
	bytes  int
}

// messages reads what resources or scopes have. It is nil if they are not in a
// dictionary.
func (g *groupReader) messages(ctx context.Context, scope vec.Scope) (*sharedMessages, error) {
	c := g.fixed(colResource)
	if scope == vec.ScopeInstrumentation {
		c = g.fixed(colScope)
	}
	// What was gathered lies under the place of the page behind the
	// dictionary's header, where no part begins.
	offset := g.chunk(c).dict.offset + 1
	if g.has(offset) {
		shared, _ := g.parts.at(offset).(*sharedMessages)
		return shared, nil
	}
	d, err := g.dictionaryOf(ctx, c)
	if err != nil || d == nil {
		return nil, err
	}
	shared := gatherMessages(d.texts, scope)
	g.reader.remember(offset, shared, shared.bytes)
	return shared, nil
}

// gatherMessages gathers the values of each key.
func gatherMessages(wires [][]byte, scope vec.Scope) *sharedMessages {
	seen := make(map[string]struct{}) // attributes
	shared := &sharedMessages{values: make(map[string][]schema.Span)}
	with := make(map[string]int) // messages that have a key
	for _, wire := range wires {
		first := make(map[string]struct{})
		for _, a := range messageAttributes(wire, scope) {
			if _, again := first[a.Key]; again {
				continue
			}
			first[a.Key] = struct{}{}
			with[a.Key]++
			field := messageOf(a, scope)
			if _, known := seen[string(field)]; !known {
				seen[string(field)] = struct{}{}
				shared.add(a.Key, field, scope)
			}
		}
	}
	for key, n := range with {
		if n < len(wires) { // the others lack it, which may be a value too
			shared.add(key, nil, scope)
		}
	}
	shared.keys = slices.Collect(maps.Keys(shared.values))
	return shared
}

func (m *sharedMessages) add(key string, wire []byte, scope vec.Scope) {
	s := schema.Span{Resource: &noResource, Scope: &noScope}
	if scope == vec.ScopeResource {
		s.Resource = &schema.Resource{Wire: wire}
	} else {
		s.Scope = &schema.Scope{Wire: wire}
	}
	if m.values[key] == nil {
		key = strings.Clone(key) // it shares the dictionary's memory
	}
	m.values[key] = append(m.values[key], s)
	m.bytes += sharedRowBytes + len(key) + len(wire)
}

// sharedRowBytes is about what a row of sharedMessages takes.
const sharedRowBytes = 512

func messageAttributes(wire []byte, scope vec.Scope) []schema.Attribute {
	if scope == vec.ScopeResource {
		return otlp.ResourceAttributes(&schema.Resource{Wire: wire})
	}
	return otlp.ScopeAttributes(&schema.Scope{Wire: wire})
}

// Numbers of the attributes in OTLP's Resource and InstrumentationScope, and of
// these in the messages that hold them.
const (
	resourceMessage    = 1
	resourceAttributes = 1
	scopeMessage       = 1
	scopeAttributes    = 3
)

// messageOf is a resource or scope of one attribute.
func messageOf(a schema.Attribute, scope vec.Scope) []byte {
	outer, inner := protowire.Number(resourceMessage), protowire.Number(resourceAttributes)
	if scope == vec.ScopeInstrumentation {
		outer, inner = scopeMessage, scopeAttributes
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, outer, protowire.BytesType), otlp.AppendKeyValue(nil, inner, a.Key, a.Value))
}

// distinctMessages lists the values of an attribute of resources or scopes.
func (g *groupReader) distinctMessages(ctx context.Context, field vec.Field) (func(func(*schema.Span) bool) bool, error) {
	shared, err := g.messages(ctx, field.Scope)
	if err != nil || shared == nil {
		return nil, err
	}
	rows := shared.values[field.Key]
	if rows == nil {
		rows = []schema.Span{{Resource: &noResource, Scope: &noScope}} // all lack it
	}
	return func(yield func(*schema.Span) bool) bool {
		for i := range rows {
			if !yield(&rows[i]) {
				return false
			}
		}
		return true
	}, nil
}
