package traceql

import "fmt"

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
	var field FieldExpr
	switch id := lookupIntrinsic(p.tok.text); {
	case p.tok.kind == tokenAttribute && p.tok.scope.ofParent():
		return nil, p.failWith(ErrType, "attributes of the parent span are not supported", "")
	case p.tok.kind == tokenAttribute:
		field = &Attribute{Scope: p.tok.scope, Name: p.tok.text}
	case id != IntrinsicNone && (p.tok.kind == tokenWord || p.tok.kind == tokenIntrinsic):
		field = &Intrinsic{ID: id}
	case p.tok.kind == tokenWord:
		return nil, p.failWith(ErrSyntax, fmt.Sprintf("unexpected %s, expected an attribute with its scope or an intrinsic", p.describe()),
			"attributes have a scope: span."+clip(name)+", or ."+clip(name)+" for any")
	default:
		return nil, p.fail("an attribute with its scope or an intrinsic")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEOF {
		return nil, p.fail("the end of the name")
	}
	return field, nil
}
