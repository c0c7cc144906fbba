package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// project is the compose file as docker compose reads it: against its schema.
func project(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../compose/compose.yaml"})
	require.NoError(t, err)
	p, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return p
}

// Images are pinned, what is mounted exists, and a port is published to this
// machine only, since nothing asks for keys.
func TestCompose(t *testing.T) {
	p := project(t)
	require.Equal(t, []string{"collector", "example", "grafana", "prometheus", "spanlake"}, slices.Sorted(slices.Values(p.ServiceNames())))
	for _, s := range p.Services {
		require.Regexp(t, `:[\w.]+$`, s.Image)
		require.False(t, strings.HasSuffix(s.Image, ":latest"), s.Image)
		for _, v := range s.Volumes {
			switch v.Type {
			case types.VolumeTypeBind:
				_, err := os.Stat(v.Source)
				require.NoError(t, err)
			case types.VolumeTypeVolume:
				require.Contains(t, p.Volumes, v.Source)
			default:
				require.Fail(t, "unknown volume", v.Type)
			}
		}
		for _, port := range s.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, s.Name)
		}
	}
	require.FileExists(t, filepath.Join(p.Services["spanlake"].Build.Context, "Dockerfile"))

	// What Grafana's provisioning takes from the environment is there.
	sources, err := os.ReadFile("../grafana/datasources.yaml")
	require.NoError(t, err)
	for _, name := range []string{"SPANLAKE_URL", "SPANLAKE_PROJECT"} {
		require.Contains(t, string(sources), "$"+name)
		require.NotEmpty(t, p.Services["grafana"].Environment[name])
	}
}

func TestComposeArguments(t *testing.T) {
	s := project(t).Services["spanlake"]
	require.Equal(t, "serve", s.Command[0])
	out, err := exec.CommandContext(t.Context(), program, append([]string{"config"}, s.Command[1:]...)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "addr: 0.0.0.0:3200")
}

// The Collector's file: every part of a pipeline is defined, every part that is
// defined is used, and what it sends to is spanlake.
func TestCollector(t *testing.T) {
	text, err := os.ReadFile("../compose/collector.yaml")
	require.NoError(t, err)
	var c struct {
		Receivers  map[string]any `json:"receivers"`
		Processors map[string]any `json:"processors"`
		Exporters  map[string]struct {
			Endpoint       string         `json:"endpoint"`
			TLS            map[string]any `json:"tls"`
			Compression    string         `json:"compression"`
			SendingQueue   map[string]any `json:"sending_queue"`
			RetryOnFailure map[string]any `json:"retry_on_failure"`
		} `json:"exporters"`
		Service struct {
			Pipelines map[string]struct {
				Receivers, Processors, Exporters []string
			} `json:"pipelines"`
		} `json:"service"`
	}
	require.NoError(t, yaml.UnmarshalStrict(text, &c))
	traces := c.Service.Pipelines["traces"]
	require.ElementsMatch(t, keys(c.Receivers), traces.Receivers)
	require.ElementsMatch(t, keys(c.Processors), traces.Processors)
	require.ElementsMatch(t, keys(c.Exporters), traces.Exporters)
	require.Equal(t, "spanlake:4317", c.Exporters["otlp/spanlake"].Endpoint)
	require.Contains(t, project(t).Services["spanlake"].Command, "-otlp.grpc-addr=0.0.0.0:4317")
}

func keys[V any](m map[string]V) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	return names
}
