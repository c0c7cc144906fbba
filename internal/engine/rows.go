package engine

import (
	"bytes"
	"iter"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Rows decides filters on rows in memory. It remembers what it decided about
// the resources and scopes that rows share, so one Rows serves many slices of
// rows, one after the other. It serves one goroutine.
type Rows struct {
	spans     []schema.Span
	resources map[*vec.Predicate]*verdicts[schema.Resource]
	scopes    map[*vec.Predicate]*verdicts[schema.Scope]
}

var _ vec.Rows = (*Rows)(nil)

// NewRows returns Rows of nothing; Select gives it rows.
func NewRows() *Rows {
	return &Rows{
		resources: make(map[*vec.Predicate]*verdicts[schema.Resource]),
		scopes:    make(map[*vec.Predicate]*verdicts[schema.Scope]),
	}
}

// Select returns which of the rows the filter holds for.
func (r *Rows) Select(spans []schema.Span, filter *vec.Filter) (vec.Bitmap, error) {
	r.spans = spans
	selected := vec.FullBitmap(len(spans))
	err := filter.Select(r, selected)
	return selected, err
}

// Test clears the bits of the selected rows for which p does not hold.
func (r *Rows) Test(p *vec.Predicate, selected vec.Bitmap) error {
	holds := r.decide(p)
	for i := selected.Next(0); i < len(r.spans); i = selected.Next(i + 1) {
		if !holds(&r.spans[i]) {
			selected.Unset(i)
		}
	}
	return nil
}

// Costs of a predicate for one row, compared with reading a field of it.
const (
	costOfField    = 1
	costOfShared   = 2  // a map of pointers
	costOfLookup   = 16 // walking through the attributes
	costOfElements = 64 // walking through those of events or links
)

// Cost is in units of about a nanosecond.
func (r *Rows) Cost(p *vec.Predicate) int {
	each := costOfField
	switch p.Field.Scope {
	case vec.ScopeResource, vec.ScopeInstrumentation:
		each = costOfShared
	case vec.ScopeSpan:
		each = costOfLookup
	case vec.ScopeEvent, vec.ScopeLink:
		each = costOfElements
	case vec.ScopeIntrinsic:
		if p.Field.Key == vec.EventName {
			each = costOfElements
		}
	}
	return each * len(r.spans)
}

// decide returns what p says about a row.
func (r *Rows) decide(p *vec.Predicate) func(*schema.Span) bool {
	key := p.Field.Key
	switch p.Field.Scope {
	case vec.ScopeIntrinsic:
		return decideIntrinsic(p)
	case vec.ScopeSpan:
		return func(s *schema.Span) bool {
			v, ok := lookupSpan(s, key)
			return holdsFor(p, v, ok)
		}
	case vec.ScopeResource:
		known := verdictsOf(r.resources, p, otlp.ResourceAttributes)
		return func(s *schema.Span) bool { return known.of(s.Resource) }
	case vec.ScopeInstrumentation:
		known := verdictsOf(r.scopes, p, otlp.ScopeAttributes)
		return func(s *schema.Span) bool { return known.of(s.Scope) }
	case vec.ScopeEvent:
		return decideElements(p, func(s *schema.Span) ([]byte, iter.Seq[[]schema.Attribute]) { return s.Events, eventAttributes(s) })
	case vec.ScopeLink:
		return decideElements(p, func(s *schema.Span) ([]byte, iter.Seq[[]schema.Attribute]) { return s.Links, linkAttributes(s) })
	}
	return func(*schema.Span) bool { return p.Absent }
}

// decideElements asks for one event or link for which p holds. elements
// returns the fields of all of them, and the attributes of each.
func decideElements(
	p *vec.Predicate, elements func(*schema.Span) ([]byte, iter.Seq[[]schema.Attribute]),
) func(*schema.Span) bool {
	return func(s *schema.Span) bool {
		fields, all := elements(s)
		if !mentions(fields, p.Field.Key) {
			return p.Absent
		}
		verdict := p.Absent
		for attributes := range all {
			if v, ok := lookup(attributes, p.Field.Key); ok {
				if p.Holds(v) {
					return true
				}
				verdict = false
			}
		}
		return verdict
	}
}

func eventAttributes(s *schema.Span) iter.Seq[[]schema.Attribute] {
	return func(yield func([]schema.Attribute) bool) {
		for e := range otlp.Events(s) {
			if !yield(e.Attributes) {
				return
			}
		}
	}
}

func linkAttributes(s *schema.Span) iter.Seq[[]schema.Attribute] {
	return func(yield func([]schema.Attribute) bool) {
		for l := range otlp.Links(s) {
			if !yield(l.Attributes) {
				return
			}
		}
	}
}

// mentions is false if no attribute in fields has the key, since a key lies in
// them as it is. Most rows are done with that, much faster than by decoding.
func mentions(fields []byte, key string) bool { return bytes.Contains(fields, []byte(key)) }

// holdsFor decides a value that may be absent.
func holdsFor(p *vec.Predicate, v schema.Value, ok bool) bool {
	if !ok {
		return p.Absent
	}
	return p.Holds(v)
}

func decideIntrinsic(p *vec.Predicate) func(*schema.Span) bool {
	text := func(read func(*schema.Span) string) func(*schema.Span) bool {
		return func(s *schema.Span) bool { return p.Text != nil && p.Text(read(s)) }
	}
	number := func(read func(*schema.Span) int64) func(*schema.Span) bool {
		return func(s *schema.Span) bool { return p.Int != nil && p.Int(read(s)) }
	}
	switch p.Field.Key {
	case vec.Name:
		return text(func(s *schema.Span) string { return s.Name })
	case vec.Kind:
		return number(func(s *schema.Span) int64 { return int64(s.Kind) })
	case vec.StatusCode:
		return number(func(s *schema.Span) int64 { return int64(s.StatusCode) })
	case vec.StatusMessage:
		return text(func(s *schema.Span) string { return s.StatusMessage })
	case vec.Duration:
		return number((*schema.Span).DurationNanos)
	case vec.ServiceName:
		return text(func(s *schema.Span) string { return s.Resource.ServiceName })
	case vec.ScopeName:
		return text(func(s *schema.Span) string { return s.Scope.Name })
	case vec.ScopeVersion:
		return text(func(s *schema.Span) string { return s.Scope.Version })
	case vec.EventName:
		return func(s *schema.Span) bool {
			absent := true
			for e := range otlp.Events(s) {
				if p.Text != nil && p.Text(e.Name) {
					return true
				}
				absent = false
			}
			return absent && p.Absent
		}
	}
	return func(*schema.Span) bool { return p.Absent }
}

// verdicts remembers what a predicate says about something that rows share.
type verdicts[T any] struct {
	decide func(*T) bool
	known  map[*T]bool

	last      *T
	lastHolds bool
}

func verdictsOf[T any](
	all map[*vec.Predicate]*verdicts[T], p *vec.Predicate, attributes func(*T) []schema.Attribute,
) *verdicts[T] {
	v, ok := all[p]
	if !ok {
		v = &verdicts[T]{known: make(map[*T]bool), decide: func(shared *T) bool {
			v, ok := lookup(attributes(shared), p.Field.Key)
			return holdsFor(p, v, ok)
		}}
		all[p] = v
	}
	return v
}

func (v *verdicts[T]) of(shared *T) bool {
	if shared == v.last && shared != nil {
		return v.lastHolds
	}
	holds, ok := v.known[shared]
	if !ok {
		if len(v.known) >= maxCached {
			clear(v.known)
		}
		holds = v.decide(shared)
		v.known[shared] = holds
	}
	v.last, v.lastHolds = shared, holds
	return holds
}
