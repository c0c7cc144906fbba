package traceqltest

import "testing"

// Play plays a script and returns it with the engine's answers.
func Play(t *testing.T, content []byte, open Open) ([]byte, error) {
	t.Helper()
	p := &player{open: open, rewrite: true}
	return p.play(t, content)
}
