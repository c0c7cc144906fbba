package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// flags, set before any test runs.
var (
	full        = flag.Bool("full", false, "do on S3 all that is done on a folder")
	crashRounds = flag.Int("crash.rounds", 4, "how often TestCrashCluster makes trouble; TestCrash ends a server a fifth as often, on a folder and on S3")
	crashSeed   = flag.Uint64("crash.seed", 0, "seed of the crash tests; 0 takes a random one")
)

// flags of the load tests.
var (
	loadTime  = flag.Duration("load.time", 2*time.Second, "how long TestLoad asks and sends, and TestFairness asks, twice")
	loadSpans = flag.Int("load.spans", 20_000, "spans that TestFairness asks about in heavy queries")
	loadRatio = flag.Float64("load.ratio", 0, "how many times as long a query may take beside heavy ones of another project; 0 only says how many")
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
