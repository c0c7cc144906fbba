package e2e_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/spanlake/spanlake/schema"
)

// TestCrash ends the serving process again and again while it is being sent
// spans, mostly without warning, and starts it anew on the same folder. Every
// span that it acknowledged must be found, once.
func TestCrash(t *testing.T) {
	seed := *crashSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("to repeat: -crash.seed=%d -crash.rounds=%d", seed, *crashRounds)
	w := newCrashWorld(t, seed)
	for round := range *crashRounds {
		w.round(round)
		if round%5 == 4 {
			w.requireRows(false)
		}
	}
	p, c := w.start()
	w.requireTraces(c, w.allTraces())
	w.requireSearch(c)
	require.NoError(t, c.flush(t.Context()))
	w.requireTraces(c, w.allTraces())
	w.requireSearch(c)
	c.close()
	w.terminate(p)
	w.requireStored()
	t.Logf("%d requests acknowledged, %d spans sent, %d purges cut short", w.ledger.ackedRequests(), len(w.ledger.spans), w.halfPurges)
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

// crashWorld is a folder, what was sent to the servers on it, and who sends.
type crashWorld struct {
	t       *testing.T
	dir     string
	random  *rand.Rand
	ledger  *ledger
	senders []*crashSender
	begin   time.Time

	halfPurges int
}

func newCrashWorld(t *testing.T, seed uint64) *crashWorld {
	t.Helper()
	w := &crashWorld{
		t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0)),
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

// start starts a server whose batches are small and short, so that at every
// moment one of them is being cut, stored or purged.
func (w *crashWorld) start() (*process, *client) {
	p := w.launch()
	return p, newClient(w.t, p.ready(w.t))
}

func (w *crashWorld) launch() *process {
	return startProcess(w.t, w.dir, "-ingester.cut-age=300ms", "-ingester.cut-bytes=32KB",
		"-ingester.live-age=200ms", "-querier.cache-bytes=1GB")
}

// round ends one or more servers in one way.
func (w *crashWorld) round(number int) {
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
func (w *crashWorld) loadAndEnd(flushing bool, end func(*process)) {
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
	target := w.ledger.ackedRequests() + 20 + w.random.IntN(400)
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

func (w *crashWorld) kill(p *process) {
	p.kill()
	requireCalm(w.t, p.stderr.String())
}

// killWhileStarting ends servers while they recover.
func (w *crashWorld) killWhileStarting() {
	for range 3 {
		p := w.launch()
		<-time.After(time.Duration(w.random.IntN(300)) * time.Millisecond)
		w.kill(p)
	}
}

// terminate asks the server to end, which it must do without a fault.
func (w *crashWorld) terminate(p *process) {
	require.Zero(w.t, p.terminate(w.t), p.stderr)
	requireCalm(w.t, p.stderr.String())
}
