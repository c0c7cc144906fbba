package test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// program is the path of the program, built from this tree.
var program string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "spanlake-helm-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		program = filepath.Join(dir, "spanlake")
		build := exec.CommandContext(context.Background(), "go", "build", "-o", program, "./cmd/spanlake")
		build.Dir = "../.."
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build spanlake: %v\n%s", err, out)
			return 1
		}
		return m.Run()
	}())
}

// argument is the value of a flag of the container, empty without it.
func argument(c corev1.Container, flag string) string {
	for _, a := range c.Args {
		if value, found := strings.CutPrefix(a, "-"+flag+"="); found {
			return value
		}
	}
	return ""
}

func variable(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name {
			return e.Value
		}
	}
	return ""
}

// here returns the arguments of a container for this machine: with the file of
// the ConfigMap, and what else is given instead of the chart's.
func here(t *testing.T, o objects, c corev1.Container, instead map[string]string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "spanlake.yaml")
	require.NoError(t, os.WriteFile(file, []byte(o.configMaps[0].Data["spanlake.yaml"]), 0o600))
	mounted := "/etc/spanlake/" + filepath.Base(file)
	require.Equal(t, mounted, argument(c, "config.file"))
	args := []string{"-config.file=" + file}
	for _, a := range c.Args[2:] {
		flag, _, _ := strings.Cut(strings.TrimPrefix(a, "-"), "=")
		if value, found := instead[flag]; found {
			a = "-" + flag + "=" + value
		}
		args = append(args, a)
	}
	require.Equal(t, "serve", c.Args[0])
	require.Equal(t, "-config.file="+mounted, c.Args[1])
	return args
}

// Every flag and key is one that the program takes, with a value that it takes.
func TestArguments(t *testing.T) {
	for name, values := range variants(t) {
		o := decode(t, values)
		for target, pod := range o.pods() {
			t.Run(name+", "+target, func(t *testing.T) {
				args := append([]string{"config"}, here(t, o, pod.Spec.Containers[0], nil)...)
				out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
				require.NoError(t, err, "%s", out)
				require.Contains(t, string(out), "target: "+target)
			})
		}
	}

	o := decode(t, "config: {ingester: {cut_aeg: 30s}}")
	args := append([]string{"config"}, here(t, o, o.pods()["all"].Spec.Containers[0], nil)...)
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "unknown key ingester.cut_aeg")
}

// Every container is started as the chart says, on other ports and folders, and
// its probes are sent. Those of a cluster miss their NATS server: they must
// live, and be not ready.
func TestProbes(t *testing.T) {
	for name, values := range map[string]string{"single": "{}", "cluster": cluster} {
		o := decode(t, values)
		for target, pod := range o.pods() {
			t.Run(name+", "+target, func(t *testing.T) {
				c := pod.Spec.Containers[0]
				dir := t.TempDir()
				api := freeAddr(t)
				args := append([]string{"serve"}, here(t, o, c, map[string]string{
					"data-dir": dir, "bucket": "file://" + dir, "compactor.spool-dir": dir,
					"nats.url": "nats://127.0.0.1:1", "nats.monitor-urls": "http://127.0.0.1:1",
					"api.addr": api, "otlp.grpc-addr": "127.0.0.1:0", "otlp.http-addr": "127.0.0.1:0",
				})...)
				start(t, args)

				for _, probe := range []*corev1.Probe{c.StartupProbe, c.LivenessProbe} {
					require.Equal(t, "api", probe.TCPSocket.Port.StrVal)
				}
				require.Eventually(t, func() bool {
					conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", api)
					if err == nil {
						_ = conn.Close()
					}
					return err == nil
				}, time.Minute, 20*time.Millisecond)

				require.Equal(t, "api", c.ReadinessProbe.HTTPGet.Port.StrVal)
				want := http.StatusOK
				if target != "all" {
					want = http.StatusServiceUnavailable
				}
				url := "http://" + api + c.ReadinessProbe.HTTPGet.Path
				require.Eventually(t, func() bool { return status(t, url) == want }, time.Minute, 20*time.Millisecond)
				require.Equal(t, http.StatusNotFound, status(t, url+"-not"))
			})
		}
	}
}

// A monitor's path exists, and takes a key.
func TestMetricsPath(t *testing.T) {
	o := decode(t, "serviceMonitor: {enabled: true, key: {existingSecret: a}}")
	api := freeAddr(t)
	dir := t.TempDir()
	start(t, append([]string{"serve"}, here(t, o, o.pods()["all"].Spec.Containers[0], map[string]string{
		"data-dir": dir, "compactor.spool-dir": dir,
		"api.addr": api, "otlp.grpc-addr": "127.0.0.1:0", "otlp.http-addr": "127.0.0.1:0",
	})...))
	url := "http://" + api + o.monitors[0].Spec.Endpoints[0].Path
	require.Eventually(t, func() bool { return status(t, url) == http.StatusUnauthorized }, time.Minute, 20*time.Millisecond)
}

func start(t *testing.T, args []string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...) // whose end kills it
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
}

// status is the status of GET, 0 while there is no answer.
func status(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}
