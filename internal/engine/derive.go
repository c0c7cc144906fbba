package engine

import (
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/traceql"
)

// needs derives what traces must have from a pipeline.
type needs struct {
	compiler *compiler
	leaves   []leaf
	minTrace int64 // nanoseconds that the trace takes at least
}

// found is what is known of the rows that a part of a pipeline passes on, and
// of the traces in which it passes on any.
type found struct {
	need need
	rows rowTest
}

// pipeline follows the rows through the stages.
func (d *needs) pipeline(p traceql.Pipeline, in found, main bool) (found, error) {
	at := in
	for _, s := range p {
		var err error
		if at, err = d.stage(s, at, main); err != nil {
			return at, err
		}
	}
	return at, nil
}

func (d *needs) stage(s traceql.Stage, in found, main bool) (found, error) {
	switch s := s.(type) {
	case *traceql.SpansetFilter:
		return d.filter(s.Expr, in, main)
	case *traceql.SpansetOperation:
		return d.operation(s, in)
	case *traceql.SpansetPipeline:
		return d.pipeline(s.Pipeline, in, main)
	case *traceql.ScalarFilter:
		more, err := d.scalar(s, in)
		in.need = allNeeds(d.without(in.need, in.rows), more)
		return in, err
	default:
		return in, nil
	}
}

// head is the test of the filters that a pipeline begins with.
func (d *needs) head(p traceql.Pipeline) (rowTest, error) {
	rows := everyRow()
	for _, s := range p {
		f, ok := s.(*traceql.SpansetFilter)
		if !ok {
			break
		}
		test, err := d.compiler.rowTest(f.Expr)
		if err != nil {
			return rows, err
		}
		rows = bothTests(rows, test)
	}
	return rows, nil
}

// filter adds a condition to those that the rows fulfil, and what the
// condition says of the trace.
func (d *needs) filter(e traceql.FieldExpr, in found, main bool) (found, error) {
	test, err := d.compiler.rowTest(e)
	if err != nil {
		return in, err
	}
	rows := bothTests(in.rows, test)
	out := found{need: allNeeds(d.without(in.need, in.rows), d.leaf(rows, 1)), rows: rows}
	for _, link := range conjuncts(e) {
		of, ok, err := d.ofTrace(link, main)
		if err != nil {
			return out, err
		}
		if ok {
			out.need = allNeeds(out.need, of)
		}
	}
	return out, nil
}

// leaf is the need for a number of rows.
func (d *needs) leaf(rows rowTest, least int) need {
	switch {
	case rows.filter.Op == vec.OpFalse:
		return need{op: needAny}
	case rows.text == "" && least <= 1:
		return need{op: needAll}
	}
	for i := range d.leaves {
		if d.leaves[i].text == rows.text && d.leaves[i].least == least {
			return need{leaf: i}
		}
	}
	if len(d.leaves) == maxLeaves {
		return need{op: needAll}
	}
	d.leaves = append(d.leaves, leaf{rows, least})
	return need{leaf: len(d.leaves) - 1}
}

func (d *needs) operation(s *traceql.SpansetOperation, in found) (found, error) {
	left, err := d.stage(s.Left, in, false)
	if err != nil {
		return in, err
	}
	right, err := d.stage(s.Right, in, false)
	if err != nil {
		return in, err
	}
	switch {
	case s.Op == traceql.SpansetUnion:
		return found{anyNeed(left.need, right.need), eitherTest(left.rows, right.rows)}, nil
	case s.Op.IsNegated():
		return right, nil
	case s.Op == traceql.SpansetAnd || s.Op.IsUnion():
		return found{allNeeds(left.need, right.need), eitherTest(left.rows, right.rows)}, nil
	default:
		return found{allNeeds(left.need, right.need), right.rows}, nil
	}
}

// scalar is what an aggregate asks of the rows that it is computed of.
func (d *needs) scalar(s *traceql.ScalarFilter, in found) (need, error) {
	a, isAggregate := s.Left.(*traceql.Aggregate)
	literal, isLiteral := s.Right.(*traceql.ScalarLiteral)
	switch {
	case !isAggregate || !isLiteral:
		return need{op: needAll}, nil
	case a.Op == traceql.AggregateCount:
		return d.leaf(in.rows, leastCount(s.Op, literal.Value)), nil
	}
	test, err := d.compiler.rowTest(mustHold(s.Op, a, literal.Value))
	if err != nil {
		return need{}, err
	}
	return d.leaf(bothTests(in.rows, test), 1), nil
}

// mustHold is a condition that a span must fulfil so that an aggregate can
// compare with a literal as wanted. The largest value is one of them, and the
// average lies between them: for durations, whose average is exact but for a
// fraction of a nanosecond, that is as good as the comparison itself.
func mustHold(op traceql.Operator, a *traceql.Aggregate, literal traceql.Static) traceql.FieldExpr {
	compare := func(op traceql.Operator) traceql.FieldExpr {
		return &traceql.Binary{Op: op, Left: a.Expr, Right: &traceql.Literal{Value: literal}}
	}
	over := op == traceql.OpGreater || op == traceql.OpGreaterEqual
	under := op == traceql.OpLess || op == traceql.OpLessEqual
	i, ok := a.Expr.(*traceql.Intrinsic)
	exact := ok && i.ID == traceql.IntrinsicDuration
	switch {
	case a.Op == traceql.AggregateMax && (over || op == traceql.OpEqual),
		a.Op == traceql.AggregateMin && (under || op == traceql.OpEqual),
		a.Op == traceql.AggregateAvg && exact && (over || under):
		return compare(op)
	}
	return &traceql.Binary{Op: traceql.OpNotEqual, Left: a.Expr, Right: &traceql.Literal{Value: traceql.Static{Type: traceql.TypeNil}}}
}

// leastCount is how many spans there must be for "count op literal".
func leastCount(op traceql.Operator, literal traceql.Static) int {
	n := literal.Number()
	switch op {
	case traceql.OpGreater:
		n = math.Floor(n) + 1
	case traceql.OpGreaterEqual, traceql.OpEqual:
		n = math.Ceil(n)
	default:
		return 1
	}
	return int(min(max(n, 1), math.MaxInt32)) // NaN is no literal
}

// ofTrace is what a condition on the whole trace asks of its rows, false if
// that is nothing.
func (d *needs) ofTrace(e traceql.FieldExpr, main bool) (need, bool, error) {
	b, ok := e.(*traceql.Binary)
	if !ok || b.Op.IsArithmetic() || b.Op.IsLogic() {
		return need{}, false, nil
	}
	op, left, right := literalLast(b)
	i, isIntrinsic := left.(*traceql.Intrinsic)
	literal, isLiteral := right.(*traceql.Literal)
	if !isIntrinsic || !isLiteral || literal.Value.Type == traceql.TypeNil {
		return need{}, false, nil
	}
	var key string
	switch i.ID {
	case traceql.IntrinsicTraceDuration:
		if main && (op == traceql.OpGreater || op == traceql.OpGreaterEqual || op == traceql.OpEqual) {
			d.minTrace = max(d.minTrace, int64(min(math.Floor(literal.Value.Number()), math.MaxInt64/2)))
		}
		return need{}, false, nil
	case traceql.IntrinsicTraceRootName:
		key = vec.Name
	case traceql.IntrinsicTraceRootService:
		key = vec.ServiceName
	default:
		return need{}, false, nil
	}
	return d.ofRoot(op, i, literal.Value, key)
}

// ofRoot asks for a row that can be the root. Traces without one have "".
func (d *needs) ofRoot(op traceql.Operator, field *traceql.Intrinsic, literal traceql.Static, key string) (need, bool, error) {
	with, err := comparisonWith(op, field, literal)
	if err != nil || with.some(traceql.NewString("")) {
		return need{}, false, err
	}
	t, err := templateOf(op, &traceql.Intrinsic{ID: traceql.IntrinsicName}, literal)
	if err != nil {
		return need{}, false, err
	}
	rows := everyRow()
	rows.filter = on(vec.ScopeIntrinsic, key, t.Predicate)
	rows.text = "root " + key + " " + op.String() + " " + literal.String()
	return d.leaf(rows, 1), true, nil
}

// conjuncts are the conditions that all must hold for e to hold.
func conjuncts(e traceql.FieldExpr) []traceql.FieldExpr {
	if b, ok := e.(*traceql.Binary); ok && b.Op == traceql.OpAnd {
		return chain(b)
	}
	return []traceql.FieldExpr{e}
}

// without leaves out that there are rows of a kind, which something else says.
func (d *needs) without(n need, rows rowTest) need {
	said := func(n need) bool {
		return n.op == needLeaf && d.leaves[n.leaf].text == rows.text && d.leaves[n.leaf].least == 1
	}
	switch {
	case said(n):
		return need{op: needAll}
	case n.op != needAll:
		return n
	}
	return allNeeds(slices.DeleteFunc(slices.Clone(n.args), said)...)
}

// prune drops the leaves that a formula does not ask for. A formula without
// any asks for every trace, or for none.
func (d *needs) prune(n need) (need, []leaf) {
	if n.always() {
		return need{}, []leaf{{rowTest: everyRow(), least: 1}}
	}
	marks, numbers := make([]bool, len(d.leaves)), make([]int, len(d.leaves))
	n.used(marks)
	var leaves []leaf
	for i, l := range d.leaves {
		if marks[i] {
			numbers[i] = len(leaves)
			leaves = append(leaves, l)
		}
	}
	return n.renumber(numbers), leaves
}

func anyNeed(a, b need) need {
	switch {
	case a.always() || b.op == needAny && len(b.args) == 0:
		return a
	case b.always() || a.op == needAny && len(a.args) == 0:
		return b
	case a.op == needLeaf && b.op == needLeaf && a.leaf == b.leaf:
		return a
	}
	return need{op: needAny, args: []need{a, b}}
}
