package terraform_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/spanlake/spanlake/deploy/test/terraform"
)

// plan is what modules/plan puts out for the example.
type plan struct {
	Arguments       map[string][]string
	SingleArguments []string                   `json:"single_arguments"`
	Settings        map[string]json.RawMessage // by key of the object
	Policies        map[string]struct {
		Statement []struct {
			Sid, Effect      string
			Action, Resource []string
			Condition        map[string]map[string][]string
		}
	}
	Functions map[string]struct {
		Name, ARN                string
		Memory, Timeout, Scratch int
		Environment              map[string]string
	}
	Schedules map[string]struct {
		Name, Every string
		Input       json.RawMessage
	}
}

func rendered(t *testing.T) (p plan) {
	t.Helper()
	data, err := terraform.Rendered(terraform.Root)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &p))
	return p
}

// with are the example's inputs with other ones.
func with(t *testing.T, others map[string]cty.Value) map[string]cty.Value {
	t.Helper()
	inputs, err := terraform.Inputs(filepath.Join(terraform.Root, "modules/plan/tests/rendered.tfvars.json"))
	require.NoError(t, err)
	maps.Copy(inputs, others)
	return inputs
}

func outputs(t *testing.T, others map[string]cty.Value) (map[string]cty.Value, error) {
	t.Helper()
	m, err := terraform.Load(filepath.Join(terraform.Root, "modules/plan"))
	require.NoError(t, err)
	return m.Plan(with(t, others))
}

// Each role may do what is listed here, and each of it on something that is named.
func TestPolicies(t *testing.T) {
	lists, reads := "s3:ListBucket", "s3:GetObject"
	writes := []string{"s3:PutObject", "s3:AbortMultipartUpload"}
	of := func(parts ...[]string) []string { return slices.Sorted(slices.Values(slices.Concat(parts...))) }
	common := []string{lists, reads, "kms:GenerateDataKey", "kms:Decrypt"}
	logs := []string{"logs:CreateLogStream", "logs:PutLogEvents"}
	secret := []string{"secretsmanager:GetSecretValue"}
	function := append(logs, secret...)
	compacts := []string{"s3:DeleteObject", "s3:ListBucketVersions", "s3:DeleteObjectVersion", "s3:GetLifecycleConfiguration"}
	removes := []string{"s3:DeleteObject"}
	want := map[string][]string{
		"ingest":           of(common, function, writes),
		"flush":            of(common, function, writes, removes),
		"compact":          of(common, function, writes, compacts),
		"query":            of(common, function, []string{"lambda:InvokeFunction"}),
		"ingester":         of(common, writes, removes, secret),
		"querier":          of(common, writes, removes, secret),
		"compactor":        of(common, writes, compacts, secret),
		"single":           of(common, writes, compacts, []string{reads}),
		"operator":         of(common, writes, removes),
		"schedule-flush":   {"lambda:InvokeFunction"},
		"schedule-compact": {"lambda:InvokeFunction"},
		"execution":        logs,
	}
	p := rendered(t)
	have := map[string][]string{}
	for role, policy := range p.Policies {
		for _, s := range policy.Statement {
			require.Equal(t, "Allow", s.Effect, role)
			require.NotEmpty(t, s.Resource, "%s of %s", s.Sid, role)
			have[role] = append(have[role], s.Action...)
			for _, r := range s.Resource {
				require.Regexp(t, `^arn:aws:(s3:::(traces|releases)|(lambda|logs|kms|secretsmanager):eu-west-1:123456789012:)`, r, "%s of %s", s.Sid, role)
				require.NotRegexp(t, `^arn:aws:s3:::[^/]*\*|^arn:aws:s3:::traces/\*|:\*:|:function:.*\*`, r, "%s of %s", s.Sid, role)
			}
			if slices.ContainsFunc(s.Action, func(a string) bool { return strings.HasPrefix(a, "s3:List") }) {
				require.NotEmpty(t, s.Condition, "%s of %s lists all", s.Sid, role)
			}
			for _, values := range s.Condition {
				require.NotContains(t, values["s3:prefix"], "spans/*", role)
				require.NotContains(t, values["s3:prefix"], "*", role)
			}
		}
		slices.Sort(have[role])
	}
	require.Equal(t, want, have)

	for name, s := range p.Schedules {
		require.Equal(t, []string{p.Functions[name].ARN}, p.Policies["schedule-"+name].Statement[0].Resource)
		require.JSONEq(t, `{"task":"`+name+`"}`, string(s.Input))
	}
	for _, s := range p.Policies["query"].Statement {
		if s.Sid == "FanOut" {
			require.Equal(t, []string{p.Functions["query"].ARN}, s.Resource)
		}
	}
}

// The rule for names is the server's, and so is that for aliases.
func TestNames(t *testing.T) {
	for _, name := range []string{
		"a", "0", "shop", "a.b_c-d", "a..b", strings.Repeat("a", 63), strings.Repeat("a", 64),
		"A", "-a", ".a", "_a", "a b", "ä", "a/b", "a|b", "a\n",
	} {
		_, refused := outputs(t, map[string]cty.Value{"projects": cty.ObjectVal(map[string]cty.Value{name: cty.EmptyObjectVal})})
		out, err := spanlake(t, "project", "create", "-data-dir", t.TempDir(), "--", name)
		require.Equal(t, err != nil, refused != nil, "%q: %v, and the program says %s", name, refused, out)
	}
	for _, alias := range []string{
		"A", "The Shop", "Größe", "a b", "shop", "", " A", "A ", "A|B", "A\tB", "A\u00a0B", "A\u200bB",
		strings.Repeat("A", 128), strings.Repeat("A", 129), strings.Repeat("Ä", 64), strings.Repeat("Ä", 65),
	} {
		project := cty.ObjectVal(map[string]cty.Value{"aliases": cty.ListVal([]cty.Value{cty.StringVal(alias)})})
		_, refused := outputs(t, map[string]cty.Value{"projects": cty.ObjectVal(map[string]cty.Value{"web": project})})
		dir := t.TempDir()
		_, err := spanlake(t, "project", "create", "-data-dir", dir, "web")
		require.NoError(t, err)
		out, err := spanlake(t, "project", "set-aliases", "-data-dir", dir, "web", alias)
		require.Equal(t, err != nil, refused != nil, "%q: %v, and the program says %s", alias, refused, out)
	}
}

// The settings that are written are those that the server reads, and it leaves them
// to Terraform: nothing changes them, and keys are made beside them.
func TestSettings(t *testing.T) {
	bucket := t.TempDir()
	for key, content := range rendered(t).Settings {
		file := filepath.Join(bucket, strings.TrimPrefix(key, "spans/"))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, content, 0o644))
	}
	url := "file://" + bucket
	for name, want := range map[string][]string{
		"shop": {"90d", "terraform"},
		"web":  {"7d", "30d", "{ status = error }", "The Web", "10737418240", "our-model", "terraform"},
		"rest": {"terraform"},
	} {
		out, err := spanlake(t, "project", "show", "-bucket", url, "-output", "json", name)
		require.NoError(t, err, out)
		for _, part := range want {
			require.Contains(t, out, part, name)
		}
		out, err = spanlake(t, "project", "set-retention", "-bucket", url, name, "3d")
		require.Error(t, err)
		require.Contains(t, strings.ToLower(out), "terraform")
		out, err = spanlake(t, "project", "create", "-bucket", url, name)
		require.Error(t, err)
		require.Contains(t, out, "exists")
		out, err = spanlake(t, "project", "add-key", "-bucket", url, "-scopes", "query", name)
		require.NoError(t, err, out)
	}
}
