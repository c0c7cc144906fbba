package traceql

import (
	"fmt"
	"math"
)

// metricsQuery = function { second stage }, of the stages before it.
func (p *parser) metricsQuery(op MetricsOp, s *sequence) error {
	function, err := p.function(op)
	if err != nil {
		return err
	}
	s.metrics, err = p.withSecondStages(&MetricsQuery{Pipeline: s.stages, Function: function})
	return err
}

// function = NAME "(" arguments ")" [ "by" "(" fields ")" ].
func (p *parser) function(op MetricsOp) (*MetricsFunction, error) {
	f := &MetricsFunction{Op: op, pos: p.tok.pos}
	var err error
	switch {
	case op == MetricsCompare:
		f.Compare, err = p.compare()
		return f, err
	case op.takesField():
		err = p.fieldArguments(f)
	default:
		err = p.emptyCall(op.String())
	}
	if err != nil || !p.tok.is(tokenWord, "by") {
		return f, err
	}
	if err = p.advance(); err != nil {
		return nil, err
	}
	if !p.tok.isPunct("(") {
		return nil, p.failHint("'('", "write by (name)")
	}
	if err = p.advance(); err != nil {
		return nil, err
	}
	f.By, err = p.fields("by")
	return f, err
}

// fieldArguments = NAME "(" field { "," number } ")", numbers only for
// quantiles.
func (p *parser) fieldArguments(f *MetricsFunction) error {
	name := f.Op.String()
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.expectOpen(name); err != nil {
		return err
	}
	if p.fieldToken() == nil && p.tok.kind != tokenWord {
		return p.failHint("a field", "write "+exampleOf(name))
	}
	var err error
	if f.Field, err = p.field(); err != nil {
		return err
	}
	if f.Op != MetricsQuantileOverTime {
		return p.closeFields(name, "')'")
	}
	for p.tok.isPunct(",") {
		if err := p.advance(); err != nil {
			return err
		}
		value, ok := p.literal()
		if !ok || value.Type != TypeInt && value.Type != TypeFloat {
			return p.failHint("a quantile from 0 to 1", "write "+exampleOf(name))
		}
		f.Quantiles = append(f.Quantiles, value.Number())
		if err := p.advance(); err != nil {
			return err
		}
	}
	if len(f.Quantiles) == 0 {
		return p.failHint("','", "write the quantile: "+exampleOf(name))
	}
	return p.closeFields(name, "',' or ')'")
}

// compare = "compare" "(" filter [ "," INT [ "," INT "," INT ] ] ")".
func (p *parser) compare() (*Compare, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expectOpen("compare"); err != nil {
		return nil, err
	}
	if !p.tok.isPunct("{") {
		return nil, p.failHint("'{'", "write "+exampleOf("compare"))
	}
	filter, err := p.filter()
	if err != nil {
		return nil, err
	}
	c := &Compare{Selection: filter, TopN: DefaultTopN}
	if p.tok.kind == tokenOperator {
		return nil, p.failHint("',' or ')'", "compare takes one filter: put the conditions into one pair of braces")
	}
	if !p.tok.isPunct(",") {
		return c, p.expectPunct(")")
	}
	n, err := p.natural()
	if err != nil {
		return nil, err
	}
	// What is too large for an int is too large for the checks as well.
	c.TopN = int(min(n, math.MaxInt32))
	if !p.tok.isPunct(",") {
		return c, p.expectPunct(")")
	}
	if c.StartNanos, err = p.natural(); err != nil {
		return nil, err
	}
	if !p.tok.isPunct(",") {
		return nil, p.failHint("','", "after the start comes the end: "+fmt.Sprintf("compare({ ... }, %d, start, end)", c.TopN))
	}
	if c.EndNanos, err = p.natural(); err != nil {
		return nil, err
	}
	return c, p.expectPunct(")")
}

// natural reads a comma and an int.
func (p *parser) natural() (uint64, error) {
	if err := p.advance(); err != nil {
		return 0, err
	}
	if p.tok.kind != tokenLiteral || p.tok.value.Type != TypeInt {
		return 0, p.fail("an int")
	}
	n := uint64(p.tok.value.Int) //nolint:gosec // the sign is a token of its own
	return n, p.advance()
}

// withSecondStages reads what is done with the series of e.
func (p *parser) withSecondStages(e MetricsExpr) (MetricsExpr, error) {
	var stages []SecondStage
	for {
		var s SecondStage
		var err error
		switch {
		case p.tok.isOperator("|"):
			s, err = p.topK()
		case p.tok.op.IsComparison():
			s, err = p.metricsFilter()
		default:
			addStages(e, stages)
			return e, nil
		}
		if err != nil {
			return nil, err
		}
		if stages = append(stages, s); len(stages) > maxStages {
			return nil, p.failWith(ErrSyntax, "the query has too many stages", "")
		}
	}
}

func addStages(e MetricsExpr, stages []SecondStage) {
	switch e := e.(type) {
	case *MetricsQuery:
		e.Stages = append(e.Stages, stages...)
	case *MetricsBinary:
		e.Stages = append(e.Stages, stages...)
	}
}

// topK = "|" ( "topk" | "bottomk" ) "(" INT ")".
func (p *parser) topK() (SecondStage, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	s := &TopK{Bottom: p.tok.is(tokenWord, "bottomk"), pos: p.tok.pos}
	if !s.Bottom && !p.tok.is(tokenWord, "topk") {
		return nil, p.failHint("topk or bottomk", adviceForSeries(p.tok))
	}
	name := p.tok.text
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expectOpen(name); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenLiteral || p.tok.value.Type != TypeInt {
		return nil, p.failHint("an int", "write "+exampleOf(name))
	}
	s.N = int(p.tok.value.Int)
	if err := p.advance(); err != nil {
		return nil, err
	}
	return s, p.expectPunct(")")
}

// metricsFilter = comparison scalar.
func (p *parser) metricsFilter() (SecondStage, error) {
	s := &MetricsFilter{Op: p.tok.op, pos: p.tok.pos}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.isNumber() && !p.tok.isPunct("(") && !p.tok.isOperator("-") {
		return nil, p.failHint("a number or duration", adviceForScalar(p.tok))
	}
	t, err := p.term(precCompare + 1)
	if err != nil {
		return nil, err
	}
	literal, ok := t.scalar.(*ScalarLiteral)
	if !ok {
		return nil, p.failAt(t.pos, "results are compared with a number or duration only", "")
	}
	s.Value = literal.Value
	return s, nil
}

// joinMetrics calculates with the results of queries.
func (p *parser) joinMetrics(op Operator, pos int, left, right term) (MetricsExpr, error) {
	sides := [2]MetricsExpr{left.metrics, right.metrics}
	for i, t := range []term{left, right} {
		if t.metrics != nil {
			continue
		}
		literal, ok := t.scalar.(*ScalarLiteral)
		if !ok {
			return nil, p.refuseMixture(left, right)
		}
		sides[i] = &MetricsLiteral{Value: literal.Value, pos: literal.pos}
	}
	switch op {
	case OpAdd, OpSub, OpMul, OpDiv:
		return &MetricsBinary{Op: op, Left: sides[0], Right: sides[1], pos: pos}, nil
	default:
		return nil, p.failAt(pos, "results of metrics queries are combined with + - * / only",
			"to compare, write the number on the right: ({ ... } | rate()) > 5")
	}
}
