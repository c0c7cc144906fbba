package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// spanset is a group of spans of one trace. It is immutable.
type spanset struct {
	rows       []int32            // of the trace, ascending, at least one
	attributes []schema.Attribute // what stages said of it: by(...), count()
}

// stage is one step of a pipeline over the frame's trace: it gets the spansets
// that the step before it gave, and drops those without spans. Its error is
// that of ctx.
type stage func(ctx context.Context, f *frame, in []spanset) ([]spanset, error)

// pipeline compiles a chain of stages.
func (c *compiler) pipeline(p traceql.Pipeline) (stage, error) {
	stages := make([]stage, len(p))
	for i, s := range p {
		var err error
		if stages[i], err = c.stage(s); err != nil {
			return nil, err
		}
	}
	if len(stages) == 1 {
		return stages[0], nil
	}
	return func(ctx context.Context, f *frame, sets []spanset) ([]spanset, error) {
		for _, s := range stages {
			var err error
			if sets, err = s(ctx, f, sets); err != nil || len(sets) == 0 {
				return nil, err
			}
		}
		return sets, nil
	}, nil
}

func (c *compiler) stage(s traceql.Stage) (stage, error) {
	switch s := s.(type) {
	case *traceql.SpansetFilter:
		return c.filterStage(s)
	case *traceql.SpansetOperation:
		return c.operationStage(s)
	case *traceql.SpansetPipeline:
		return c.pipeline(s.Pipeline)
	case *traceql.ScalarFilter:
		return c.scalarStage(s)
	case *traceql.GroupBy:
		return c.groupStage(s)
	case *traceql.Select:
		return selectStage, nil
	case *traceql.Coalesce:
		return coalesceStage, nil
	default:
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, s)
	}
}

// spansets are what the plan finds in a trace, none if it does not match.
func (p *Plan) spansets(ctx context.Context, t *traceFacts) ([]spanset, error) {
	f := p.frame()
	defer p.release(f)
	f.trace = t
	all := slices.Grow(f.rows[:0], len(t.spans))
	for i := range t.spans {
		all = append(all, int32(i)) //nolint:gosec // a trace fits memory
	}
	f.rows = all
	sets, err := p.run(ctx, f, []spanset{{rows: all}})
	if len(sets) > 0 && len(sets[0].rows) > 0 && &sets[0].rows[0] == &all[0] {
		sets[0].rows = slices.Clone(all) // the frame's own are used again
	}
	return sets, err
}

// joined are the rows of all spansets, ascending and each once.
func joined(sets []spanset) []int32 {
	var rows []int32
	for i, set := range sets {
		if i == 0 {
			rows = set.rows
			continue
		}
		rows = unionOf(rows, set.rows)
	}
	return rows
}

// unionOf merges ascending rows; those in both come once.
func unionOf(a, b []int32) []int32 {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	union := make([]int32, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		least := min(a[0], b[0])
		union = append(union, least)
		if a[0] == least {
			a = a[1:]
		}
		if b[0] == least {
			b = b[1:]
		}
	}
	return append(append(union, a...), b...)
}

// with returns the spanset with an attribute more, or with another value of
// one that it has.
func (s spanset) with(key string, value schema.Value) spanset {
	attributes := slices.Clone(s.attributes)
	for i := range attributes {
		if attributes[i].Key == key {
			attributes[i].Value = value
			s.attributes = attributes
			return s
		}
	}
	s.attributes = append(attributes, schema.Attribute{Key: key, Value: value})
	return s
}
