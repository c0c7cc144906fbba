package s3test

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
)

// process is one run of a program.
type process struct {
	cmd    *exec.Cmd
	life   *os.File // the program lives until it is closed
	output *tail
	ended  chan struct{}
}

// guarded runs a program that is killed once descriptor 3 is closed: also when
// this process is killed, as by a test that took too long. What waits for that
// holds none of the program's outputs, or these would not end with it.
const guarded = `(read -r _ <&3; kill -9 $$) >/dev/null 2>&1 & exec "$@" 3<&-`

func start(program string, args ...string) (*process, error) {
	hold, life, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer hold.Close()
	p := &process{life: life, output: &tail{}, ended: make(chan struct{})}
	p.cmd = exec.Command("sh", append([]string{"-c", guarded, "sh", program}, args...)...) //nolint:gosec,noctx // kill ends it
	p.cmd.ExtraFiles, p.cmd.Stdout, p.cmd.Stderr = []*os.File{hold}, p.output, p.output
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w, %w", err, life.Close())
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // it is killed
	}()
	return p, nil
}

func (p *process) kill() {
	_ = p.life.Close() // nothing was written
	<-p.ended
}

// tail keeps the last of what a program has printed.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 8 << 10

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	w.text = w.text[max(0, len(w.text)-maxTail):]
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}
