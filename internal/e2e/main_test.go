package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// flags of the crash test, set before any test runs.
var (
	crashRounds = flag.Int("crash.rounds", 5, "how often TestCrash ends the server")
	crashSeed   = flag.Uint64("crash.seed", 0, "seed of TestCrash; 0 takes a random one")
)

func TestMain(m *testing.M) {
	code := m.Run()
	if programs.dir != "" {
		_ = os.RemoveAll(programs.dir) // a leftover costs disk space only
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, "goroutines are left over:", err)
		code = 1
	}
	os.Exit(code)
}
