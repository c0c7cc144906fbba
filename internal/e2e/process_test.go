package e2e_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// programs are those that were built, each when a test first needs it.
var programs struct {
	once sync.Once
	dir  string
	err  error

	spanlake, nats, natsClock program

	ingest, flush, compact, query program // the functions
}

type program struct {
	once sync.Once
	path string
	err  error
}

// build builds a program with go build and returns its path.
func (p *program) build(t *testing.T, name string, args ...string) string {
	t.Helper()
	programs.once.Do(func() { programs.dir, programs.err = os.MkdirTemp("", "spanlake-e2e-") })
	require.NoError(t, programs.err)
	p.once.Do(func() {
		p.path = filepath.Join(programs.dir, name)
		var text []byte
		text, p.err = exec.CommandContext(t.Context(), "go", append([]string{"build", "-buildvcs=false", "-o", p.path}, args...)...).CombinedOutput()
		if p.err != nil {
			p.err = errors.Join(p.err, errors.New(string(text)))
		}
	})
	require.NoError(t, p.err)
	return p.path
}

// buildProgram builds the command, with the race detector if the test has it,
// and returns its path.
func buildProgram(t *testing.T) string {
	t.Helper()
	var args []string
	if raceDetector {
		args = append(args, "-race")
	}
	return programs.spanlake.build(t, "spanlake", append(args, "../../cmd/spanlake")...)
}

// process is a program that runs.
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
	return runProcess(t, nil, buildProgram(t), append(append(loopback(), "-data-dir="+dir), args...)...)
}

// runProcess starts a program with further environment variables and does not
// wait for it. It is killed with the test at the latest.
func runProcess(t *testing.T, env []string, path string, args ...string) *process {
	t.Helper()
	p := &process{stdout: new(output), stderr: new(output), exited: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait() // its outcome is in ProcessState
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("messages of %s %s:\n%s", filepath.Base(path), strings.Join(args, " "), p.stderr)
		}
	})
	return p
}

// ready waits for the lines that say where the server listens.
func (p *process) ready(t *testing.T) endpoints {
	t.Helper()
	lines := regexp.MustCompile(`(?s)(?:OTLP gRPC +(\S+)\n.*OTLP HTTP +http://(\S+)\n.*)?API +http://(\S+)`)
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

// signal sends a signal, which must arrive.
func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(s))
}

// kill ends the process without warning and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // unless it has ended by itself
	<-p.exited
}

// terminate asks the process to end and returns its exit code.
func (p *process) terminate(t *testing.T) int {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	<-p.exited
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
