package traceql

import "strings"

// String is the query in canonical form: constants computed, intrinsics by
// their canonical names, no parentheses but the necessary ones. Parsing it
// gives an equal query.
func (q *Query) String() string {
	var b strings.Builder
	if q.Metrics != nil {
		b.WriteString(q.Metrics.String())
	} else {
		b.WriteString(q.Pipeline.String())
	}
	for i, h := range q.Hints {
		b.WriteString([]string{" with(", ", "}[min(i, 1)] + h.Name + "=" + h.Value.String())
	}
	if len(q.Hints) > 0 {
		b.WriteByte(')')
	}
	return b.String()
}

// String is the pipeline with | between its stages.
func (p Pipeline) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		parts[i] = s.String()
	}
	return strings.Join(parts, " | ")
}

// String is the expression with the necessary parentheses.
func (e *Binary) String() string { return printExpr(e) }

// String is the expression with the necessary parentheses.
func (e *Unary) String() string { return printExpr(e) }

// String is the literal as a query spells it.
func (e *Literal) String() string { return e.Value.String() }

// String is the attribute with its scope, quoted where it has to be.
func (e *Attribute) String() string {
	return e.Scope.String() + quoteName(e.Name, e.Scope == ScopeNone)
}

// String is the canonical name.
func (e *Intrinsic) String() string { return e.ID.String() }

func printExpr(e FieldExpr) string {
	var b strings.Builder
	writeExpr(&b, e, 0)
	return b.String()
}

// writeExpr prints e as an operand of an operator that binds as tightly as
// prec, or a step tighter where an equal operator would associate wrongly.
func writeExpr(b *strings.Builder, e FieldExpr, prec int) {
	if exprPrec(e) < prec {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	switch e := e.(type) {
	case *Binary:
		left, right := e.Op.operandPrec()
		writeExpr(b, e.Left, left)
		b.WriteString(" " + e.Op.String() + " ")
		if isPrefixed(e.Right) {
			// A prefix operator needs no step: nothing before it can be torn off.
			right = e.Op.prec()
		}
		writeExpr(b, e.Right, right)
	case *Unary:
		b.WriteString(e.Op.String())
		operand := e.Op.prec() + 1
		if isPrefixed(e.X) {
			operand = e.Op.prec()
		}
		writeExpr(b, e.X, operand)
	default:
		b.WriteString(e.String())
	}
}

// exprPrec is how tightly the outermost operator of e binds.
func exprPrec(e FieldExpr) int {
	switch e := e.(type) {
	case *Binary:
		return e.Op.prec()
	case *Unary:
		return e.Op.prec()
	case *Literal:
		if e.Value.isNegative() {
			return OpSub.prec()
		}
	}
	return precPrimary
}

// isPrefixed reports whether e is spelt with a prefix operator in front.
func isPrefixed(e FieldExpr) bool {
	switch e := e.(type) {
	case *Unary:
		return true
	case *Literal:
		return e.Value.isNegative()
	default:
		return false
	}
}

// quoteName puts quotes around a name that would not be read back as it is.
func quoteName(name string, unscoped bool) string {
	plain := name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return attributeEnd(r) || r == '"'
	})
	if unscoped && plain && isDigit(name[0]) {
		plain = false // .5 is a number
	}
	if plain {
		return name
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
