package traceql

// hints = "with" "(" hint { "," hint } ")".
func (p *parser) hints() ([]Hint, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expectPunct("("); err != nil {
		return nil, err
	}
	var hints []Hint
	for {
		h, err := p.hint()
		if err != nil {
			return nil, err
		}
		hints = append(hints, h)
		if !p.tok.isPunct(",") {
			return hints, p.expectPunct(")")
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
}

// hint = WORD "=" literal.
func (p *parser) hint() (Hint, error) {
	if p.tok.kind != tokenWord {
		return Hint{}, p.fail("the name of a hint")
	}
	h := Hint{Name: p.tok.text}
	if err := p.advance(); err != nil {
		return Hint{}, err
	}
	if !p.tok.isOperator("=") {
		return Hint{}, p.fail("'='")
	}
	if err := p.advance(); err != nil {
		return Hint{}, err
	}
	value, ok := p.literal()
	if !ok || value.Type == TypeNil {
		return Hint{}, p.failHint("a literal", adviceForHint(h.Name, p.fieldToken() != nil))
	}
	h.Value, h.pos = value, p.tok.pos
	return h, p.advance()
}
