package app_test

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
)

var rewrite = flag.Bool("rewrite", false, "write what the test would compare")

const docsFile = "../../docs/configuration.md"

const docsIntro = `# Configuration

<!-- Written by go generate ./internal/app from the flags' own texts: change those. -->

spanlake runs without any configuration. What is to differ from the defaults is set by flags, or by a YAML file that ` + "`-config.file`" + `
names. A flag wins over the file, the file over the default. An unknown key is an error.

` + "```yaml" + `
# spanlake.yaml
data_dir: /var/lib/spanlake
otlp:
  grpc_addr: 0.0.0.0:4317
  http_addr: 0.0.0.0:4318
auth:
  mode: keys
retention:
  default: 30d
ingester:
  cut_age: 30s
nats:
  credentials_file: ${CREDENTIALS_DIRECTORY}/nats.creds
` + "```" + `

* ` + "`${NAME}`" + ` in a value of the file is replaced by the environment variable NAME, which must be set. ` + "`$${NAME}`" + ` stands for
  ` + "`${NAME}`" + ` itself. Flags are taken as they are: the shell expands them.
* Durations have units: ` + "`300ms`, `30s`, `1h30m`" + `. Sizes too: ` + "`900KiB`, `64MiB`, `1GiB`" + `; a number without one is bytes.
* ` + "`spanlake config -config.file spanlake.yaml`" + ` tells everything that is wrong with a file, or prints what would be used: every key, those
  that were set with the line or flag they come from, secrets masked.
* Lists are one text with commas: ` + "`http://a:8222,http://b:8222`" + `.

| flag | YAML key | default | what it does |
|---|---|---|---|
`

const docsBucket = `
## The bucket on S3

` + "`-bucket 's3://name/prefix?parameters'`" + ` stores blocks on Amazon S3, or on a server that speaks its protocol. The prefix may be left out. Quote it
for the shell. All parameters are optional:

| parameter | default | what it is |
|---|---|---|
| ` + "`endpoint`" + ` | AWS | URL of the server, such as ` + "`http://127.0.0.1:7070`" + `; ` + "`AWS_ENDPOINT_URL_S3`" + ` does the same |
| ` + "`region`" + ` | ` + "`AWS_REGION`" + ` or the profile's; ` + "`us-east-1`" + ` with an endpoint | region of the bucket |
| ` + "`path_style`" + ` | ` + "`true`" + ` with an endpoint, else ` + "`false`" + ` | whether the name of the bucket is in the path of a URL or in its host |
| ` + "`checksum`" + ` | ` + "`when_supported`" + `, or as ` + "`AWS_REQUEST_CHECKSUM_CALCULATION`" + ` says | ` + "`when_required`" + ` is for servers that reject checksums they do not know |

Credentials are not part of the URL. They come from where the AWS tools take them: ` + "`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`" + `, the shared
files and ` + "`AWS_PROFILE`" + `, a web identity (IRSA), the role of a container or an instance. What they must permit: [operations.md](operations.md).
`

// TestConfigurationDocs fails when docs/configuration.md is not what the flags
// say. With -rewrite it writes the page.
func TestConfigurationDocs(t *testing.T) {
	want := docsIntro + docsTable(t) + docsBucket
	if *rewrite {
		require.NoError(t, os.WriteFile(docsFile, []byte(want), 0o644))
	}
	have, err := os.ReadFile(docsFile)
	require.NoError(t, err)
	require.Equal(t, want, string(have), "run go generate ./internal/app")
}

// docsTable pairs flags and YAML keys by the variable that both set, and so
// finds a key without a flag and a flag without a key.
func docsTable(t *testing.T) string {
	t.Helper()
	var cfg app.Config
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	cfg.RegisterFlags(fs)
	flags := make(map[uintptr]*flag.Flag)
	fs.VisitAll(func(f *flag.Flag) { flags[variable(f)] = f })

	var table strings.Builder
	row := func(f *flag.Flag, key string) {
		_, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", code("-"+f.Name), code(key), code(f.DefValue), usage)
	}
	file := fs.Lookup("config.file")
	row(file, "")
	delete(flags, variable(file))
	walkKeys(reflect.ValueOf(&cfg).Elem(), "", func(key string, field reflect.Value) {
		f := flags[field.Addr().Pointer()]
		require.NotNil(t, f, "key %s has no flag", key)
		require.Equal(t, strings.ReplaceAll(key, "_", "-"), f.Name)
		row(f, key)
		delete(flags, field.Addr().Pointer())
	})
	for _, f := range flags {
		require.Fail(t, "flag without a key", f.Name)
	}
	return table.String()
}

// variable is the address of what a flag sets. A flag.TextVar holds it as an
// interface.
func variable(f *flag.Flag) uintptr {
	v := reflect.ValueOf(f.Value)
	if v.Kind() == reflect.Struct {
		return v.Field(0).Elem().Pointer()
	}
	return v.Pointer()
}

func walkKeys(v reflect.Value, prefix string, visit func(key string, field reflect.Value)) {
	for i := range v.NumField() {
		name := v.Type().Field(i).Tag.Get("yaml")
		switch {
		case name == "-":
		case v.Field(i).Kind() == reflect.Struct:
			walkKeys(v.Field(i), prefix+name+".", visit)
		default:
			visit(prefix+name, v.Field(i))
		}
	}
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}
