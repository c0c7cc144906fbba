package engine

import (
	"context"
	"strings"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// nameTaker takes the keys of attributes. A nil set is of a scope that was not
// asked for.
type nameTaker struct {
	resource, scope, span, event, link *local[string]

	resources onceEach[schema.Resource]
	scopes    onceEach[schema.Scope]
}

func newNameTaker(sets map[traceql.Scope]*distinct[string]) *nameTaker {
	part := func(s traceql.Scope) *local[string] {
		if set, ok := sets[s]; ok {
			return newLocal(set)
		}
		return nil
	}
	return &nameTaker{
		resource: part(traceql.ScopeResource), scope: part(traceql.ScopeInstrumentation),
		span: part(traceql.ScopeSpan), event: part(traceql.ScopeEvent), link: part(traceql.ScopeLink),
	}
}

func (t *nameTaker) take(f *frame) {
	s := f.span
	if t.resource != nil && t.resources.first(s.Resource) {
		addKeys(t.resource, f.resource().attributes())
		addKey(t.resource, serviceName) // never absent
	}
	if t.scope != nil && t.scopes.first(s.Scope) {
		addKeys(t.scope, f.scopeAttributes())
	}
	if t.span != nil {
		for _, fields := range [...][]byte{s.Attributes, s.Derived} {
			for key := range otlp.Attributes(fields) {
				addKey(t.span, key)
			}
		}
	}
	if t.event != nil && len(s.Events) > 0 {
		for _, e := range f.allEvents() {
			addKeys(t.event, e.Attributes)
		}
	}
	if t.link != nil && len(s.Links) > 0 {
		for _, l := range f.allLinks() {
			addKeys(t.link, l.Attributes)
		}
	}
}

// namePart is a scope that was asked for.
type namePart struct {
	scope vec.Scope
	to    *local[string]
}

// parts are the scopes that were asked for.
func (t *nameTaker) parts() (list []namePart) {
	for _, part := range [...]namePart{
		{vec.ScopeResource, t.resource},
		{vec.ScopeInstrumentation, t.scope},
		{vec.ScopeSpan, t.span},
		{vec.ScopeEvent, t.event},
		{vec.ScopeLink, t.link},
	} {
		if part.to != nil {
			list = append(list, part)
		}
	}
	return list
}

// takeOf takes the keys of the rows for which a filter holds.
func (t *nameTaker) takeOf(ctx context.Context, source KeyFinder, filter *vec.Filter, opts *TagOptions) (rows int, err error) {
	q := vec.KeyQuery{Filter: filter, StartNanos: opts.StartNanos, EndNanos: opts.EndNanos}
	var sets [vec.ScopeLink + 1]*local[string]
	for _, part := range t.parts() {
		q.Scopes = append(q.Scopes, part.scope)
		sets[part.scope] = part.to
	}
	q.Known = func(scope vec.Scope, key string) bool { return key == "" || sets[scope].known(key) }
	q.Add = func(scope vec.Scope, key string) { addKey(sets[scope], key) }
	if rows, err = source.KeysOf(ctx, &q); rows > 0 && t.resource != nil {
		addKey(t.resource, serviceName) // never absent
	}
	return rows, err
}

func (t *nameTaker) takeAll(ctx context.Context, source Lister, _ *frame) (bool, error) {
	for _, part := range t.parts() {
		keys, ok, err := source.Keys(ctx, part.scope)
		if !ok || err != nil {
			return false, err
		}
		for _, key := range keys {
			addKey(part.to, key)
		}
	}
	if t.resource != nil && source.Spans() > 0 {
		addKey(t.resource, serviceName) // never absent
	}
	return true, nil
}

func addKeys(to *local[string], attributes []schema.Attribute) {
	for i := range attributes {
		addKey(to, attributes[i].Key)
	}
}

func addKey(to *local[string], key string) {
	if key == "" || to.has(key) {
		return
	}
	to.add(strings.Clone(key), len(key))
}
