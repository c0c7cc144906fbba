package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// flags, set before any test runs.
var (
	full        = flag.Bool("full", false, "do on S3 all that is done on a folder")
	crashRounds = flag.Int("crash.rounds", 4, "how often TestCrashCluster makes trouble; TestCrash ends a server a fifth as often, on a folder and on S3")
	crashSeed   = flag.Uint64("crash.seed", 0, "seed of the crash tests; 0 takes a random one")
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
