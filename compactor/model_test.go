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

	workers []worker
	merges  int
}

// batch is a stretch of the log.
type batch struct {
	first, last uint64
	log         time.Time
	empty       bool // without rows of the project
}

// object is a block: the batches whose rows it has.
type object struct {
	at    time.Time
	holds map[uint64]bool
}

// worker is a compactor between its listing and what it does after that.
type worker struct {
	listed time.Time
	plan   compactor.Plan
	reads  map[schema.BlockName]object // inputs that were read already
	job    int
}

// seeds is how many worlds TestModel runs.
var seeds = flag.Uint64("model.seeds", 100, "number of random histories that TestModel runs")

// TestModel lets several workers with listings of different age, that die at any
// point, work on a log whose clock is put back now and then. Whatever happens,
// the visible blocks must hold every batch once.
func TestModel(t *testing.T) {
	merges := 0
	for seed := range *seeds {
		m := newModel(t, seed)
		for range 400 {
			m.step()
			m.check(seed)
		}
		merges += m.merges
	}
	require.Greater(t, merges, int(*seeds))
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
	switch m.rng.IntN(8) {
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
	b := batch{first: m.next, last: m.next + uint64(m.rng.IntN(5)), log: m.now.Add(m.skew), empty: m.rng.IntN(5) == 0}
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
	m.stored[n] = object{m.now, map[uint64]bool{b.first: true}}
}

// work does the next thing that a worker has to do, or lists anew.
func (m *model) work(w *worker) {
	switch {
	case w.listed.IsZero():
		m.list(w)
	case m.rng.IntN(10) == 0: // it dies
		*w = worker{}
	case len(w.plan.Deletions) > 0:
		if m.now.Sub(w.listed) > m.policy.DeleteAfter {
			*w = worker{}
			return
		}
		delete(m.stored, w.plan.Deletions[0].BlockName)
		w.plan.Deletions = w.plan.Deletions[1:]
	case w.job < len(w.plan.Merges):
		m.merge(w)
	default:
		*w = worker{}
	}
}

func (m *model) list(w *worker) {
	floor := compactor.Floor{Partitions: 1, Epoch: 1, Position: m.floor}
	if len(m.open) > 0 {
		floor.Next = m.open[0].log
	}
	var listing []compactor.Listed
	for n, o := range m.stored {
		listing = append(listing, compactor.Listed{BlockName: n, Bytes: int64(len(o.holds)), Stored: o.at})
	}
	w.listed = m.now
	w.plan = compactor.NewPlan(m.policy, []compactor.Floor{floor}, listing, m.now)
}

// merge reads the inputs of a job, one a step, and then stores the output.
func (m *model) merge(w *worker) {
	job := w.plan.Merges[w.job]
	if w.reads == nil {
		w.reads = map[schema.BlockName]object{}
	}
	for _, in := range job.Inputs {
		if _, done := w.reads[in.BlockName]; done {
			continue
		}
		o, there := m.stored[in.BlockName]
		if !there { // gone: the job is void
			w.reads = nil
			w.job++
			return
		}
		w.reads[in.BlockName] = o
		if m.rng.IntN(3) == 0 {
			return
		}
	}
	holds := map[uint64]bool{}
	for _, o := range w.reads {
		maps.Copy(holds, o.holds)
	}
	m.stored[job.Output] = object{m.now, holds}
	m.merges++
	w.reads = nil
	w.job++
}

// check compares the visible blocks with what was committed, and looks for
// ranges that overlap in part.
func (m *model) check(seed uint64) {
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
