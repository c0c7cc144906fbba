package e2e_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// program is the built command, made when a test first needs it.
var program struct {
	once sync.Once
	dir  string
	path string
	err  error
}

// buildProgram builds the command, with the race detector if the test has it,
// and returns its path.
func buildProgram(t *testing.T) string {
	t.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "spanlake-e2e-"); program.err != nil {
			return
		}
		program.path = filepath.Join(program.dir, "spanlake")
		args := []string{"build", "-buildvcs=false", "-o", program.path}
		if raceDetector {
			args = append(args, "-race")
		}
		var text []byte
		text, program.err = exec.CommandContext(t.Context(), "go", append(args, "../../cmd/spanlake")...).CombinedOutput()
		if program.err != nil {
			program.err = errors.Join(program.err, errors.New(string(text)))
		}
	})
	require.NoError(t, program.err)
	return program.path
}

// process is the built command running a server.
type process struct {
	cmd    *exec.Cmd
	stdout *output
	stderr *output
	exited chan struct{} // closed when it has ended
}

// startProcess starts a server on dir and does not wait for it. It is killed
// with the test at the latest.
func startProcess(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	p := &process{stdout: new(output), stderr: new(output), exited: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), buildProgram(t), append(append(loopback(), "-data-dir="+dir), args...)...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // its outcome is in ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("messages of the server:\n%s", p.stderr)
		}
	})
	return p
}

// ready waits for the lines that say where the server listens.
func (p *process) ready(t *testing.T) endpoints {
	t.Helper()
	lines := regexp.MustCompile(`(?s)OTLP gRPC +(\S+)\n.*OTLP HTTP +http://(\S+)\n.*API +http://(\S+)`)
	var found []string
	eventually(t, func() bool {
		requireRunning(t, p)
		found = lines.FindStringSubmatch(p.stdout.String())
		return found != nil
	})
	return endpoints{grpc: found[1], http: found[2], api: found[3]}
}

// requireRunning fails when the process has ended.
func requireRunning(t *testing.T, p *process) {
	t.Helper()
	select {
	case <-p.exited:
		require.Fail(t, "the server has ended", "%s\n%s", p.cmd.ProcessState, p.stderr)
	default:
	}
}

// kill ends the process without warning and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // unless it has ended by itself
	<-p.exited
}

// terminate asks the process to end and returns its exit code.
func (p *process) terminate(t *testing.T) int {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.exited:
	case <-t.Context().Done():
		require.Fail(t, "the server does not end", p.stderr.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// runProgram runs the command to its end.
func runProgram(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs output
	cmd := exec.CommandContext(t.Context(), buildProgram(t), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); !ended {
		require.NoError(t, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}
