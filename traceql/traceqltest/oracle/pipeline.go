package oracle

import (
	"fmt"
	"math"
	"regexp"
	"slices"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// pipeline sends all spans of a trace, as one spanset, through the stages.
func (t *trace) pipeline(stages traceql.Pipeline) ([]spanset, error) {
	all := spanset{}
	for i := range t.spans {
		all.spans = append(all.spans, i)
	}
	return t.stages(stages, []spanset{all})
}

func (t *trace) stages(stages traceql.Pipeline, sets []spanset) (_ []spanset, err error) {
	for _, stage := range stages {
		if sets, err = t.stage(stage, sets); err != nil {
			return nil, err
		}
	}
	return sets, nil
}

// stage sends spansets through one stage. Empty ones vanish.
func (t *trace) stage(stage traceql.Stage, sets []spanset) (out []spanset, err error) {
	if _, ok := stage.(*traceql.Coalesce); ok {
		return coalesce(sets), nil
	}
	for _, set := range sets {
		var some []spanset
		switch stage := stage.(type) {
		case *traceql.SpansetFilter:
			some = []spanset{set.with(t.filter(stage, set.spans))}
		case *traceql.SpansetOperation:
			some, err = t.operation(stage, set)
		case *traceql.SpansetPipeline:
			some, err = t.stages(stage.Pipeline, []spanset{set})
		case *traceql.ScalarFilter:
			some, err = t.scalarFilter(stage, set)
		case *traceql.GroupBy:
			some = t.groupBy(stage, set)
		case *traceql.Select:
			some = []spanset{set}
		default:
			err = fmt.Errorf("%w: %s", traceql.ErrUnsupported, stage)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return slices.DeleteFunc(out, func(s spanset) bool { return len(s.spans) == 0 }), nil
}

// filter keeps the spans for which the condition holds. A score is only found by a
// filter that says spanlake.kind, gen_ai.evaluation.… or spanlake.score.… of the span.
func (t *trace) filter(f *traceql.SpansetFilter, spans []int) (kept []int) {
	asks := scores.MatchString(f.Expr.String())
	for _, i := range spans {
		if t.spans[i].Fragment == schema.FragmentScore && !asks {
			continue
		}
		if (scene{trace: t, index: i}).holds(f.Expr) {
			kept = append(kept, i)
		}
	}
	return kept
}

var scores = regexp.MustCompile(`(^|[^a-z])(span)?\.(spanlake\.kind\b|gen_ai\.evaluation\.|spanlake\.score\.)`)

// coalesce makes one spanset of all, with each span once.
func coalesce(sets []spanset) []spanset {
	if len(sets) == 0 {
		return nil
	}
	var spans []int
	for _, set := range sets {
		spans = append(spans, set.spans...)
	}
	slices.Sort(spans)
	return []spanset{{spans: slices.Compact(spans)}}
}

// groupBy splits a spanset by the values of an expression, in the order in
// which they come up.
func (t *trace) groupBy(by *traceql.GroupBy, set spanset) (groups []spanset) {
	var keys []value
	for _, i := range set.spans {
		key := scene{trace: t, index: i}.last(by.Expr)
		k := slices.IndexFunc(keys, func(other value) bool { return sameGroup(key, other) })
		if k < 0 {
			k = len(keys)
			keys = append(keys, key)
			groups = append(groups, set.with(nil).noted("by("+by.Expr.String()+")", groupKey(key)))
		}
		groups[k].spans = append(groups[k].spans, i)
	}
	return groups
}

// groupKey is what a spanset shows of the value that its spans have in common.
// Lists are values as a whole. What is not there, and what does not compare, is
// a group of its own.
func groupKey(v value) schema.Value {
	switch {
	case v.there && v.list:
		return schema.Value{Kind: schema.KindArray, Array: v.elements}
	case len(v.items) == 0:
		return schema.Value{Kind: schema.KindString, Str: "nil"}
	default:
		return shown(v.items[0])
	}
}

// shown is a value as an attribute of the answer.
func shown(v traceql.Static) schema.Value {
	switch v.Type {
	case traceql.TypeInt:
		return schema.Value{Kind: schema.KindInt, Int: v.Int}
	case traceql.TypeFloat:
		return schema.Value{Kind: schema.KindDouble, Double: v.Float}
	case traceql.TypeBool:
		return schema.Value{Kind: schema.KindBool, Bool: v.Int == 1}
	case traceql.TypeString:
		return schema.Value{Kind: schema.KindString, Str: v.Str}
	default: // durations, statuses and kinds as text
		return schema.Value{Kind: schema.KindString, Str: v.String()}
	}
}

// sameGroup tells a value from the text of it, an int from a float, and what is
// not there from everything.
func sameGroup(a, b value) bool {
	if a.list || b.list {
		return a.list && b.list && traceqltest.ValueText(groupKey(a)) == traceqltest.ValueText(groupKey(b))
	}
	if len(a.items) == 0 || len(b.items) == 0 {
		return len(a.items) == len(b.items)
	}
	x, y := a.items[0], b.items[0]
	return x.Type == y.Type && x.Str == y.Str && x.Int == y.Int &&
		(x.Float == y.Float || math.IsNaN(x.Float) && math.IsNaN(y.Float))
}
