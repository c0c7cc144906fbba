package main

import (
	"encoding/json"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
)

// dockerfile returns the arguments of the instructions by their names, without
// comments and with continued lines joined.
func dockerfile(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("../../Dockerfile")
	require.NoError(t, err)
	instructions := map[string][]string{}
	text := regexp.MustCompile(`(?m)^\s*#.*\n`).ReplaceAllString(string(data), "")
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		if name, arguments, found := strings.Cut(strings.TrimSpace(line), " "); found {
			instructions[name] = append(instructions[name], arguments)
		}
	}
	return instructions
}

// list is an instruction in its JSON form, of which there is one.
func list(t *testing.T, of []string) (items []string) {
	t.Helper()
	require.Len(t, of, 1)
	require.NoError(t, json.Unmarshal([]byte(of[0]), &items))
	return items
}

// The image cannot be built in every pipeline, so what it says is compared with
// the code.
func TestDockerfile(t *testing.T) {
	d := dockerfile(t)
	mod, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)
	require.NotNil(t, version)
	require.Contains(t, d["ARG"], "GO_IMAGE=golang:"+string(version[1]))

	binary := list(t, d["ENTRYPOINT"])
	require.True(t, slices.ContainsFunc(d["COPY"], func(c string) bool { return strings.HasSuffix(c, "/spanlake "+binary[0]) }))

	command := list(t, d["CMD"])
	require.Equal(t, "serve", command[0])
	cfg, err := app.Load(command[1:], noVariables)
	require.NoError(t, err)
	require.NoError(t, cfg.Validate())
	require.Equal(t, []string{cfg.DataDir}, d["VOLUME"])
	require.Equal(t, []string{"/src", cfg.DataDir}, d["WORKDIR"])
	require.Less(t, cfg.Shutdown.Timeout, 10*time.Second, "what docker stop waits")

	defaults, err := app.Load(nil, noVariables)
	require.NoError(t, err)
	var ports []string
	for set, byDefault := range map[string]string{cfg.API.Addr: defaults.API.Addr, cfg.OTLP.GRPCAddr: defaults.OTLP.GRPCAddr, cfg.OTLP.HTTPAddr: defaults.OTLP.HTTPAddr} {
		host, port, err := net.SplitHostPort(set)
		require.NoError(t, err)
		require.Equal(t, "0.0.0.0", host)
		_, want, err := net.SplitHostPort(byDefault)
		require.NoError(t, err)
		require.Equal(t, want, port)
		ports = append(ports, port)
	}
	slices.Sort(ports)
	require.Equal(t, []string{strings.Join(ports, " ")}, d["EXPOSE"])

	user, _, _ := strings.Cut(d["USER"][0], ":")
	require.Regexp(t, `^[1-9]\d+$`, user, "not root, and a number, which Kubernetes can check")
	require.True(t, slices.ContainsFunc(d["COPY"], func(c string) bool {
		return strings.Contains(c, "--chown="+d["USER"][0]) && strings.HasSuffix(c, " "+cfg.DataDir)
	}), "the data folder is the user's")
}

func noVariables(string) (string, bool) { return "", false }
