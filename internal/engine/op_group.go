package engine

import (
	"context"
	"math"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// groupKey tells values apart: numbers of different types are different, lists
// are as a whole. The zero key stands for no value.
type groupKey struct {
	value traceql.Static
	list  string // as on the wire
}

// groupStage splits each spanset by the values of an expression, in the order
// in which they come up. Spans for which it has none are a group, too.
func (c *compiler) groupStage(s *traceql.GroupBy) (stage, error) {
	read, err := c.reader(s.Expr)
	key := s.String()
	return func(ctx context.Context, f *frame, in []spanset) ([]spanset, error) {
		var out []spanset
		for _, set := range in {
			places := make(map[groupKey]int)
			for i, row := range set.rows {
				if i%rowsBetweenChecks == 0 && ctx.Err() != nil {
					return nil, ctx.Err()
				}
				f.setRow(row)
				o := read(f)
				k := o.groupKey()
				at, ok := places[k]
				if !ok {
					at = len(out)
					places[k] = at
					out = append(out, spanset{attributes: set.attributes}.with(key, o.shown()))
				}
				out[at].rows = append(out[at].rows, row)
			}
		}
		return out, nil
	}, err
}

func (o *operand) groupKey() groupKey {
	switch o.state {
	case stateScalar:
		k := groupKey{value: o.value}
		if math.IsNaN(k.value.Float) {
			k.value.Float, k.value.Str = 0, "NaN" // equal to itself
		}
		return k
	case stateList:
		return groupKey{list: string(otlp.AppendValue(nil, schema.Value{Kind: schema.KindArray, Array: o.list}))}
	case stateAbsent, stateOpaque:
	}
	return groupKey{}
}

// shown is the attribute that shows a value, "nil" for none.
func (o *operand) shown() schema.Value {
	switch o.state {
	case stateScalar:
		return valueOf(o.value)
	case stateList:
		return schema.Value{Kind: schema.KindArray, Array: o.list}
	case stateAbsent, stateOpaque:
	}
	return schema.Value{Kind: schema.KindString, Str: "nil"}
}
