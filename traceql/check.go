package traceql

import (
	"errors"
	"fmt"
	"regexp/syntax"
)

// check finds the queries that are in the grammar and make no sense.
func check(src string, q *Query) error {
	c := &checker{src: src}
	if err := c.pipeline(q.Pipeline, 0); err != nil {
		return err
	}
	if q.Metrics != nil {
		if err := c.metrics(q.Metrics, 0); err != nil {
			return err
		}
	}
	return c.hints(q.Hints)
}

type checker struct {
	src     string
	regexes int // size of the regular expressions so far
}

// node is anything that has a place in the query.
type node interface{ Pos() int }

func (c *checker) fail(e node, message, hint string) error {
	return errorAt(c.src, e.Pos(), ErrType, message, hint)
}

func (c *checker) tooDeep(pos int) error {
	return errorAt(c.src, pos, ErrSyntax, "the expression is nested too deeply", "")
}

func (c *checker) filter(f *SpansetFilter) error {
	if err := c.expr(f.Expr, 0); err != nil {
		return err
	}
	if _, bare := f.Expr.(*Attribute); bare || f.Expr.Type() == TypeBool {
		return nil
	}
	return c.fail(f.Expr, fmt.Sprintf("a filter must be a condition, %s is %s", brief(f.Expr), article(f.Expr.Type())),
		"compare it with something")
}

func (c *checker) expr(e FieldExpr, depth int) error {
	if depth > maxNesting {
		return c.tooDeep(e.Pos())
	}
	switch e := e.(type) {
	case *Binary:
		// Chains grow to the left. Those of && and || may be long: they are
		// what a menu of values is written as.
		left := depth
		if !e.Op.IsLogic() {
			left++
		}
		if err := c.expr(e.Left, left); err != nil {
			return err
		}
		if err := c.expr(e.Right, depth+1); err != nil {
			return err
		}
		return c.binary(e)
	case *Unary:
		if err := c.expr(e.X, depth+1); err != nil {
			return err
		}
		return c.unary(e)
	case *Attribute:
		if e.Scope.ofParent() {
			return errorAt(c.src, e.pos, ErrType, "attributes of the parent span are not supported", "")
		}
	case *Intrinsic:
		return c.intrinsic(e)
	case *Literal:
	}
	return nil
}

func (c *checker) intrinsic(e *Intrinsic) error {
	if e.ID == IntrinsicParent {
		return c.fail(e, "the parent span is not supported", "")
	}
	return nil
}

func (c *checker) unary(e *Unary) error {
	t := e.X.Type()
	if t == TypeUnknown || e.Op == OpNot && t == TypeBool || e.Op == OpSub && t.IsNumeric() {
		return nil
	}
	want := "a condition"
	if e.Op == OpSub {
		want = "a number"
	}
	return c.fail(e, fmt.Sprintf("%s needs %s, %s is %s", e.Op, want, brief(e.X), article(t)), "")
}

func (c *checker) binary(e *Binary) error {
	if isNil(e.Right) {
		return c.nilTest(e)
	}
	if e.Op.IsRegex() {
		return c.regex(e)
	}
	left, right := e.Left.Type(), e.Right.Type()
	for _, side := range []FieldExpr{e.Left, e.Right} {
		if t := side.Type(); !allowed(e.Op, t) {
			return c.fail(e, fmt.Sprintf("%s does not work on %s, %s is %s", e.Op, plural(t), brief(side), article(t)), "")
		}
	}
	if left == right || left == TypeUnknown || right == TypeUnknown || left.IsNumeric() && right.IsNumeric() {
		return nil
	}
	return c.fail(e, fmt.Sprintf("%s is %s and %s is %s: they can not be combined with %s",
		brief(e.Left), article(left), brief(e.Right), article(right), e.Op), adviceForMismatch(e))
}

// allowed reports whether op works on values of type t.
func allowed(op Operator, t Type) bool {
	switch {
	case t == TypeUnknown || op == OpEqual || op == OpNotEqual:
		return true
	case op.IsLogic():
		return t == TypeBool
	case op.IsComparison():
		return t.IsNumeric() || t == TypeString
	default:
		return t.IsNumeric()
	}
}

// nilTest refuses to ask whether something is absent that always is there.
func (c *checker) nilTest(e *Binary) error {
	if e.Op == OpNotEqual {
		return nil
	}
	switch x := e.Left.(type) {
	case *Intrinsic:
		return c.fail(e, fmt.Sprintf("%s is never nil", x), adviceForNil(x))
	case *Attribute:
		if x.Scope == ScopeResource && x.Name == "service.name" {
			return c.fail(e, fmt.Sprintf("%s is never nil", x), `without it the name is "": write `+x.String()+` = ""`)
		}
	}
	return nil
}

func (c *checker) regex(e *Binary) error {
	pattern, ok := e.Right.(*Literal)
	if !ok || pattern.Value.Type != TypeString {
		return c.fail(e, fmt.Sprintf("%s needs a string in quotes on its right, not %s", e.Op, brief(e.Right)), "")
	}
	if t := e.Left.Type(); t != TypeUnknown && t != TypeString {
		return c.fail(e, fmt.Sprintf("%s does not work on %s, %s is %s", e.Op, plural(t), brief(e.Left), article(t)), "")
	}
	size, err := regexSize(pattern.Value.Str)
	if err != nil {
		return c.badRegex(pattern, err)
	}
	if c.regexes += size; c.regexes > maxRegexSize {
		return c.fail(pattern, "the regular expressions of the query are too large together", "")
	}
	return nil
}

func (c *checker) badRegex(pattern *Literal, err error) error {
	if errors.Is(err, errRegexTooLarge) {
		return c.fail(pattern, err.Error(), "")
	}
	reason := err.Error()
	if detail := (*syntax.Error)(nil); errors.As(err, &detail) {
		reason = detail.Code.String() + ": " + detail.Expr
	}
	return c.fail(pattern, "bad regular expression: "+clip(reason), "the syntax is RE2")
}

func article(t Type) string {
	switch t {
	case TypeInt, TypeUnknown:
		return "an " + t.String()
	case TypeNil:
		return "nil"
	default:
		return "a " + t.String()
	}
}

func plural(t Type) string {
	if t == TypeStatus {
		return "statuses"
	}
	return t.String() + "s"
}
