package traceql

// ParseField reads the name of one field: an *Attribute with its scope or an
// *Intrinsic. Every error is an *Error, as of Parse.
func ParseField(name string) (FieldExpr, error) {
	if err := checkText(name); err != nil {
		return nil, err
	}
	p := &parser{lex: lexer{src: name}}
	if err := p.advance(); err != nil {
		return nil, err
	}
	field, err := p.field()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEOF {
		return nil, p.fail("the end of the name")
	}
	return field, (&checker{src: name}).expr(field, 0)
}

// field = attribute | intrinsic.
func (p *parser) field() (FieldExpr, error) {
	field := p.fieldToken()
	switch {
	case field != nil:
		return field, p.advance()
	case p.tok.kind == tokenWord:
		return nil, p.failHint("an attribute with its scope or an intrinsic", adviceForField(clip(nameAt(p.lex.src[p.tok.pos:]))))
	case p.tok.kind == tokenLiteral && p.tok.value.Type == TypeString:
		return nil, p.failHint("an attribute with its scope or an intrinsic", "fields stand without quotes")
	default:
		return nil, p.fail("an attribute with its scope or an intrinsic")
	}
}

// fieldToken is the field that the current token names, nil if it is none.
func (p *parser) fieldToken() FieldExpr {
	if p.tok.kind == tokenAttribute {
		return &Attribute{Scope: p.tok.scope, Name: p.tok.text, pos: p.tok.pos}
	}
	if p.tok.kind == tokenWord || p.tok.kind == tokenIntrinsic {
		if id := lookupIntrinsic(p.tok.text); id != IntrinsicNone {
			return &Intrinsic{ID: id, pos: p.tok.pos}
		}
	}
	return nil
}

// fields = field { "," field } ")". The parenthesis before it is read.
func (p *parser) fields(function string) ([]FieldExpr, error) {
	if p.tok.isPunct(")") {
		return nil, p.failHint("an attribute with its scope or an intrinsic", "write "+exampleOf(function))
	}
	var fields []FieldExpr
	for {
		f, err := p.field()
		if err != nil {
			return nil, err
		}
		fields = append(fields, f)
		if !p.tok.isPunct(",") {
			return fields, p.closeFields(function, "',' or ')'")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

// closeFields reads the parenthesis behind fields.
func (p *parser) closeFields(function, expected string) error {
	switch {
	case p.tok.kind == tokenOperator:
		return p.failHint(expected, function+" takes fields, it does not calculate")
	case p.tok.isPunct(","):
		return p.failHint(expected, function+" takes one field")
	case !p.tok.isPunct(")"):
		return p.fail(expected)
	}
	return p.advance()
}
