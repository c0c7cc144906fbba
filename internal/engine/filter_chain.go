package engine

import (
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// restriction is one link of a chain of && that restricts the values of a
// field.
type restriction struct {
	template
	place int // in the chain
	// excluded, if not nil, are the only texts for which Text does not hold.
	excluded []string
}

// allFilter compiles a && b && c, of which filters are the links one by one.
// Comparisons of one field become one predicate, so that its column is read
// once: a >= 1 && a < 9 is an interval, a != "x" && a != "y" is a set.
func allFilter(links []traceql.FieldExpr, filters []*vec.Filter) (*vec.Filter, error) {
	groups := make(map[string][]restriction) // of the field as text
	for i, link := range links {
		r, ok, err := asRestriction(link)
		if err != nil {
			return nil, err
		}
		if ok {
			r.place = i
			field := r.field.String()
			groups[field] = append(groups[field], r)
		}
	}
	for _, group := range groups {
		if len(group) == 1 {
			continue
		}
		all := intersect(group)
		for _, r := range group {
			filters[r.place] = bound(modeMay)
		}
		filters[group[0].place] = all.filter()
	}
	return allFilters(filters), nil
}

// asRestriction reads a comparison of a constant with a field that has one
// value. Of several events one may fulfil one link and another one the next.
func asRestriction(e traceql.FieldExpr) (restriction, bool, error) {
	t, ok, err := asTemplate(e)
	if !ok || err != nil || loops(t.field) != 0 {
		return restriction{}, false, err
	}
	r := restriction{template: t}
	b, _ := e.(*traceql.Binary)
	op, _, right := literalLast(b)
	literal, _ := right.(*traceql.Literal)
	switch {
	case op == traceql.OpNotEqual && literal.Value.Type == traceql.TypeString && t.Text != nil:
		r.excluded = []string{literal.Value.Str}
	case op == traceql.OpNotRegex && t.Text != nil:
		p, err := matcher(literal.Value.Str)
		if err != nil {
			return restriction{}, false, err
		}
		r.excluded = p.words
	}
	return r, true, nil
}

// intersect makes one template that holds where all of one field do.
func intersect(group []restriction) template {
	p := vec.Predicate{Absent: true, Between: group[0].Between}
	list := make([]vec.Predicate, len(group))
	for i := range group {
		list[i] = group[i].Predicate
		p.Absent = p.Absent && list[i].Absent
		p.Between = overlap(p.Between, list[i].Between)
		if len(list[i].Contains) > len(p.Contains) {
			p.Contains = list[i].Contains
		}
	}
	p.Int = every(functions(list, func(q *vec.Predicate) func(int64) bool { return q.Int }), len(list))
	if p.Between != nil && p.Between.Least > p.Between.Most {
		p.Int = nil
	}
	if p.Int == nil {
		p.Between = nil
	}
	if p.Text = texts(group); p.Text == nil {
		p.Contains = ""
	}
	p.Float = every(functions(list, func(q *vec.Predicate) func(float64) bool { return q.Float }), len(list))
	p.Bool = every(functions(list, func(q *vec.Predicate) func(bool) bool { return q.Bool }), len(list))
	p.Other = every(functions(list, func(q *vec.Predicate) func(schema.Value) bool { return q.Other }), len(list))
	return template{field: group[0].field, Predicate: p}
}

// overlap is nil if an interval is.
func overlap(a, b *vec.Interval) *vec.Interval {
	if a == nil || b == nil {
		return nil
	}
	return &vec.Interval{Least: max(a.Least, b.Least), Most: min(a.Most, b.Most)}
}

// texts holds for a text if every link does. All that only exclude texts are
// one look into a set.
func texts(group []restriction) func(string) bool {
	var excluded []string
	var tests []func(string) bool
	for i := range group {
		switch {
		case group[i].Text == nil:
			return nil
		case group[i].excluded != nil:
			excluded = append(excluded, group[i].excluded...)
		default:
			tests = append(tests, group[i].Text)
		}
	}
	if excluded != nil {
		isExcluded := wordTest(excluded)
		tests = append(tests, func(s string) bool { return !isExcluded(s) })
	}
	return every(tests, len(tests))
}

// every holds where all of the list do. It is nil, which holds nowhere, if
// there are fewer than wanted.
func every[T any](list []func(T) bool, wanted int) func(T) bool {
	switch {
	case len(list) < wanted:
		return nil
	case len(list) == 1:
		return list[0]
	}
	return func(v T) bool {
		for _, f := range list {
			if !f(v) {
				return false
			}
		}
		return true
	}
}
