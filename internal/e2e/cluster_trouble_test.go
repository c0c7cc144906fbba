package e2e_test

import (
	"cmp"
	"slices"
	"syscall"
	"time"

	"github.com/spanlake/spanlake/schema"
)

// trouble is what happens in a round.
type trouble struct {
	name     string
	flushing bool // batches are also ended all the time
	make     func()
}

// troubles are the kinds that this cluster can have, in any order but that what
// only some clusters can have comes first.
func (w *cluster) troubles() []trouble {
	kinds := []trouble{
		{"an ingester is killed", false, func() { w.restart(w.anyMember(w.ingesters[:]), w.kill) }},
		{"both ingesters are killed", false, w.killIngesters},
		{"the log's server is killed", false, func() { w.restartNATS(w.nats.kill) }},
		{"an ingester is killed while flushing", true, func() { w.restart(w.anyMember(w.ingesters[:]), w.kill) }},
		{"the querier is killed", false, func() { w.restart(w.querier, w.kill) }},
		{"an ingester is asked to end", false, func() { w.restart(w.anyMember(w.ingesters[:]), w.terminate) }},
		{"an ingester stands still", true, w.freeze},
		{"everything is killed", false, w.killAll},
		{"the log's server is asked to end", false, func() { w.restartNATS(w.nats.terminate) }},
		{"ingesters are killed while starting", false, w.killWhileStarting},
	}
	w.random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	first := []trouble{{"the log's server is killed in the middle of a purge", true, w.killMidPurge}}
	if w.nats.clock != nil {
		first = append(first, trouble{"the log's clock steps", true, w.stepClock})
	}
	if w.place.gateway != nil {
		first = append(first,
			trouble{"the bucket is away until the log is full", false, w.fillLog},
			trouble{"the bucket is away for a moment", true, w.restartGateway})
	}
	return append(first, kinds...)
}

func (w *cluster) anyMember(of []*member) *member { return of[w.random.IntN(len(of))] }

// restart ends a member in some way and starts it anew while others go on.
func (w *cluster) restart(m *member, end func(*member)) {
	end(m)
	w.start(m)
}

func (w *cluster) killIngesters() {
	for _, m := range w.ingesters {
		w.kill(m)
	}
	for _, m := range w.ingesters {
		w.start(m)
	}
}

func (w *cluster) restartNATS(end func()) {
	end()
	w.pause(200)
	w.nats.run()
}

// killMidPurge leaves behind what a server leaves that is killed in the middle
// of a purge, with builders that have seen it whole.
func (w *cluster) killMidPurge() {
	// Not every kill falls between storing and purging.
	const attempts = 5
	for try, purged := 0, 0; try < attempts && purged == 0; try++ {
		if try > 0 {
			w.awaitAcks(w.t.Context(), 20)
		}
		w.nats.kill()
		if w.random.IntN(2) == 0 {
			w.kill(w.anyMember(w.ingesters[:]))
		}
		purged = w.halfPurge()
		w.halfPurges += purged
		w.nats.run()
		w.startAll()
	}
}

func (w *cluster) killAll() {
	w.nats.kill()
	for _, m := range w.members() {
		w.kill(m)
	}
	w.nats.run()
	w.startAll()
}

// killWhileStarting ends one of the ingesters while it recovers.
func (w *cluster) killWhileStarting() {
	m := w.anyMember(w.ingesters[:])
	for range 3 {
		w.kill(m)
		w.launch(m)
		w.pause(300)
	}
	w.kill(m)
	w.start(m)
}

// freeze stops an ingester in the middle of whatever it does, and lets it go on
// when the other one has done the same.
func (w *cluster) freeze() {
	p := w.anyMember(w.ingesters[:]).process
	p.signal(w.t, syscall.SIGSTOP)
	w.pause(2000)
	p.signal(w.t, syscall.SIGCONT)
}

// fillLog takes the bucket away, so that nothing leaves the log, until senders
// of both protocols were told to wait.
func (w *cluster) fillLog() {
	http, grpc := w.ledger.fullRefusals("HTTP"), w.ledger.fullRefusals("gRPC")
	w.place.gateway.Stop()
	eventually(w.t, func() bool {
		return w.ledger.fullRefusals("HTTP") > http && w.ledger.fullRefusals("gRPC") > grpc
	})
	if w.random.IntN(2) == 0 {
		w.nats.kill()
		w.nats.run()
	}
	w.place.gateway.Restart(w.t)
}

func (w *cluster) restartGateway() {
	w.place.gateway.Stop()
	w.pause(500)
	w.place.gateway.Restart(w.t)
}

// stepClock moves the clock of the log's server while that runs, and also while
// it starts, and leaves it wrong for the rounds to come.
func (w *cluster) stepClock() {
	steps := []time.Duration{-400 * time.Millisecond, 400 * time.Millisecond, -time.Hour, time.Hour, -26 * time.Hour, 26 * time.Hour}
	for i := range 4 {
		step := steps[w.random.IntN(len(steps))]
		if i == 0 {
			step = -step.Abs() // back at least once
		}
		w.off += step
		w.nats.step(w.off)
		w.pause(500)
	}
	if w.random.IntN(2) == 0 {
		w.nats.kill()
		w.off += steps[w.random.IntN(len(steps))]
		w.nats.step(w.off)
		w.nats.run()
	}
}

// stepsBack counts batches whose log time is before that of the one before.
func stepsBack(all []schema.BlockName) (count int) {
	slices.SortFunc(all, func(a, b schema.BlockName) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.First, b.First))
	})
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if a.Partition == b.Partition && a.Epoch == b.Epoch && b.LogNanos < a.LogNanos {
			count++
		}
	}
	return count
}
