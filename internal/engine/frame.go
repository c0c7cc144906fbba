package engine

import (
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// maxCached bounds the resources and scopes that a frame remembers. A block
// has few; a scan of many must not collect them all.
const maxCached = 4096

// frame is what conditions look at: one span, its trace when that is known,
// and what was decoded of them. It serves one goroutine.
type frame struct {
	span  *schema.Span
	trace *traceFacts // nil while rows are scanned
	row   int         // of span in the trace
	rows  []int32     // scratch: all of the trace

	event *otlp.Event // the one that a comparison is tried on
	link  *otlp.Link  // likewise

	events, links       bool // decoded for the current span
	spanEvents          []otlp.Event
	spanLinks           []otlp.Link
	resources           map[*schema.Resource]*resourceState
	scopes              map[*schema.Scope][]schema.Attribute
	lastResource        *schema.Resource
	lastResourceState   *resourceState
	lastScope           *schema.Scope
	lastScopeAttributes []schema.Attribute
}

// resourceState is what is known of one resource. Rows share resources, so
// conditions on nothing else are decided once for each.
type resourceState struct {
	of       *schema.Resource
	decoded  []schema.Attribute // all, nil while nobody asked for all
	lookedUp []lookedUp
	known    uint64 // bit i: condition i was decided
	holds    uint64 // bit i: it holds
}

// lookedUp is an attribute that was asked for.
type lookedUp struct {
	key   string
	value schema.Value
	found bool
}

// attributes are all of them.
func (r *resourceState) attributes() []schema.Attribute {
	if r.decoded == nil {
		r.decoded = otlp.ResourceAttributes(r.of)
	}
	return r.decoded
}

// lookup returns the first attribute with the key. A query asks for few, of
// resources that have many.
func (r *resourceState) lookup(key string) (schema.Value, bool) {
	for i := range r.lookedUp {
		if l := &r.lookedUp[i]; l.key == key {
			return l.value, l.found
		}
	}
	v, ok := otlp.LookupResource(r.of, key)
	r.lookedUp = append(r.lookedUp, lookedUp{key, v, ok})
	return v, ok
}

func newFrame() *frame {
	return &frame{
		resources: make(map[*schema.Resource]*resourceState),
		scopes:    make(map[*schema.Scope][]schema.Attribute),
	}
}

func (f *frame) setSpan(s *schema.Span) {
	f.span = s
	f.events, f.links = false, false
}

// setRow is setSpan for a span of the frame's trace.
func (f *frame) setRow(row int32) {
	f.row = int(row)
	f.setSpan(&f.trace.spans[row])
}

// release forgets the span and its trace, which may be large.
func (f *frame) release() {
	f.setSpan(nil)
	f.trace = nil
	clear(f.spanEvents)
	clear(f.spanLinks)
	f.spanEvents, f.spanLinks = f.spanEvents[:0], f.spanLinks[:0]
}

func (f *frame) resource() *resourceState {
	r := f.span.Resource
	if r == f.lastResource && r != nil {
		return f.lastResourceState
	}
	state, ok := f.resources[r]
	if !ok {
		if len(f.resources) >= maxCached {
			clear(f.resources)
		}
		state = &resourceState{of: r}
		f.resources[r] = state
	}
	f.lastResource, f.lastResourceState = r, state
	return state
}

func (f *frame) scopeAttributes() []schema.Attribute {
	s := f.span.Scope
	if s == f.lastScope && s != nil {
		return f.lastScopeAttributes
	}
	attributes, ok := f.scopes[s]
	if !ok {
		if len(f.scopes) >= maxCached {
			clear(f.scopes)
		}
		attributes = otlp.ScopeAttributes(s)
		f.scopes[s] = attributes
	}
	f.lastScope, f.lastScopeAttributes = s, attributes
	return attributes
}

func (f *frame) allEvents() []otlp.Event {
	if !f.events {
		f.events, f.spanEvents = true, f.spanEvents[:0]
		for e := range otlp.Events(f.span) {
			f.spanEvents = append(f.spanEvents, e)
		}
	}
	return f.spanEvents
}

func (f *frame) allLinks() []otlp.Link {
	if !f.links {
		f.links, f.spanLinks = true, f.spanLinks[:0]
		for l := range otlp.Links(f.span) {
			f.spanLinks = append(f.spanLinks, l)
		}
	}
	return f.spanLinks
}

// lookup returns the first attribute with the key.
func lookup(attributes []schema.Attribute, key string) (schema.Value, bool) {
	for i := range attributes {
		if attributes[i].Key == key {
			return attributes[i].Value, true
		}
	}
	return schema.Value{}, false
}

// lookupSpan returns the span's first attribute with the key: derived ones come
// before those that were sent.
func lookupSpan(s *schema.Span, key string) (schema.Value, bool) {
	if v, ok := otlp.Lookup(s.Derived, key); ok {
		return v, true
	}
	return otlp.Lookup(s.Attributes, key)
}

const serviceName = "service.name"

// lookupResource is lookup in the resource of the frame's span, where
// service.name is never absent.
func (f *frame) lookupResource(key string) (schema.Value, bool) {
	v, ok := f.resource().lookup(key)
	if key == serviceName && (!ok || v.Kind == schema.KindEmpty) {
		return schema.Value{Kind: schema.KindString}, true
	}
	return v, ok
}
