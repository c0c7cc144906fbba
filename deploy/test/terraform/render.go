package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Root is the module's folder.
const Root = "../../../terraform"

const (
	planDir = "modules/plan"
	// exampleInputs are what modules/plan is rendered for, in Terraform's own form.
	exampleInputs = planDir + "/tests/rendered.tfvars.json"
	rendered      = planDir + "/tests/rendered.json"
)

// Inputs reads a .tfvars.json file.
func Inputs(file string) (map[string]cty.Value, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t, err := ctyjson.ImpliedType(data)
	if err != nil {
		return nil, err
	}
	value, err := ctyjson.Unmarshal(data, t)
	if err != nil {
		return nil, err
	}
	return value.AsValueMap(), nil
}

// Rendered is what modules/plan puts out for its example, as JSON. Texts that are
// JSON themselves are written as such, for people to read.
func Rendered(root string) ([]byte, error) {
	m, err := Load(filepath.Join(root, planDir))
	if err != nil {
		return nil, err
	}
	inputs, err := Inputs(filepath.Join(root, exampleInputs))
	if err != nil {
		return nil, err
	}
	outputs, err := m.Plan(inputs)
	if err != nil {
		return nil, err
	}
	data, err := ctyjson.Marshal(cty.ObjectVal(outputs), cty.DynamicPseudoType)
	if err != nil {
		return nil, err
	}
	var wrapped struct{ Value any }
	if err := json.Unmarshal(data, &wrapped); err != nil {
		return nil, err
	}
	return readable(wrapped.Value)
}

func readable(value any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(opened(value))
	return out.Bytes(), err
}

// opened is a value with the JSON in its texts in place of them.
func opened(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = opened(v[key])
		}
	case []any:
		for i := range v {
			v[i] = opened(v[i])
		}
	case string:
		var inner map[string]any
		if strings.HasPrefix(v, "{") && json.Unmarshal([]byte(v), &inner) == nil {
			return inner
		}
	}
	return value
}

// Files are all that is generated: what is to be in them, by path below root.
func Files(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	var err error
	if files[rendered], err = Rendered(root); err != nil {
		return nil, err
	}
	submodules, err := filepath.Glob(filepath.Join(root, "modules", "*"))
	if err != nil {
		return nil, err
	}
	page, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		return nil, err
	}
	m, err := Load(root)
	if err != nil {
		return nil, err
	}
	if page, err = replace(page, "inputs", inputTable(m)); err != nil {
		return nil, err
	}
	if page, err = replace(page, "outputs", outputTable(m)); err != nil {
		return nil, err
	}
	files["README.md"] = page
	for _, dir := range submodules {
		m, err := Load(dir)
		if err != nil {
			return nil, err
		}
		name := filepath.Base(dir)
		files[filepath.Join("modules", name, "README.md")] = fmt.Appendf(nil, "# %s\n\n%s\n\n%s\n%s", name,
			"<!-- Written by go generate in deploy/test from the descriptions: change those. -->", inputTable(m), outputTable(m))
	}
	return files, nil
}

// replace puts a text between the marks of a section of the page.
func replace(page []byte, section, text string) ([]byte, error) {
	begin, end := "<!-- "+section+": written by go generate in deploy/test -->\n", "<!-- end of "+section+" -->\n"
	before, rest, found := strings.Cut(string(page), begin)
	_, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return nil, fmt.Errorf("README.md has no section between %q and %q", begin, end)
	}
	return []byte(before + begin + text + end + after), nil
}

func inputTable(m *Module) string {
	var out strings.Builder
	out.WriteString("| input | type | default | what it is |\n|---|---|---|---|\n")
	for _, v := range m.Variables {
		standard := "required"
		if v.Default != "" {
			standard = code(v.Default)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", v.Name, code(v.Type), standard, cell(v.Description))
	}
	return out.String()
}

func outputTable(m *Module) string {
	var out strings.Builder
	out.WriteString("| output | what it is |\n|---|---|\n")
	for _, o := range m.Outputs {
		fmt.Fprintf(&out, "| `%s` | %s |\n", o.Name, cell(o.Description))
	}
	return out.String()
}

func code(text string) string { return "`" + cell(text) + "`" }

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
