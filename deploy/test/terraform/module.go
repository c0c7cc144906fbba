package terraform

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// Module is a folder of .tf files.
type Module struct {
	Dir       string
	Variables []Variable // by name
	Outputs   []Output   // by name
	Blocks    []*hclsyntax.Block

	locals map[string]hclsyntax.Expression
}

// Variable is an input.
type Variable struct {
	Name, Description string
	// Type and Default are as they are written, on one line; Default is empty for
	// an input that is required.
	Type, Default string

	constraint  cty.Type
	optional    *typeexpr.Defaults
	value       cty.Value // the default's
	validations []validation
}

// Output is what a module puts out.
type Output struct {
	Name, Description string

	value hclsyntax.Expression
}

type validation struct{ condition, message hclsyntax.Expression }

// Load reads a module.
func Load(dir string) (*Module, error) {
	m := &Module{Dir: dir, locals: map[string]hclsyntax.Expression{}}
	files, err := filepath.Glob(filepath.Join(dir, "*.tf"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no .tf files", dir)
	}
	parser := hclparse.NewParser()
	for _, name := range files {
		file, diags := parser.ParseHCLFile(name)
		if diags.HasErrors() {
			return nil, diags
		}
		m.Blocks = append(m.Blocks, file.Body.(*hclsyntax.Body).Blocks...)
		for _, block := range file.Body.(*hclsyntax.Body).Blocks {
			if err := m.add(block, file.Bytes); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(m.Variables, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(m.Outputs, func(a, b Output) int { return strings.Compare(a.Name, b.Name) })
	return m, nil
}

func (m *Module) add(block *hclsyntax.Block, source []byte) error {
	attributes := block.Body.Attributes
	switch block.Type {
	case "locals":
		for name, a := range attributes {
			m.locals[name] = a.Expr
		}
	case "variable":
		v, err := variable(block, source)
		if err != nil {
			return fmt.Errorf("variable %s: %w", block.Labels[0], err)
		}
		m.Variables = append(m.Variables, v)
	case "output":
		m.Outputs = append(m.Outputs, Output{Name: block.Labels[0], Description: literal(attributes["description"]), value: attributes["value"].Expr})
	}
	return nil
}

func variable(block *hclsyntax.Block, source []byte) (Variable, error) {
	attributes := block.Body.Attributes
	v := Variable{Name: block.Labels[0], Description: literal(attributes["description"])}
	if a := attributes["type"]; a != nil {
		v.Type = oneLine(a, source)
		var diags hcl.Diagnostics
		if v.constraint, v.optional, diags = typeexpr.TypeConstraintWithDefaults(a.Expr); diags.HasErrors() {
			return v, diags
		}
	}
	if a := attributes["default"]; a != nil {
		v.Default = oneLine(a, source)
		var diags hcl.Diagnostics
		if v.value, diags = a.Expr.Value(nil); diags.HasErrors() {
			return v, diags
		}
	}
	for _, b := range block.Body.Blocks {
		v.validations = append(v.validations, validation{b.Body.Attributes["condition"].Expr, b.Body.Attributes["error_message"].Expr})
	}
	return v, nil
}

// literal is a text that is written out, "" without one.
func literal(a *hclsyntax.Attribute) (text string) {
	if a != nil {
		_ = gohcl.DecodeExpression(a.Expr, nil, &text)
	}
	return text
}

// oneLine is an expression as it is written, on one line: parts that are on lines of
// their own are parted by commas.
func oneLine(a *hclsyntax.Attribute, source []byte) string {
	var text strings.Builder
	lines := strings.Split(string(hclwrite.Format(a.Expr.Range().SliceBytes(source))), "\n")
	for i, line := range lines {
		line = strings.Join(strings.Fields(line), " ")
		text.WriteString(line)
		if i == len(lines)-1 {
			break
		}
		next := strings.TrimSpace(lines[i+1])
		if !strings.HasSuffix(line, "{") && !strings.HasSuffix(line, "(") && !strings.HasSuffix(line, ",") && !strings.HasPrefix(next, "}") {
			text.WriteString(",")
		}
		text.WriteString(" ")
	}
	return text.String()
}
