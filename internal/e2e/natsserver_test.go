package e2e_test

import (
	"encoding/binary"
	"encoding/json"
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
)

const natsPackage = "github.com/nats-io/nats-server/v2"

// natsServer is a NATS server in a process of its own, which can be killed and
// run again on the same folder and ports.
type natsServer struct {
	t       *testing.T
	path    string
	env     []string
	config  string
	url     string
	monitor string
	clock   *os.File // what its clock is off; nil: it has the system's
	process *process
}

// newNATS prepares a server that keeps its streams where an embedded one in dir
// would. With clock, step moves its wall clock.
func newNATS(t *testing.T, dir string, clock bool) *natsServer {
	t.Helper()
	client, monitor := freeAddr(t), freeAddr(t)
	s := &natsServer{t: t, config: filepath.Join(t.TempDir(), "nats.conf"), url: "nats://" + client, monitor: "http://" + monitor}
	if clock {
		s.path = buildNATSWithClock(t)
		s.makeClock()
	} else {
		s.path = programs.nats.build(t, "nats-server", natsPackage)
	}
	text := fmt.Sprintf("listen: %q\nhttp: %q\njetstream {\n  store_dir: %q\n  sync_interval: always\n  max_file_store: 10GB\n}\n",
		client, monitor, filepath.Join(dir, "data"))
	require.NoError(t, os.WriteFile(s.config, []byte(text), 0o600))
	return s
}

// buildNATSWithClock builds the same server on a standard library whose
// time.Now adds a step to the wall clock, and leaves the monotonic one alone:
// what a server sees on a machine whose clock is set.
func buildNATSWithClock(t *testing.T) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	library := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	source, err := os.ReadFile(filepath.Join(library, "time.go"))
	require.NoError(t, err)
	const read = "\tsec, nsec, mono := runtimeNow()\n\tif mono == 0 {\n"
	require.Equal(t, 1, strings.Count(string(source), read), "time.Now is not what this test knows")
	patched := strings.Replace(string(source), read, strings.Replace(read, "\tif", "\tsec, nsec = stepped(sec, nsec)\n\tif", 1), 1)

	dir := t.TempDir()
	now, overlay := filepath.Join(dir, "time.go"), filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(now, []byte(patched), 0o600))
	step, err := filepath.Abs(filepath.Join("testdata", "clock", "clock_step.go"))
	require.NoError(t, err)
	text, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(library, "time.go"):       now,
		filepath.Join(library, "clock_step.go"): step,
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, text, 0o600))
	return programs.natsClock.build(t, "nats-server-clock", "-overlay="+overlay, natsPackage)
}

func (s *natsServer) makeClock() {
	path := filepath.Join(s.t.TempDir(), "clock")
	var err error
	s.clock, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, s.clock.Close()) })
	s.step(0)
	s.env = []string{"CLOCK_STEP_FILE=" + path}
}

// step sets what the server's clock is off, also while it runs.
func (s *natsServer) step(off time.Duration) {
	_, err := s.clock.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(off)), 0)
	require.NoError(s.t, err)
}

// admit has only one user admitted from the next run on.
func (s *natsServer) admit(user, password string) {
	s.t.Helper()
	text, err := os.ReadFile(s.config)
	require.NoError(s.t, err)
	before, _, _ := strings.Cut(string(text), "authorization")
	text = fmt.Appendf(nil, "%sauthorization {\n  user: %q\n  password: %q\n}\n", before, user, password)
	require.NoError(s.t, os.WriteFile(s.config, text, 0o600))
}

// run starts the server and returns when it has recovered its streams. Its
// ports may be taken for a moment, by the near end of somebody's connection.
func (s *natsServer) run() {
	s.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var p *process
	eventually(s.t, func() bool {
		if p == nil || s.portTaken(p) {
			p = runProcess(s.t, s.env, s.path, "-c", s.config)
		}
		req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.monitor+"/healthz", http.NoBody)
		require.NoError(s.t, err)
		resp, err := client.Do(req)
		if err != nil {
			return false
		}
		require.NoError(s.t, resp.Body.Close())
		return resp.StatusCode == http.StatusOK
	})
	s.process = p
}

// portTaken reports that the server could not start for that reason.
func (s *natsServer) portTaken(p *process) bool {
	select {
	case <-p.exited:
		require.Contains(s.t, p.stderr.String(), "address already in use")
		return true
	default:
		return false
	}
}

func (s *natsServer) kill() {
	s.process.kill()
	require.NotContains(s.t, s.process.stderr.String(), "panic:")
}

// terminate asks the server to end.
func (s *natsServer) terminate() {
	s.process.terminate(s.t)
	require.NotContains(s.t, s.process.stderr.String(), "panic:")
}

// freeAddr is an address that nobody listens on at the moment.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { require.NoError(t, listener.Close()) }()
	return listener.Addr().String()
}
