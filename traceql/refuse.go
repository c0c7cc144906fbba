package traceql

import (
	"fmt"
	"strings"
)

// startsTerm reports whether the current token can begin a stage that is not a
// metrics function.
func (p *parser) startsTerm() bool {
	switch {
	case p.tok.isPunct("{"), p.tok.isPunct("("), p.tok.isOperator("-"), p.isNumber():
		return true
	case p.tok.kind != tokenWord:
		return false
	}
	switch p.tok.text {
	case "by", "select", "coalesce":
		return true
	default:
		return lookupAggregate(p.tok.text) != AggregateNone
	}
}

// refuseStart explains a token that begins neither a query nor what stands in
// parentheses.
func (p *parser) refuseStart() error {
	word := ""
	if p.tok.kind == tokenWord {
		word = p.tok.text
	}
	switch {
	case word == "coalesce":
		return p.failHint("'{'", "coalesce() joins what a stage before it has split: { ... } | by(name) | coalesce()")
	case p.startsTerm():
		return nil
	case isFunction(word):
		return p.failHint("'{'", "say of which spans: { ... } | "+exampleOf(word))
	case word == "with":
		return p.failHint("'{'", "with(...) stands behind a query")
	case p.tok.kind == tokenAttribute, p.tok.kind == tokenIntrinsic, word != "":
		return p.failHint("'{'", adviceForBraces(p.lex.src, p.tok))
	}
	return p.fail("'{'")
}

// refuseStage explains a token behind a | that begins no stage.
func (p *parser) refuseStage() error {
	if p.startsTerm() {
		return nil
	}
	const expected = "a stage such as { ... }, count() > 1, by(name), select(name) or rate()"
	switch {
	case p.fieldToken() != nil:
		return p.failHint(expected, "put conditions in braces: | { "+p.source(p.tok)+" ... }")
	case p.tok.kind == tokenWord && isFunction(p.tok.text):
		return p.failHint(expected, p.tok.text+" stands behind a metrics function: | rate() by (name) | "+exampleOf(p.tok.text))
	case p.tok.kind == tokenWord:
		return p.failHint(expected, adviceForStage(p.tok.text))
	}
	return p.fail(expected)
}

// refuseTerm explains a token that is no operand.
func (p *parser) refuseTerm() error {
	return p.fail("'{', a number or an aggregate such as count()")
}

// refuseOperator explains an operator, the current token, that does not work
// on what stands before it, or does not go with the token behind it.
func (p *parser) refuseOperator(left term) error {
	op := p.tok.op
	switch {
	case left.spanset != nil && !p.tok.joinsSpansets():
		return p.fail("'|', an operator between filters or the end of the query")
	case left.scalar != nil && !op.IsComparison() && !op.IsArithmetic():
		return p.failHint("one of = != < <= > >=", adviceForScalar(p.tok))
	case left.metrics != nil && !op.IsArithmetic():
		return p.failHint("one of + - * /", "results of metrics queries can only be calculated with and compared")
	case left.stage != nil:
		return p.failHint("'|' or the end of the query", adviceForJoin(p.tok.spanset))
	}
	return nil
}

// refuseRight explains a token that can not be the right operand of what is
// on the left.
func (p *parser) refuseRight(left term) error {
	switch {
	case p.tok.isPunct("("), p.tok.isPunct("{"):
		return nil
	case left.spanset != nil && p.startsTerm():
		return p.failHint("'{'", "what follows a filter stands behind a |: { ... } | count() > 1")
	case left.spanset != nil && p.fieldToken() != nil:
		return p.failHint("'{'", "put conditions in braces: { "+p.source(p.tok)+" ... }")
	case left.spanset != nil:
		return p.fail("'{'")
	case p.startsTerm():
		return nil
	default:
		return p.failHint("a number or duration", adviceForScalar(p.tok))
	}
}

// refuseMixture explains that two operands do not go together.
func (p *parser) refuseMixture(left, right term) error {
	return p.failAt(right.pos, fmt.Sprintf("%s can not be combined with %s", left.kind(), right.kind()), "")
}

// kind says in a message what a term is.
func (t term) kind() string {
	switch {
	case t.spanset != nil && t.wrapped:
		return "a pipeline"
	case t.spanset != nil:
		return "a filter"
	case t.metrics != nil:
		return "a metrics query"
	case t.stage != nil:
		return clip(t.stage.String())
	case isConstant(t.scalar):
		return "a number"
	default:
		return "an aggregate"
	}
}

// refuseScalar explains that a number is compared with nothing, standing
// behind it.
func (p *parser) refuseScalar(e ScalarExpr) error {
	text := clip(e.String())
	hint := "compare it: " + text + " > 1"
	if e.Type() == TypeDuration {
		hint += "s"
	}
	if p.tok.is(tokenWord, "by") {
		hint = "for spansets write | by(name) | " + text + " > 1, for series | " + seriesOf(e) + " by (name)"
	}
	if isConstant(e) {
		return p.failAt(e.Pos(), text+" is compared with nothing", "compare an aggregate: { ... } | count() > 1")
	}
	return p.failHint("a comparison", hint)
}

// seriesOf is the function over time that is like an aggregate.
func seriesOf(e ScalarExpr) string {
	a, ok := e.(*Aggregate)
	switch {
	case !ok:
		return "rate()"
	case a.Op == AggregateCount:
		return "count_over_time()"
	default:
		return a.Op.String() + "_over_time(" + clip(a.Expr.String()) + ")"
	}
}

// refuseWrapped explains a | behind pipelines in parentheses.
func (p *parser) refuseWrapped() error {
	return p.failHint("an operator or the end of the query",
		"pipelines in parentheses are the last part: write what follows into the parentheses")
}

// refuseUnclosed explains a missing parenthesis behind a sequence.
func (p *parser) refuseUnclosed(s sequence) error {
	if s.metrics != nil && (p.tok.isOperator("|") || p.tok.op.IsComparison()) {
		return p.failHint("')'", "write comparisons, topk and bottomk into the innermost parentheses or behind the outermost")
	}
	if s.scalar != nil {
		return p.fail("a comparison or ')'")
	}
	return p.fail("'|', an operator or ')'")
}

// source is a token as it stands in the query, shortened.
func (p *parser) source(t token) string { return clip(p.lex.src[t.pos:t.end]) }

// isFunction reports whether word names a metrics function or second stage.
func isFunction(word string) bool {
	return lookupMetrics(word) != MetricsNone || word == "topk" || word == "bottomk"
}

// isStageName reports whether word begins a stage of any kind.
func isStageName(word string) bool {
	switch word {
	case "by", "select", "coalesce":
		return true
	default:
		return isFunction(word) || lookupAggregate(word) != AggregateNone
	}
}

// exampleOf shows how a function is written.
func exampleOf(name string) string {
	switch name {
	case "count":
		return "count() > 1"
	case "min", "max", "sum", "avg":
		return name + "(duration) > 1s"
	case "select":
		return "select(name, span.http.route)"
	case "by":
		return "by(name)"
	case "min_over_time", "max_over_time", "sum_over_time", "avg_over_time", "histogram_over_time":
		return name + "(duration)"
	case "quantile_over_time":
		return name + "(duration, .5, .99)"
	case "compare":
		return "compare({ status = error })"
	case "topk", "bottomk":
		return name + "(10)"
	default:
		return name + "()"
	}
}

// adviceForBraces shows the query in braces if that is all it lacks.
func adviceForBraces(src string, tok token) string {
	text := strings.TrimSpace(src)
	text = strings.TrimSpace(strings.TrimSuffix(text, "}"))
	switch {
	case tok.kind == tokenWord && lookupIntrinsic(tok.text) == IntrinsicNone:
		return "put conditions in braces: { ... }"
	case strings.ContainsAny(text, "{}") || len(text) > maxClip:
		return "put conditions in braces: { " + clip(src[tok.pos:tok.end]) + " ... }"
	default:
		return "put conditions in braces: { " + text + " }"
	}
}
