package compactor_test

import (
	"flag"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/schema"
)

// model is a log of one partition, the bucket, and workers that act on what they
// saw some time ago.
type model struct {
	t      *testing.T
	rng    *rand.Rand
	policy compactor.Policy

	now    time.Time // of everyone but the log
	skew   time.Duration
	floor  uint64
	next   uint64 // position
	open   []batch
	stored map[schema.BlockName]object
	rows   map[uint64]batch // by first position: all batches that hold rows

	workers  []worker
	merges   int
	erasures []*modelErasure
	erased   int // that are done
}

// batch is a stretch of the log.
type batch struct {
	first, last uint64
	log         time.Time
	empty       bool // without rows of the project
	user        int  // who has rows in it besides others, 0 for nobody
}

// object is a block: the batches whose rows it has, and those of which it has the
// rows of their user.
type object struct {
	at    time.Time
	holds map[uint64]bool
	users map[uint64]bool
}

// worker is a compactor between its listing and what it does after that.
type worker struct {
	floor  *compactor.Floor
	pages  int    // of the listing, that were read
	after  string // the last key of them
	seen   []compactor.Listed
	listed time.Time // when the listing began; zero until it is complete
	begun  time.Time
	plan   compactor.Plan
	jobs   []compactor.Job
	reads  map[schema.BlockName]object // inputs that were read already
	job    int

	pending []*modelErasure // before the listing
	settled bool            // it has ended those of which nothing is left
	output  *object         // of the job, when it may be stored
	checked time.Time       // when it was found that it may
}

// seeds is how many worlds TestModel runs.
var seeds = flag.Uint64("model.seeds", 300, "number of random histories that TestModel runs")

// TestModel lets several workers with listings of different age, that die at any
// point, work on a log whose clock is put back now and then. Whatever happens,
// the visible blocks must hold every batch once.
func TestModel(t *testing.T) {
	merges, erased := 0, 0
	for seed := range *seeds {
		m := newModel(t, seed)
		for range 400 {
			m.step()
			m.check(seed)
		}
		m.drain(seed)
		merges += m.merges
		erased += m.erased
	}
	require.Greater(t, merges, int(*seeds))
	require.Greater(t, erased, int(*seeds))
}

func newModel(t *testing.T, seed uint64) *model {
	t.Helper()
	m := &model{
		t: t, rng: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 1, 15, 23, 0, 0, 0, time.UTC), next: 1,
		policy: defaultPolicy(), stored: map[schema.BlockName]object{}, rows: map[uint64]batch{}, workers: make([]worker, 3),
	}
	m.policy.MinInputs = 2 + m.rng.IntN(3)
	m.policy.MaxInputs = 4 + m.rng.IntN(20)
	m.policy.MaxBytes = int64(4 + m.rng.IntN(60))
	return m
}

func (m *model) step() {
	m.now = m.now.Add(time.Duration(m.rng.IntN(240)) * time.Second)
	switch m.rng.IntN(9) {
	case 8:
		m.erase()
	case 0, 1, 2:
		m.append()
	case 3:
		m.commit()
	case 4:
		m.storeAgain()
	default:
		m.work(&m.workers[m.rng.IntN(len(m.workers))])
	}
}

// append adds a batch to the log, whose clock may step.
func (m *model) append() {
	switch m.rng.IntN(12) {
	case 0:
		m.skew = -time.Duration(m.rng.IntN(1200)) * time.Second
	case 1:
		m.skew = 0
	}
	b := batch{first: m.next, last: m.next + uint64(m.rng.IntN(5)), log: m.now.Add(m.skew), empty: m.rng.IntN(5) == 0, user: m.rng.IntN(4)}
	m.next = b.last + 1
	m.open = append(m.open, b)
}

// commit stores the oldest batch and purges it.
func (m *model) commit() {
	for range 1 + m.rng.IntN(3) {
		if len(m.open) < 2 { // the last one has no cut yet
			return
		}
		b := m.open[0]
		m.open = m.open[1:]
		if !b.empty {
			m.rows[b.first] = b
			m.put(b)
		}
		m.floor = b.last
	}
}

// storeAgain is a builder that slept.
func (m *model) storeAgain() {
	if len(m.rows) == 0 {
		return
	}
	keys := slices.Sorted(maps.Keys(m.rows))
	b := m.rows[keys[m.rng.IntN(len(keys))]]
	if m.now.Sub(b.log) < 15*time.Minute {
		m.put(b)
	}
}

func (m *model) put(b batch) {
	n := schema.BlockName{Project: "p", Partitions: 1, Epoch: 1, First: b.first, Last: b.last, LogNanos: uint64(b.log.UnixNano())}
	o := object{m.now, map[uint64]bool{b.first: true}, map[uint64]bool{}}
	if b.user > 0 {
		o.users[b.first] = true
	}
	n.Spans = o.rows()
	m.stored[n] = o
}

// work does the next thing that a worker has to do, or lists anew.
func (m *model) work(w *worker) {
	switch {
	case w.listed.IsZero():
		m.list(w)
	case m.rng.IntN(10) == 0: // it dies
		*w = worker{}
	case !w.settled:
		m.settle(w)
	case len(w.plan.Deletions) > 0:
		if m.now.Sub(w.listed) > m.policy.DeleteAfter {
			*w = worker{}
			return
		}
		delete(m.stored, w.plan.Deletions[0].BlockName)
		w.plan.Deletions = w.plan.Deletions[1:]
	case w.job < len(w.jobs):
		m.merge(w)
	default:
		*w = worker{}
	}
}

// list reads the floor, then the listing page by page, in the order of keys: what
// is stored meanwhile may be in it or not.
func (m *model) list(w *worker) {
	if w.floor == nil {
		w.floor = &compactor.Floor{Partitions: 1, Epoch: 1, Position: m.floor}
		if len(m.open) > 0 {
			w.floor.Next = m.open[0].log
		}
		w.begun, w.pending = m.now, m.pending()
		return
	}
	keys := map[string]schema.BlockName{}
	for n := range m.stored {
		if key := n.Key(); key > w.after {
			keys[key] = n
		}
	}
	sorted := slices.Sorted(maps.Keys(keys))
	page := len(sorted)
	if w.pages++; w.pages < 3 {
		page = m.rng.IntN(page + 1)
	}
	for _, key := range sorted[:page] {
		o := m.stored[keys[key]]
		w.seen = append(w.seen, compactor.Listed{BlockName: keys[key], Bytes: int64(len(o.holds)), Stored: o.at, Drops: m.drops(w.pending, &o)})
		w.after = key
	}
	if w.pages == 3 {
		w.listed = w.begun
		w.plan = compactor.NewPlan(m.policy, []compactor.Floor{*w.floor}, w.seen, m.now)
		w.jobs = slices.Concat(w.plan.Rewrites, w.plan.Merges)
	}
}

// merge reads the inputs of a job, one a step, looks for new erasures, and then
// stores the output.
func (m *model) merge(w *worker) {
	job := w.jobs[w.job]
	if w.output != nil {
		m.putOutput(w, &job)
		return
	}
	if w.reads == nil {
		w.reads = map[schema.BlockName]object{}
	}
	for _, in := range job.Inputs {
		if _, done := w.reads[in.BlockName]; done {
			continue
		}
		o, there := m.stored[in.BlockName]
		if !there {
			w.void() // gone
			return
		}
		w.reads[in.BlockName] = o
		if m.rng.IntN(3) == 0 {
			return
		}
	}
	m.makeOutput(w, &job)
}

// check compares the visible blocks with what was committed, and looks for
// ranges that overlap in part.
func (m *model) check(seed uint64) {
	m.checkErased(seed)
	all := slices.Collect(maps.Keys(m.stored))
	visible := schema.Visible(all)
	seen := map[uint64]int{}
	for _, n := range visible {
		for first := range m.stored[n].holds {
			seen[first]++
		}
	}
	for first := range m.rows {
		if seen[first] != 1 {
			require.Equal(m.t, 1, seen[first], "seed %d: batch %d\n%s", seed, first, listing(all))
		}
	}
	for i := 1; i < len(visible); i++ {
		if visible[i-1].Last >= visible[i].First {
			require.Fail(m.t, "ranges overlap in part", "seed %d\n%s", seed, listing(all))
		}
	}
}

func listing(all []schema.BlockName) string {
	labels := make([]string, len(all))
	for i, n := range all {
		labels[i] = label(n)
	}
	return strings.Join(labels, "\n")
}
