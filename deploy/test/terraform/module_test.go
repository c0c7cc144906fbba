package terraform_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/deploy/test/terraform"
)

// modules are all folders with .tf files, by path below terraform/.
func modules(t *testing.T) map[string]*terraform.Module {
	t.Helper()
	loaded := map[string]*terraform.Module{}
	for _, pattern := range []string{"", "modules/*", "examples/*"} {
		dirs, err := filepath.Glob(filepath.Join(terraform.Root, pattern))
		require.NoError(t, err)
		for _, dir := range dirs {
			m, err := terraform.Load(dir)
			require.NoError(t, err)
			name, err := filepath.Rel(terraform.Root, dir)
			require.NoError(t, err)
			loaded[filepath.ToSlash(name)] = m
		}
	}
	return loaded
}

func TestDescriptions(t *testing.T) {
	all := modules(t)
	require.Len(t, all, 12)
	for name, m := range all {
		for _, v := range m.Variables {
			require.NotEmpty(t, v.Description, "variable %s of %s", v.Name, name)
			require.NotEmpty(t, v.Type, "variable %s of %s", v.Name, name)
		}
		for _, o := range m.Outputs {
			require.NotEmpty(t, o.Description, "output %s of %s", o.Name, name)
		}
	}
}

// What is in the repository is what would be written now.
func TestGenerated(t *testing.T) {
	files, err := terraform.Files(terraform.Root)
	require.NoError(t, err)
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join(terraform.Root, name))
		require.NoError(t, err)
		require.Equal(t, string(want), string(have), "%s is out of date: go generate ./terraform in deploy/test", name)
	}
}

func TestRequiredInputs(t *testing.T) {
	var required []string
	for _, v := range modules(t)["."].Variables {
		if v.Default == "" {
			required = append(required, v.Name)
		}
	}
	require.Equal(t, []string{"projects", "release"}, required)
}

// Examples have the provider, modules have none, and modules/plan needs none. Nobody
// needs another one than AWS'.
func TestProviders(t *testing.T) {
	for name, m := range modules(t) {
		providers, versions := 0, 0
		for _, b := range m.Blocks {
			switch b.Type {
			case "provider":
				providers++
			case "terraform":
				versions++
				require.Contains(t, b.Body.Attributes, "required_version", name)
				for _, inner := range b.Body.Blocks {
					require.Equal(t, "required_providers", inner.Type)
					require.NotEqual(t, "modules/plan", name)
					for provider := range inner.Body.Attributes {
						require.Equal(t, "aws", provider, name)
					}
				}
			case "resource", "data":
				require.NotEqual(t, "modules/plan", name)
				require.Regexp(t, "^aws_", b.Labels[0], name)
			}
		}
		want := 0
		if filepath.Dir(name) == "examples" {
			want = 1
		}
		require.Equal(t, want, providers, name)
		require.Equal(t, 1, versions, name)
	}
}

// Things that have names have them as keys: count would make anew what follows one
// that is taken out.
func TestForEach(t *testing.T) {
	for name, m := range modules(t) {
		for _, b := range m.Blocks {
			if slices.Contains([]string{"resource", "data", "module"}, b.Type) {
				require.NotContains(t, b.Body.Attributes, "count", "%s %v of %s", b.Type, b.Labels, name)
			}
		}
	}
}

// No policy that is written out beside modules/plan is for everything.
func TestNoWildcardInModules(t *testing.T) {
	found := 0
	for name, m := range modules(t) {
		for _, b := range m.Blocks {
			_ = hclsyntax.VisitAll(b.Body, func(node hclsyntax.Node) hcl.Diagnostics {
				object, is := node.(*hclsyntax.ObjectConsExpr)
				if !is {
					return nil
				}
				for _, item := range object.Items {
					key, _ := item.KeyExpr.Value(nil)
					if key.IsNull() || !key.IsKnown() || key.AsString() != "Resource" {
						continue
					}
					found++
					_ = hclsyntax.VisitAll(item.ValueExpr, func(node hclsyntax.Node) hcl.Diagnostics {
						if text, is := node.(*hclsyntax.LiteralValueExpr); is {
							require.NotEqual(t, "*", text.Val.AsString(), name)
						}
						return nil
					})
				}
				return nil
			})
		}
	}
	require.Greater(t, found, 10)
}
