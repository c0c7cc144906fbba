package engine

import (
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/traceql"
)

// fieldsRead are all expressions of a pipeline.
func fieldsRead(p traceql.Pipeline) []traceql.FieldExpr {
	return eachStage(p, func(s *traceql.SpansetOperation) []traceql.SpansetExpr {
		return []traceql.SpansetExpr{s.Left, s.Right}
	})
}

// fieldsShown are the expressions whose fields the answer shows of each span:
// those of the stages that it went through. What A > B finds went through B.
func fieldsShown(p traceql.Pipeline) []traceql.FieldExpr {
	return eachStage(p, func(s *traceql.SpansetOperation) []traceql.SpansetExpr {
		if s.Op.IsStructural() && !s.Op.IsUnion() {
			return []traceql.SpansetExpr{s.Right}
		}
		return []traceql.SpansetExpr{s.Left, s.Right}
	})
}

// eachStage lists the expressions of stages, and of the operands that are
// wanted.
func eachStage(p traceql.Pipeline, operands func(*traceql.SpansetOperation) []traceql.SpansetExpr) []traceql.FieldExpr {
	var list []traceql.FieldExpr
	for _, s := range p {
		switch s := s.(type) {
		case *traceql.SpansetFilter:
			list = append(list, s.Expr)
		case *traceql.SpansetOperation:
			for _, operand := range operands(s) {
				list = append(list, eachStage(traceql.Pipeline{operand}, operands)...)
			}
		case *traceql.SpansetPipeline:
			list = append(list, eachStage(s.Pipeline, operands)...)
		case *traceql.ScalarFilter:
			list = append(list, ofScalar(s.Left, operands)...)
			list = append(list, ofScalar(s.Right, operands)...)
		case *traceql.GroupBy:
			list = append(list, s.Expr)
		case *traceql.Select:
			list = append(list, s.Fields...)
		}
	}
	return list
}

func ofScalar(e traceql.ScalarExpr, operands func(*traceql.SpansetOperation) []traceql.SpansetExpr) []traceql.FieldExpr {
	switch e := e.(type) {
	case *traceql.Aggregate:
		if e.Expr != nil {
			return []traceql.FieldExpr{e.Expr}
		}
	case *traceql.ScalarBinary:
		return append(ofScalar(e.Left, operands), ofScalar(e.Right, operands)...)
	case *traceql.ScalarPipeline:
		return append(eachStage(e.Pipeline, operands), ofScalar(e.Aggregate, operands)...)
	}
	return nil
}

// decidingColumns are what a pipeline reads of a whole trace, and no more:
// fields, and for its structure the links between spans. The kind tells spans
// of one id apart.
func decidingColumns(p traceql.Pipeline, fields []traceql.FieldExpr) vec.Columns {
	columns := shownColumns(fields...)
	columns.Intrinsics = append(columns.Intrinsics, vec.Kind)
	linked := hasStructure(p)
	for _, e := range fields {
		eachField(e, func(field traceql.FieldExpr) {
			i, ok := field.(*traceql.Intrinsic)
			switch {
			case isCounted(field):
				linked = true
			case !ok:
			case i.ID == traceql.IntrinsicTraceRootName, i.ID == traceql.IntrinsicTraceRootService:
				columns.Bare = false
			case i.ID == traceql.IntrinsicParentID, partsOfIntrinsic(i.ID) == partTrace && i.ID != traceql.IntrinsicTraceDuration:
				linked = true
			}
		})
	}
	if linked {
		columns.Intrinsics = append(columns.Intrinsics, vec.ParentID)
	}
	return columns
}

// hasStructure reports whether a pipeline has a structural operator.
func hasStructure(p traceql.Pipeline) bool {
	found := false
	eachStage(p, func(s *traceql.SpansetOperation) []traceql.SpansetExpr {
		found = found || s.Op.IsStructural()
		return []traceql.SpansetExpr{s.Left, s.Right}
	})
	return found
}
