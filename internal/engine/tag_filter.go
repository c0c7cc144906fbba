package engine

import (
	"strconv"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// TagFilter is a search without a query.
type TagFilter struct {
	// Tags must all be found on one span.
	Tags []Tag
	// MinDuration and MaxDuration bound the duration of the whole trace, both
	// inclusive. 0 means no bound.
	MinDuration, MaxDuration time.Duration
}

// Tag is an attribute of the span, its resource, its scope, or one of its
// events or links, as text: a number, boolean or element of a list matches the
// text that stands for it. The key name finds the name of the span, too.
type Tag struct{ Key, Value string }

// CompileTags prepares a search by tags.
func CompileTags(filter TagFilter) *Plan {
	p := &Plan{counted: -1, shown: vec.Columns{Bare: true}, frames: sync.Pool{New: func() any { return newFrame() }}}
	tests := make([]condition, len(filter.Tags))
	filters := make([]*vec.Filter, len(filter.Tags))
	for i, tag := range filter.Tags {
		tests[i], filters[i] = tagCondition(tag), tagFilter(tag)
		p.columns = union(p.columns, vec.Columns{
			Resource: true, Scope: true, Events: true, Links: true, Keys: []string{tag.Key},
		})
	}
	p.row = everyRow()
	p.row.filter = allFilters(filters)
	p.row.may = func(f *frame) bool {
		for _, holds := range tests {
			if !holds(f) {
				return false
			}
		}
		return true
	}
	p.head, p.rows = p.row, filter.MinDuration <= 0 && filter.MaxDuration <= 0
	p.leaves, p.minTrace = []leaf{{p.row, 1}}, int64(filter.MinDuration)
	exact := p.row.may
	if filter.MinDuration > 0 || filter.MaxDuration > 0 {
		p.trace = true
		exact = func(f *frame) bool {
			d := time.Duration(f.trace.durationNanos())
			return d >= filter.MinDuration && (filter.MaxDuration == 0 || d <= filter.MaxDuration) && p.row.may(f)
		}
	}
	p.run = filterSpans(exact)
	return p
}

// tagCondition looks in all scopes, those first that cost least.
func tagCondition(tag Tag) condition {
	matches := textTest(tag.Value)
	in := func(v schema.Value, ok bool) bool { return ok && matches(v) }
	return func(f *frame) bool {
		switch {
		case tag.Key == "name" && f.span.Name == tag.Value,
			in(f.lookupResource(tag.Key)),
			in(lookup(f.scopeAttributes(), tag.Key)),
			in(lookupSpan(f.span, tag.Key)):
			return true
		}
		for _, e := range f.allEvents() {
			if in(lookup(e.Attributes, tag.Key)) {
				return true
			}
		}
		for _, l := range f.allLinks() {
			if in(lookup(l.Attributes, tag.Key)) {
				return true
			}
		}
		return false
	}
}

// tagFilter is tagCondition for sources.
func tagFilter(tag Tag) *vec.Filter {
	p := tagPredicate(tag.Value)
	filters := []*vec.Filter{resourceFilter(tag.Key, p)}
	for _, scope := range []vec.Scope{vec.ScopeInstrumentation, vec.ScopeSpan, vec.ScopeEvent, vec.ScopeLink} {
		filters = append(filters, on(scope, tag.Key, p))
	}
	if tag.Key == "name" {
		filters = append(filters, on(vec.ScopeIntrinsic, vec.Name, p))
	}
	return anyFilters(filters)
}

// tagPredicate is textTest for sources.
func tagPredicate(text string) vec.Predicate {
	matches := textTest(text)
	p := vec.Predicate{
		Text:     func(s string) bool { return s == text },
		Contains: text,
		Other:    matches,
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(i, 10) == text {
		p.Int = func(v int64) bool { return v == i }
		p.Between = &vec.Interval{Least: i, Most: i}
	}
	if d, err := strconv.ParseFloat(text, 64); err == nil {
		p.Float = func(v float64) bool { return v == d }
	}
	if b := text == "true"; b || text == "false" {
		p.Bool = func(v bool) bool { return v == b }
	}
	return p
}

// textTest matches the values that text stands for: ints in decimal without
// needless digits, floats by value.
func textTest(text string) func(schema.Value) bool {
	i, err := strconv.ParseInt(text, 10, 64)
	isInt := err == nil && strconv.FormatInt(i, 10) == text
	d, err := strconv.ParseFloat(text, 64)
	isDouble := err == nil
	scalar := func(v *schema.Value) bool {
		switch v.Kind {
		case schema.KindString:
			return v.Str == text
		case schema.KindBool:
			return strconv.FormatBool(v.Bool) == text
		case schema.KindInt:
			return isInt && v.Int == i
		case schema.KindDouble:
			return isDouble && v.Double == d
		case schema.KindEmpty, schema.KindBytes, schema.KindArray, schema.KindMap:
		}
		return false
	}
	return func(v schema.Value) bool {
		for i := range v.Array {
			if scalar(&v.Array[i]) {
				return true
			}
		}
		return scalar(&v)
	}
}
