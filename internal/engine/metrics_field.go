package engine

import (
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// metricsField is a field that a metrics query groups by or measures.
type metricsField struct {
	expr traceql.FieldExpr
	key  string // of its label
	read func(*frame) operand
}

// newMetricsField compiles a field. Of several events or links the last that
// has it counts, as in the results of a search.
func (c *compiler) newMetricsField(e traceql.FieldExpr) (metricsField, error) {
	read, err := c.reader(e)
	return metricsField{expr: e, key: e.String(), read: read}, err
}

// isDuration reports whether the field is measured in nanoseconds and shown in
// seconds.
func (f *metricsField) isDuration() bool { return f.expr.Type() == traceql.TypeDuration }

// number is the number that a span has of the field.
func (f *metricsField) number(fr *frame) (quantity, bool) {
	o := f.read(fr)
	if o.state != stateScalar {
		return quantity{}, false
	}
	return numberOf(o.value)
}

// label is the value by which a span is grouped, empty if it has none.
func (f *metricsField) label(fr *frame) schema.Value {
	switch o := f.read(fr); o.state {
	case stateScalar:
		return labelOfStatic(o.value)
	case stateList:
		return labelOf(schema.Value{Kind: schema.KindArray, Array: o.list})
	case stateAbsent, stateOpaque:
	}
	return schema.Value{}
}

func labelOfStatic(v traceql.Static) schema.Value {
	switch v.Type {
	case traceql.TypeFloat:
		return schema.Value{Kind: schema.KindDouble, Double: v.Float}
	case traceql.TypeBool:
		return schema.Value{Kind: schema.KindBool, Bool: v.Int != 0}
	default:
		return valueOf(v)
	}
}

// labelOf is the label of an attribute's value: scalars are labels as they are,
// a list is one text, and what nothing equals has no label.
func labelOf(v schema.Value) schema.Value {
	switch v.Kind {
	case schema.KindArray:
		if len(v.Array) == 0 {
			return schema.Value{}
		}
		return schema.Value{Kind: schema.KindString, Str: string(appendList(nil, v.Array))}
	case schema.KindBytes, schema.KindMap, schema.KindEmpty:
		return schema.Value{}
	case schema.KindString, schema.KindBool, schema.KindInt, schema.KindDouble:
	}
	return v
}

// appendList writes a list as JSON.
func appendList(dst []byte, list []schema.Value) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch v.Kind {
		case schema.KindString:
			dst = otlp.AppendJSONText(dst, v.Str)
		case schema.KindArray:
			dst = appendList(dst, v.Array)
		case schema.KindBool, schema.KindInt, schema.KindDouble, schema.KindEmpty, schema.KindBytes, schema.KindMap:
			if s := staticOf(v); s.Type == traceql.TypeUnknown {
				dst = append(dst, "null"...)
			} else {
				dst = append(dst, s.String()...)
			}
		}
	}
	return append(dst, ']')
}
