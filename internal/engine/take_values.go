package engine

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// maxTagValueBytes is the longest text that is taken as a value.
const maxTagValueBytes = 16 << 10

// valueOverhead is about what a reply needs for a value besides its text.
const valueOverhead = 32

// valueReader reads one field of the frame's span.
type valueReader struct {
	field traceql.FieldExpr
	parts parts
	loops parts // what it has to be read once for each of
	read  func(*frame) operand
}

func valueReaders(fields []traceql.FieldExpr) (readers []valueReader, used parts, err error) {
	c := newCompiler()
	for _, e := range expand(fields) {
		switch e.(type) {
		case *traceql.Attribute, *traceql.Intrinsic:
		default:
			return nil, 0, fmt.Errorf("%w: values of %s", traceql.ErrUnsupported, e)
		}
		read, err := c.operand(e)
		if err != nil {
			return nil, 0, err
		}
		r := valueReader{field: e, parts: partsOfField(e), loops: loops(e), read: read}
		readers = append(readers, r)
		used |= r.parts
	}
	return readers, used, nil
}

// expand replaces attributes without a scope by those of the span and of the
// resource: a value that some spans override is one to choose all the same.
func expand(fields []traceql.FieldExpr) []traceql.FieldExpr {
	var out []traceql.FieldExpr
	for _, e := range fields {
		a, ok := e.(*traceql.Attribute)
		if !ok || a.Scope != traceql.ScopeNone {
			out = append(out, e)
			continue
		}
		for _, scope := range []traceql.Scope{traceql.ScopeSpan, traceql.ScopeResource} {
			out = append(out, &traceql.Attribute{Scope: scope, Name: a.Name})
		}
	}
	return out
}

// valueTaker takes the values of fields.
type valueTaker struct {
	values  *local[traceql.Static]
	readers []func(*frame)
	fields  []traceql.FieldExpr // by reader
	trace   *traceFacts         // the last one
}

func newValueTaker(readers []valueReader, set *distinct[traceql.Static]) *valueTaker {
	t := &valueTaker{values: newLocal(set)}
	for _, r := range readers {
		t.readers, t.fields = append(t.readers, t.reader(r)), append(t.fields, r.field)
	}
	return t
}

func (t *valueTaker) take(f *frame) {
	for _, read := range t.readers {
		read(f)
	}
	t.trace = f.trace
}

func (t *valueTaker) takeAll(ctx context.Context, source Lister, f *frame) (bool, error) {
	for i, read := range t.readers {
		field, ok := sourceField(t.fields[i])
		if !ok {
			return false, nil
		}
		ok, err := source.Distinct(ctx, field, func(s *schema.Span) bool {
			f.setSpan(s)
			read(f)
			return !t.values.shared.full()
		})
		if !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

// sourceField names a field as sources do, and is false if they do not know it.
func sourceField(e traceql.FieldExpr) (vec.Field, bool) {
	f := fieldFilter(e, presentPredicate())
	if f == nil || f.Op != vec.OpPredicate {
		return vec.Field{}, false
	}
	return f.Predicate.Field, true
}

// havingAny holds for the rows that have a value of one of the fields.
func havingAny(readers []valueReader) *vec.Filter {
	list := make([]*vec.Filter, len(readers))
	for i, r := range readers {
		if list[i] = presentFilter(r.field); list[i] == nil {
			list[i] = bound(modeMay)
		}
	}
	return anyFilters(list)
}

// reader reads what rows share only once.
func (t *valueTaker) reader(r valueReader) func(*frame) {
	add := func(f *frame) {
		o := r.read(f)
		t.add(&o)
	}
	switch {
	case r.loops != 0:
		every := anyOf(r.loops, func(f *frame) bool {
			add(f)
			return false
		})
		return func(f *frame) { every(f) }
	case r.parts == partResource:
		var resources onceEach[schema.Resource]
		return func(f *frame) {
			if resources.first(f.span.Resource) {
				add(f)
			}
		}
	case r.parts == partScope:
		var scopes onceEach[schema.Scope]
		return func(f *frame) {
			if scopes.first(f.span.Scope) {
				add(f)
			}
		}
	case r.parts == partTrace:
		return func(f *frame) {
			if f.trace != t.trace {
				add(f)
			}
		}
	}
	return add
}

func (t *valueTaker) add(o *operand) {
	switch o.state {
	case stateScalar:
		t.addValue(o.value)
	case stateList:
		for i := range o.list {
			t.addValue(staticOf(o.list[i]))
		}
	case stateAbsent, stateOpaque:
	}
}

func (t *valueTaker) addValue(v traceql.Static) {
	switch {
	case v.Type == traceql.TypeUnknown, len(v.Str) > maxTagValueBytes:
		return
	case v.Type == traceql.TypeFloat && (math.IsNaN(v.Float) || math.IsInf(v.Float, 0)):
		return
	case t.values.has(v):
		return
	}
	v.Str = strings.Clone(v.Str)
	t.values.add(v, len(v.Str)+valueOverhead)
}
