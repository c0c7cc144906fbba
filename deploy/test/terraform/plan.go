package terraform

import (
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// evaluation is one of a module without resources.
type evaluation struct {
	module *Module
	vars   map[string]cty.Value
	locals map[string]cty.Value
	begun  map[string]bool // locals, so that circles end
}

// Plan is what a module without resources puts out for its inputs, or what it
// refuses.
func (m *Module) Plan(inputs map[string]cty.Value) (map[string]cty.Value, error) {
	e := evaluation{m, map[string]cty.Value{}, map[string]cty.Value{}, map[string]bool{}}
	for i := range m.Variables {
		v := &m.Variables[i]
		value, err := v.of(inputs)
		if err != nil {
			return nil, err
		}
		e.vars[v.Name] = value
	}
	if err := e.validate(); err != nil {
		return nil, err
	}
	outputs := map[string]cty.Value{}
	for _, o := range m.Outputs {
		value, err := e.value(o.value)
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", o.Name, err)
		}
		outputs[o.Name] = value
	}
	return outputs, nil
}

// of is the variable's value, its default without one.
func (v *Variable) of(inputs map[string]cty.Value) (cty.Value, error) {
	value, given := inputs[v.Name]
	if !given {
		value = v.value
	}
	if value == cty.NilVal {
		return value, fmt.Errorf("variable %s is not set", v.Name)
	}
	if v.optional != nil && !value.IsNull() {
		value = v.optional.Apply(value)
	}
	value, err := convert.Convert(value, v.constraint)
	if err != nil {
		return value, fmt.Errorf("variable %s: %w", v.Name, err)
	}
	return value, nil
}

func (e *evaluation) validate() error {
	var errs []error
	for _, v := range e.module.Variables {
		for _, rule := range v.validations {
			ok, err := e.value(rule.condition)
			if err != nil {
				return fmt.Errorf("validation of %s: %w", v.Name, err)
			}
			if ok.True() {
				continue
			}
			message, err := e.value(rule.message)
			if err != nil {
				return fmt.Errorf("message of %s: %w", v.Name, err)
			}
			errs = append(errs, errors.New(message.AsString()))
		}
	}
	return errors.Join(errs...)
}

// value evaluates an expression, and the locals that it names before.
func (e *evaluation) value(x hclsyntax.Expression) (cty.Value, error) {
	for _, t := range x.Variables() {
		if t.RootName() != "local" {
			continue
		}
		if err := e.local(t[1].(hcl.TraverseAttr).Name); err != nil {
			return cty.NilVal, err
		}
	}
	value, diags := x.Value(&hcl.EvalContext{
		Variables: map[string]cty.Value{"var": cty.ObjectVal(e.vars), "local": cty.ObjectVal(e.locals)},
		Functions: Functions(),
	})
	if diags.HasErrors() {
		return value, diags
	}
	return value, nil
}

func (e *evaluation) local(name string) error {
	if e.begun[name] {
		return nil
	}
	e.begun[name] = true
	x, there := e.module.locals[name]
	if !there {
		return fmt.Errorf("there is no local.%s", name)
	}
	value, err := e.value(x)
	if err != nil {
		return fmt.Errorf("local.%s: %w", name, err)
	}
	e.locals[name] = value
	return nil
}
