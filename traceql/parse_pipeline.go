package traceql

// sequence is what stands between parentheses, or a whole query: stages with |
// between them, and at the end maybe a number or series.
type sequence struct {
	stages  Pipeline
	scalar  ScalarExpr  // behind the stages, to be compared
	metrics MetricsExpr // made of the stages
	only    term        // what it consists of if there is no |
}

// pipeline are the stages of a search. A pair of parentheses around all of
// them means nothing.
func (s sequence) pipeline() Pipeline {
	if len(s.stages) == 1 {
		if inner, ok := s.stages[0].(*SpansetPipeline); ok {
			return inner.Pipeline
		}
	}
	return s.stages
}

// sequence = term { "|" term } [ "|" function { second stage } ].
func (p *parser) sequence() (sequence, error) {
	var s sequence
	if err := p.refuseStart(); err != nil {
		return s, err
	}
	first, err := p.term(precLogic)
	if err != nil {
		return s, err
	}
	s.append(first)
	if !p.tok.isOperator("|") {
		s.only = first
		return s, nil
	}
	switch {
	case first.metrics != nil:
		return s, nil // | topk is the caller's
	case first.scalar != nil:
		return s, p.refuseScalar(first.scalar)
	case first.wrapped:
		return s, p.refuseWrapped()
	}
	for p.tok.isOperator("|") && s.scalar == nil && s.metrics == nil {
		if err := p.next(&s); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *sequence) append(t term) {
	switch {
	case t.spanset != nil:
		s.stages = append(s.stages, t.spanset)
	case t.stage != nil:
		s.stages = append(s.stages, t.stage)
	}
	s.scalar, s.metrics = t.scalar, t.metrics
}

// next reads a | and the stage behind it.
func (p *parser) next(s *sequence) error {
	if err := p.advance(); err != nil {
		return err
	}
	if len(s.stages) == maxStages {
		return p.failWith(ErrSyntax, "the pipeline has too many stages", "")
	}
	start := p.tok
	if start.kind == tokenWord {
		if op := lookupMetrics(start.text); op != MetricsNone {
			return p.metricsQuery(op, s)
		}
	}
	if err := p.refuseStage(); err != nil {
		return err
	}
	t, err := p.term(precLogic)
	switch {
	case err != nil:
		return err
	case t.wrapped:
		return p.failAt(start.pos, "a pipeline in parentheses can not be a stage", "write its stages without parentheses")
	case t.metrics != nil:
		return p.failAt(start.pos, "a metrics query can not be a stage", "write its stages without parentheses")
	}
	s.append(t)
	if s.scalar == nil {
		return nil
	}
	if _, isAggregate := s.scalar.(*Aggregate); !isAggregate || !p.tok.isPunct(")") {
		return p.refuseScalar(s.scalar)
	}
	return nil
}

// parenthesis = "(" sequence ")".
func (p *parser) parenthesis() (term, error) {
	open := p.tok.pos
	if err := p.advance(); err != nil {
		return term{}, err
	}
	s, err := p.sequence()
	if err != nil {
		return term{}, err
	}
	if !p.tok.isPunct(")") {
		return term{}, p.refuseUnclosed(s)
	}
	t := s.only
	switch {
	case t.spanset != nil || t.scalar != nil || s.metrics != nil:
		t.metrics = s.metrics
	case s.scalar != nil:
		aggregate, _ := s.scalar.(*Aggregate)
		t.scalar = &ScalarPipeline{Pipeline: s.stages, Aggregate: aggregate, pos: open}
	default:
		t = term{spanset: &SpansetPipeline{Pipeline: s.stages, pos: open}, wrapped: true}
	}
	t.pos, t.closed = open, true
	return t, p.advance()
}

// filter = "{" [ expr ] "}".
func (p *parser) filter() (*SpansetFilter, error) {
	open := p.tok.pos
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.isPunct("}") {
		return &SpansetFilter{Expr: &Literal{Value: NewBool(true), pos: open}, pos: open}, p.advance()
	}
	expr, err := p.wholeExpr()
	if err != nil {
		return nil, err
	}
	if !p.tok.isPunct("}") {
		return nil, p.fail("an operator or '}'")
	}
	return &SpansetFilter{Expr: expr, pos: open}, p.advance()
}

// groupBy = "by" "(" expr ")".
func (p *parser) groupBy() (Stage, error) {
	s := &GroupBy{pos: p.tok.pos}
	var err error
	s.Expr, err = p.argument("by")
	return s, err
}

// argument = NAME "(" expr ")".
func (p *parser) argument(name string) (FieldExpr, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expectOpen(name); err != nil {
		return nil, err
	}
	if p.tok.isPunct(")") {
		return nil, p.failHint("a field", name+" needs a field: write "+exampleOf(name))
	}
	e, err := p.wholeExpr()
	if err != nil {
		return nil, err
	}
	switch {
	case p.tok.isPunct(",") && name == "by":
		return nil, p.failHint("an operator or ')'", "by(...) takes one expression; only rate() by (...) and its like take several")
	case p.tok.isPunct(","):
		return nil, p.failHint("an operator or ')'", name+" takes one expression")
	case !p.tok.isPunct(")"):
		return nil, p.fail("an operator or ')'")
	}
	return e, p.advance()
}

// selection = "select" "(" fields ")".
func (p *parser) selection() (Stage, error) {
	s := &Select{pos: p.tok.pos}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expectOpen("select"); err != nil {
		return nil, err
	}
	var err error
	s.Fields, err = p.fields("select")
	return s, err
}

// coalesce = "coalesce" "(" ")".
func (p *parser) coalesce() (Stage, error) {
	s := &Coalesce{pos: p.tok.pos}
	return s, p.emptyCall("coalesce")
}

// emptyCall = NAME "(" ")".
func (p *parser) emptyCall(name string) error {
	if err := p.advance(); err != nil {
		return err
	}
	if err := p.expectOpen(name); err != nil {
		return err
	}
	if !p.tok.isPunct(")") {
		if p.tok.kind == tokenLiteral && p.tok.value.Type == TypeDuration {
			return p.failHint("')'", adviceForRange)
		}
		return p.failHint("')'", name+"() takes nothing")
	}
	return p.advance()
}
