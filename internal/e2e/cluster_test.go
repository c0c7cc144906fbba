package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// clusterRounds is how many rounds one cluster lasts at most. In the end all of
// its traces are read.
const clusterRounds = 15

// TestCrashCluster ends processes of a cluster again and again while it is
// being sent spans: two ingesters, each of which builds every partition, a
// querier, and the NATS server that holds the log. What they acknowledged must
// be found, once.
func TestCrashCluster(t *testing.T) {
	seed := seedOf(t)
	worlds := max((*crashRounds+clusterRounds-1)/clusterRounds, 2)
	for number := range worlds {
		rounds := *crashRounds*(number+1)/worlds - *crashRounds*number/worlds
		kind := clusterKinds()[number%len(clusterKinds())]
		t.Run(fmt.Sprintf("%d on %s", number, kind), func(t *testing.T) {
			w := newCluster(t, seed+uint64(number), kind)
			for round := range rounds {
				w.round(round)
			}
			w.finish()
			w.report(rounds)
		})
	}
}

// clusterKind is what a cluster runs on.
type clusterKind struct {
	s3    bool // else a folder
	clock bool // the NATS server's clock can be moved; else it is as it comes
}

func clusterKinds() []clusterKind {
	return []clusterKind{{s3: false, clock: false}, {s3: true, clock: true}, {s3: false, clock: true}}
}

func (k clusterKind) String() string {
	name := "a folder"
	if k.s3 {
		name = "S3"
	}
	if k.clock {
		name += " with a clock that steps"
	}
	return name
}

// cluster is two ingesters and a querier on one log and one bucket.
type cluster struct {
	*crashWorld

	nats      *natsServer
	ingesters [2]*member
	querier   *member
	off       time.Duration // what the NATS server's clock is off
	kinds     []trouble
	counts    map[string]int
}

// member is a process of the cluster.
type member struct {
	target string

	mu      sync.Mutex
	process *process // nil: it does not run
	client  *client  // nil: it is not ready
}

// newCluster starts one.
func newCluster(t *testing.T, seed uint64, kind clusterKind) *cluster {
	t.Helper()
	dir := t.TempDir()
	where := inFolder(filepath.Join(dir, "bucket"))
	if kind.s3 {
		where = onS3(t)
	}
	natsDir := filepath.Join(dir, "nats")
	w := &cluster{
		crashWorld: newCrashWorld(t, seed, natsDir, where), nats: newNATS(t, natsDir, kind.clock),
		ingesters: [2]*member{{target: "ingester"}, {target: "ingester"}}, querier: &member{target: "querier"},
		counts: make(map[string]int),
	}
	w.kinds = w.troubles()
	w.nats.run()
	w.startAll()
	return w
}

func (w *cluster) members() []*member { return append(w.ingesters[:], w.querier) }

// launch starts a member and does not wait for it.
func (w *cluster) launch(m *member) {
	args := append(smallBatches(), "-target="+m.target, "-bucket="+w.place.url, "-nats.url="+w.nats.url,
		"-nats.monitor-urls="+w.nats.monitor, "-log.max-bytes=64KB", "-querier.cache-bytes=1GB")
	m.process = runProcess(w.t, w.place.env, buildProgram(w.t), append(loopback(), args...)...)
}

// start starts a member and waits until it is ready.
func (w *cluster) start(m *member) {
	w.launch(m)
	c := newClient(w.t, m.process.ready(w.t))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.client = c
}

// startAll starts the members that do not run, and waits until all of them can
// work: those that ran have the NATS server back.
func (w *cluster) startAll() {
	for _, m := range w.members() {
		if m.process == nil {
			w.launch(m)
		}
	}
	for _, m := range w.members() {
		if m.current() == nil {
			c := newClient(w.t, m.process.ready(w.t))
			m.mu.Lock()
			m.client = c
			m.mu.Unlock()
		}
		eventually(w.t, func() bool {
			requireRunning(w.t, m.process)
			got, err := m.client.get(w.t.Context(), "", "/ready")
			return err == nil && got.status == http.StatusOK
		})
	}
}

func (m *member) current() *client {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.client
}

// leave is what a member is for senders before it ends.
func (m *member) leave() (*process, *client) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, c := m.process, m.client
	m.process, m.client = nil, nil
	return p, c
}

func (w *cluster) kill(m *member) {
	p, c := m.leave()
	p.kill()
	if c != nil {
		c.close()
	}
	w.requireCalm(p)
}

func (w *cluster) terminate(m *member) {
	p, c := m.leave()
	require.Zero(w.t, p.terminate(w.t), p.stderr)
	c.close()
	w.requireCalm(p)
}

// requireCalm is the common one but for what is to be expected while the NATS
// server or the bucket is away.
func (w *cluster) requireCalm(p *process) {
	w.t.Helper()
	away := regexp.MustCompile(`(?m)^.*level=ERROR msg="storing a batch failed, trying again".*err=".*(log is unavailable|transient).*$`)
	requireCalm(w.t, away.ReplaceAllString(p.stderr.String(), ""))
}

// anyIngester is one of those that run, nil if none does.
func (w *cluster) anyIngester(random *rand.Rand) *client {
	first := random.IntN(len(w.ingesters))
	for i := range w.ingesters {
		if c := w.ingesters[(first+i)%len(w.ingesters)].current(); c != nil {
			return c
		}
	}
	return nil
}

// round makes one kind of trouble while spans are being sent, each kind once
// before any comes again, and looks for what was acknowledged.
func (w *cluster) round(number int) {
	kind := w.kinds[number%len(w.kinds)]
	w.counts[kind.name]++
	w.underLoad(kind)
	w.startAll()
	w.requireTraces(w.querier.client, w.recentTraces())
	if number%5 == 4 && w.place.gateway == nil { // on S3 it takes too long
		w.requireSearch(w.querier.client)
		w.requireRows(false)
	}
}

// underLoad sends spans before, during and after the trouble.
func (w *cluster) underLoad(kind trouble) {
	load, stop := context.WithCancel(w.t.Context())
	defer stop()
	group, ctx := errgroup.WithContext(load)
	for i, s := range w.senders {
		random := rand.New(rand.NewPCG(w.random.Uint64(), uint64(i)))
		group.Go(func() error { return s.runOn(ctx, func() *client { return w.anyIngester(random) }) })
	}
	if kind.flushing {
		random := rand.New(rand.NewPCG(w.random.Uint64(), 0))
		group.Go(func() error {
			for ctx.Err() == nil {
				if c := w.anyIngester(random); c != nil {
					_ = c.flush(ctx) // an error is that it has ended
				}
			}
			return nil
		})
	}
	w.awaitAcks(ctx, w.someRequests())
	w.pause(20)
	kind.make()
	w.awaitAcks(ctx, 20)
	stop()
	require.NoError(w.t, group.Wait())
}

// awaitAcks waits until so many more requests are acknowledged, or somebody who
// sends has failed.
func (w *cluster) awaitAcks(ctx context.Context, more int) {
	target := w.ledger.ackedRequests() + more
	eventually(w.t, func() bool { return w.ledger.ackedRequests() >= target || ctx.Err() != nil })
}

// pause lets the others get somewhere: the moment of a crash is random.
func (w *cluster) pause(most int) {
	<-time.After(time.Duration(w.random.IntN(1000*most)) * time.Microsecond)
}

// finish looks for everything, in memory, in blocks and in the rows of blocks.
func (w *cluster) finish() {
	c := w.querier.client
	w.requireSearch(c)
	require.NoError(w.t, w.ingesters[0].client.flush(w.t.Context()))
	w.requireTraces(c, w.allTraces())
	for _, m := range w.members() {
		w.terminate(m)
	}
	w.nats.terminate()
	w.requireStored()
	for _, kind := range slices.Sorted(maps.Keys(w.counts)) {
		w.t.Logf("%3d times %s", w.counts[kind], kind)
	}
	if w.nats.clock != nil {
		w.t.Logf("the log's time went back between %d batches", stepsBack(w.blocks()))
	}
}
