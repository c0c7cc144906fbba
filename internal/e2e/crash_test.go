package e2e_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// TestCrash ends the serving process again and again while it is being sent
// spans, mostly without warning, and starts it anew on the same folder. Every
// span that it acknowledged must be found, once.
func TestCrash(t *testing.T) {
	seed := seedOf(t)
	rounds := max(*crashRounds/5, 2)
	t.Run("folder", func(t *testing.T) {
		dir := t.TempDir()
		testCrash(t, seed, rounds, dir, inFolder(filepath.Join(dir, "bucket")))
	})
	t.Run("S3", func(t *testing.T) { testCrash(t, seed, rounds, t.TempDir(), onS3(t)) })
}

// seedOf says how to repeat a test of crashes.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat: -crash.seed=%d -crash.rounds=%d", seed, *crashRounds)
	return seed
}

func testCrash(t *testing.T, seed uint64, rounds int, dir string, place place) {
	t.Helper()
	w := single{newCrashWorld(t, seed, filepath.Join(dir, "nats"), place), dir}
	for round := range rounds {
		w.round(round)
		if round%5 == 4 {
			w.requireRows(false)
		}
	}
	p, c := w.start()
	w.requireSearch(c)
	require.NoError(t, c.flush(t.Context()))
	w.requireTraces(c, w.allTraces())
	w.requireSearch(c)
	c.close()
	w.terminate(p)
	w.requireStored()
	w.report(rounds)
}

// end is how a round of the crash test ends.
type end int

const (
	killUnderLoad end = iota
	killMidPurge      // while flushing, and the purge that it interrupts is half done
	killWhileStarting
	terminateUnderLoad
	killWhileFlushing
	ends
)

// crashWorld is a log and a bucket, what was sent there, and who sends.
type crashWorld struct {
	t       *testing.T
	natsDir string // of the log's server, embedded or not
	place   place
	bucket  objstore.Bucket // at the place
	random  *rand.Rand
	ledger  *ledger
	senders []*crashSender
	begin   time.Time

	halfPurges int
}

func newCrashWorld(t *testing.T, seed uint64, natsDir string, place place) *crashWorld {
	t.Helper()
	w := &crashWorld{
		t: t, natsDir: natsDir, place: place, bucket: place.open(t), random: rand.New(rand.NewPCG(seed, 0)),
		ledger: newLedger(), begin: time.Now(),
	}
	const senders = 6
	for i := range uint64(senders) {
		project := schema.DefaultProject
		if i%3 == 0 {
			project = "other"
		}
		w.senders = append(w.senders, &crashSender{
			project: project, ledger: w.ledger, random: rand.New(rand.NewPCG(seed, i+1)), begin: w.begin,
		})
	}
	return w
}

func (w *crashWorld) report(rounds int) {
	w.t.Logf("%d rounds: %d requests acknowledged, %d spans sent, %d purges cut short, log full %d times by HTTP and %d by gRPC; each span found once",
		rounds, w.ledger.ackedRequests(), len(w.ledger.spans), w.halfPurges, w.ledger.fullRefusals("HTTP"), w.ledger.fullRefusals("gRPC"))
}

// someRequests is how many are acknowledged before something happens. To read
// a trace back takes longer on S3.
func (w *crashWorld) someRequests() int {
	most := 400
	if w.place.gateway != nil {
		most = 80
	}
	return 20 + w.random.IntN(most)
}

// smallBatches keep batches small and short, so that at every moment one of
// them is being cut, stored or purged.
func smallBatches() []string {
	return []string{"-ingester.cut-age=300ms", "-ingester.cut-bytes=32KB", "-ingester.live-age=200ms"}
}

// single is one process with everything on a folder.
type single struct {
	*crashWorld

	dir string
}

// start starts a server and waits for it.
func (w single) start() (*process, *client) {
	p := w.launch()
	return p, newClient(w.t, p.ready(w.t))
}

func (w single) launch() *process {
	args := append(smallBatches(), "-data-dir="+w.dir, "-bucket="+w.place.url, "-querier.cache-bytes=1GB")
	return runProcess(w.t, w.place.env, buildProgram(w.t), append(loopback(), args...)...)
}

// round ends one or more servers in one way.
func (w single) round(number int) {
	how := end(number) % ends
	if number >= int(ends) {
		how = end(w.random.IntN(int(ends)))
	}
	switch how {
	case killWhileStarting:
		w.killWhileStarting()
	case terminateUnderLoad:
		w.loadAndEnd(false, w.terminate)
		w.requireStored()
	case killMidPurge:
		// Not every kill falls between storing and purging.
		const attempts = 5
		for try, purged := 0, 0; try < attempts && purged == 0; try++ {
			w.loadAndEnd(true, w.kill)
			purged = w.halfPurge()
			w.halfPurges += purged
		}
	default:
		w.loadAndEnd(how == killWhileFlushing, w.kill)
	}
}

// loadAndEnd starts the server, looks for what was acknowledged in the last
// round, puts it under load and ends it at a random moment.
func (w single) loadAndEnd(flushing bool, end func(*process)) {
	p, c := w.start()
	w.requireTraces(c, w.recentTraces())
	load, stop := context.WithCancel(w.t.Context())
	defer stop()
	var group errgroup.Group
	for _, s := range w.senders {
		group.Go(func() error { return s.run(load, c) })
	}
	if flushing {
		group.Go(func() error {
			_ = flushUntil(load, c) // ends with an error when the server does
			return nil
		})
	}
	target := w.ledger.ackedRequests() + w.someRequests()
	eventually(w.t, func() bool {
		requireRunning(w.t, p)
		return w.ledger.ackedRequests() >= target
	})
	<-time.After(time.Duration(w.random.IntN(20_000)) * time.Microsecond)
	end(p)
	stop()
	require.NoError(w.t, group.Wait())
	c.close()
}

func (w single) kill(p *process) {
	p.kill()
	requireCalm(w.t, p.stderr.String())
}

// killWhileStarting ends servers while they recover.
func (w single) killWhileStarting() {
	for range 3 {
		p := w.launch()
		<-time.After(time.Duration(w.random.IntN(300)) * time.Millisecond)
		w.kill(p)
	}
}

// terminate asks the server to end, which it must do without a fault.
func (w single) terminate(p *process) {
	require.Zero(w.t, p.terminate(w.t), p.stderr)
	requireCalm(w.t, p.stderr.String())
}
