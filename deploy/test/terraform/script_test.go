package terraform_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/spanlake/spanlake/deploy/test/terraform"
)

// template renders a file of the module as templatefile does.
func template(t *testing.T, file string, variables map[string]cty.Value) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(terraform.Root, file))
	require.NoError(t, err)
	parsed, diags := hclsyntax.ParseTemplate(source, file, hcl.InitialPos)
	require.False(t, diags.HasErrors(), diags)
	value, diags := parsed.Value(&hcl.EvalContext{Variables: variables, Functions: terraform.Functions()})
	require.False(t, diags.HasErrors(), diags)
	return value.AsString()
}

func texts(list ...string) cty.Value {
	values := make([]cty.Value, len(list))
	for i, text := range list {
		values[i] = cty.StringVal(text)
	}
	return cty.TupleVal(values)
}

func natsConfig(t *testing.T, address string, routes ...string) string {
	t.Helper()
	return template(t, "modules/nats/nats.conf.tftpl", map[string]cty.Value{
		"server": cty.StringVal("spanlake-nats-0"), "cluster": cty.StringVal("spanlake"), "address": cty.StringVal(address),
		"routes": texts(routes...), "store": cty.StringVal("18GiB"),
	})
}

// NATS itself takes the file, alone and in a cluster, and says that it syncs every
// write.
func TestNATSConfig(t *testing.T) {
	for _, routes := range [][]string{nil, {"nats://10.61.1.10:6222", "nats://10.61.2.10:6222"}} {
		config := natsConfig(t, "10.61.0.10", routes...)
		require.Contains(t, config, "sync_interval: always")
		file := filepath.Join(t.TempDir(), "nats.conf")
		require.NoError(t, os.WriteFile(file, []byte(config), 0o600))
		out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "nats-server"), "-t", "-c", file).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// The scripts of instances are ones that a shell reads.
func TestScripts(t *testing.T) {
	common := map[string]cty.Value{
		"region": cty.StringVal("eu-west-1"), "volume": cty.StringVal("vol-0123456789abcdef0"), "interface": cty.StringVal("eni-0123456789abcdef0"),
		"address": cty.StringVal("10.61.0.10"), "url": cty.StringVal("https://example.com/a.tar.gz"), "sha256": cty.StringVal(strings.Repeat("0", 64)),
		"config": cty.StringVal(natsConfig(t, "10.61.0.10", "nats://10.61.1.10:6222")), "memory_limit": cty.StringVal("1600MiB"),
		"arguments": texts("serve", `-querier.timeout=1m`, `-auth.mode=keys`, `-bucket=s3://traces/a?region=eu-west-1`),
	}
	node := template(t, "modules/nats/node.sh.tftpl", common)
	instance := template(t, "modules/single/instance.sh.tftpl", common)
	require.Contains(t, instance, "curl -fsSL")
	require.NotContains(t, instance, "aws s3 cp")
	common["url"] = cty.StringVal("s3://releases/a.tar.gz")
	fromS3 := template(t, "modules/single/instance.sh.tftpl", common)
	require.Contains(t, fromS3, "aws s3 cp")
	require.NotContains(t, fromS3, "curl -fsSL")
	for _, script := range []string{node, instance, fromS3} {
		require.Less(t, len(script), 16<<10, "user data has room for no more")
		cmd := exec.CommandContext(t.Context(), "bash", "-n")
		cmd.Stdin = strings.NewReader(script)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}

	start := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/spanlake (.*)$`).FindStringSubmatch(instance)
	require.NotNil(t, start)
	require.Equal(t, `"serve" "-querier.timeout=1m" "-auth.mode=keys" "-bucket=s3://traces/a?region=eu-west-1"`, start[1])

	// systemd takes % and $ for its own.
	common["arguments"] = texts("serve", `-a=50%$"\`)
	require.Contains(t, template(t, "modules/single/instance.sh.tftpl", common), `"-a=50%%$$\"\\"`)
}
