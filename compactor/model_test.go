package compactor_test

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	projects "github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

var (
	modelSeed  = flag.Uint64("model.seed", 1, "the first of the seeds that TestModel's histories depend on; 0 for others each time")
	modelSeeds = flag.Uint64("model.seeds", 300, "how many seeds it takes, one after the other")
)

// modelSteps is how long a history is, before what goes on comes to its end.
const modelSteps = 400

// TestModel lets several workers with listings of different age, that die at any
// point, work on a log whose clock is put back and forth, over a bucket that fails,
// while the retention and its rules change and users' rows are erased. Whatever happens, what is
// visible must be every row that was stored and has not expired, once: of all that
// lies in the bucket at a time, and of what a query has listed page by page.
func TestModel(t *testing.T) {
	first := *modelSeed
	if first == 0 {
		first = rand.Uint64() >> 1
	}
	t.Logf("seeds %d to %d", first, first+*modelSeeds-1)
	var done modelCounts
	for seed := first; seed-first < *modelSeeds; seed++ {
		m := runModel(seed, modelBug{})
		if m.broken != nil {
			require.NoError(t, m.broken, "seed %d, which go test ./compactor -run 'TestModel$' -model.seed=%d -model.seeds=1 plays again\n%s", seed, seed, m.listing())
		}
		done.add(m.done)
	}
	t.Logf("%+v", done)
	if *modelSeeds >= 100 { // a few may lack something
		require.Greater(t, done.least(), int(*modelSeeds), "%+v", done) //nolint:gosec // small
	}
}

// modelCounts is how much happened.
type modelCounts struct{ merges, erasures, expired, covered, sifted, readings, late, kept int }

func (c *modelCounts) add(more modelCounts) {
	c.merges += more.merges
	c.erasures += more.erasures
	c.expired += more.expired
	c.covered += more.covered
	c.sifted += more.sifted
	c.readings += more.readings
	c.late += more.late
	c.kept += more.kept
}

// least is that of which there was least. Deletions that a changed retention stops
// are rare.
func (c *modelCounts) least() int {
	return min(c.merges, c.erasures, c.expired, c.covered, c.sifted, c.readings, c.late, 20*c.kept)
}

// model is a log of one partition, the bucket, and workers that act on what they
// saw some time ago.
type model struct {
	rng    *rand.Rand
	policy compactor.Policy
	bug    modelBug
	broken error // the first rule that does not hold

	now       time.Time // of everyone but the log
	skew      time.Duration
	latest    time.Time // of the log
	retention projects.Retention
	lives     lives
	floor     uint64
	next      uint64 // position
	open      []*batch
	committed []*batch
	batches   map[uint64]*batch // all, by first position
	lastBatch uint64
	stored    map[schema.BlockName]object
	visible   []schema.BlockName // nil when it has to be found anew
	flights   []flight

	findsShort bool // what the rules' filter finds

	workers  []worker
	readers  []reader
	erasures []*modelErasure
	ended    []*modelErasure // of them, in this order
	done     modelCounts
}

// batch is a stretch of the log. All its rows end at the same time.
type batch struct {
	first, last uint64
	log         time.Time
	end         uint64 // of its rows; 0: it has none of the project
	user        int    // who has rows in it besides others, 0 for nobody
	stored      time.Time
	gone        bool   // a block of it was deleted when it had expired
	short       bool   // it has rows that rules let go before the others
	saved       uint64 // the batch whose rows keep them as long as the others, by first position
	letGo       bool   // a block was stored without them
}

// object is a block: the batches whose rows it has, and those of which it has the
// rows of their user, and the short ones.
type object struct {
	at     time.Time
	holds  map[uint64]bool
	users  map[uint64]bool
	short  map[uint64]bool
	sifted string // by what rules
	wrong  string // why it may not be stored
}

func newObject() object {
	return object{holds: map[uint64]bool{}, users: map[uint64]bool{}, short: map[uint64]bool{}}
}

// same reports whether objects have the same rows.
func (o *object) same(other *object) bool {
	return maps.Equal(o.users, other.users) && maps.Equal(o.holds, other.holds) && maps.Equal(o.short, other.short)
}

// named completes a name by what rows decide. Those of users start first: a block
// without them has a name that is larger.
func (o *object) named(n schema.BlockName) schema.BlockName {
	n.Spans, n.MinStart, n.TailBytes = uint64(len(o.holds)+len(o.users)+len(o.short)), math.MaxInt64, 0
	for first := range o.short {
		n.TailBytes += first * first
	}
	for first := range o.holds {
		n.MinStart = min(n.MinStart, 2*first)
	}
	for first := range o.users {
		n.MinStart = min(n.MinStart, 2*first-1)
	}
	return n
}

// runModel plays the history of a seed, with a bug.
func runModel(seed uint64, bug modelBug) *model {
	m := newModel(seed, bug)
	for range modelSteps {
		m.step()
		if m.check(); m.broken != nil {
			return m
		}
	}
	m.drain()
	m.checkRules()
	m.outlive()
	return m
}

func newModel(seed uint64, bug modelBug) *model {
	m := &model{
		rng: rand.New(rand.NewPCG(seed, 7)), now: time.Date(2026, 1, 15, 23, 0, 0, 0, time.UTC), next: 1,
		policy: defaultPolicy(), bug: bug, stored: map[schema.BlockName]object{}, batches: map[uint64]*batch{},
		workers: make([]worker, 3), readers: make([]reader, 2),
	}
	if m.rng.IntN(2) == 0 {
		m.policy.Windows = []time.Duration{5 * time.Minute, 20 * time.Minute, 2 * time.Hour}
	}
	m.policy.MinInputs = 2 + m.rng.IntN(3)
	m.policy.MaxInputs = 4 + m.rng.IntN(20)
	m.policy.MaxBytes = int64(4 + m.rng.IntN(60))
	m.findsShort = m.rng.IntN(2) == 0
	m.retention = m.anyRetention()
	m.lives = m.anyRules()
	return m
}

func (m *model) step() {
	m.pass(40)
	if m.rng.IntN(40) == 0 {
		m.pass(2400)
	}
	m.land()
	switch m.rng.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		m.append()
	case 6, 7, 8:
		m.commit()
	case 9:
		m.storeAgain()
	case 10:
		m.erase()
	case 11:
		m.setRetention()
	case 12, 13:
		r := &m.readers[m.rng.IntN(len(m.readers))]
		for range 1 + m.rng.IntN(3) {
			m.read(r)
		}
	default:
		i := m.rng.IntN(len(m.workers))
		w := &m.workers[i]
		m.work(w)
		for range m.rng.IntN(10) {
			if i > 0 || w.listed.IsZero() { // the first one is slow
				m.pass(10)
				m.work(w)
			}
		}
	}
}

// pass lets less than some seconds go by.
func (m *model) pass(seconds int) {
	m.now = m.now.Add(time.Duration(m.rng.IntN(seconds*1000)) * time.Millisecond)
}

// append adds a batch to the log, whose clock may step, as those of clients may: ahead
// at will, and back, or behind that of the workers, by less than the grace.
func (m *model) append() {
	switch m.rng.IntN(12) {
	case 0:
		m.skew = time.Duration(m.rng.IntN(2400)-1200) * time.Second
	case 1:
		m.skew = 0
	}
	b := &batch{first: m.next, last: m.next + uint64(m.rng.IntN(5)), log: m.now.Add(m.skew), user: m.rng.IntN(3), short: m.rng.IntN(2) == 0}
	m.link(b)
	b.log = later(b.log, later(m.latest, m.now).Add(time.Second-m.policy.Grace))
	m.latest = later(m.latest, b.log)
	if m.rng.IntN(5) > 0 {
		ago := time.Duration(m.rng.IntN(300)) * time.Second
		switch m.rng.IntN(10) {
		case 0:
			ago *= 20
		case 1:
			ago *= -20
		}
		b.end = uint64(m.now.Add(-ago).UnixNano())
	}
	m.next = b.last + 1
	m.open = append(m.open, b)
	m.batches[b.first] = b
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// commit stores the oldest batches and purges them. When that fails they stay.
func (m *model) commit() {
	for range 1 + m.rng.IntN(4) {
		if len(m.open) < 2 && (len(m.open) == 0 || m.rng.IntN(4) > 0) { // the last one has no cut for long
			return
		}
		b := m.open[0]
		if b.stored.IsZero() {
			b.stored = m.now
		}
		if b.end > 0 && !m.try(func() { m.put(b) }) {
			return
		}
		m.open, m.floor = m.open[1:], b.last
		if b.end > 0 {
			m.committed = append(m.committed, b)
		}
	}
}

// storeAgain is a builder that slept.
func (m *model) storeAgain() {
	if len(m.committed) == 0 {
		return
	}
	b := m.committed[max(0, len(m.committed)-1-m.rng.IntN(10))]
	if m.now.Sub(b.stored) < m.policy.DeleteAfter/2 {
		m.put(b)
	}
}

func (m *model) put(b *batch) {
	n := schema.BlockName{
		Project: "p", Partitions: 1, Epoch: 1, First: b.first, Last: b.last, LogNanos: uint64(b.log.UnixNano()), MaxEnd: b.end,
	}
	o := newObject()
	o.holds[b.first] = true
	if b.user > 0 {
		o.users[b.first] = true
	}
	if b.short {
		o.short[b.first] = true
	}
	m.store(o.named(n), o)
}

// store puts an object unless one of the name is there.
func (m *model) store(n schema.BlockName, o object) {
	if there, ok := m.stored[n]; ok {
		if !there.same(&o) {
			m.fail("blocks of one name differ: %s", label(n))
		}
		return
	}
	m.checkShape(n, &o)
	if o.sifted != "" {
		m.done.sifted++
		m.letGo(n, &o)
	}
	o.at = m.now
	m.stored[n], m.visible = o, nil
}

// remove deletes an object. What the retention lets go then need not come back.
func (m *model) remove(n schema.BlockName) {
	o := m.stored[n]
	for first := range o.holds {
		b := m.batches[first]
		b.gone = b.gone || m.mayBeGone(b)
	}
	delete(m.stored, n)
	m.visible = nil
}

// fail notes that a rule does not hold.
func (m *model) fail(format string, args ...any) {
	if m.broken == nil {
		m.broken = fmt.Errorf(format, args...)
	}
}

// check compares the visible blocks with what was committed, and looks for
// ranges that overlap in part.
func (m *model) check() {
	m.checkErased()
	if m.visible == nil {
		m.visible = schema.Visible(slices.Collect(maps.Keys(m.stored)))
		for i := 1; i < len(m.visible); i++ {
			if m.visible[i-1].Last >= m.visible[i].First {
				m.fail("ranges overlap in part: %s and %s", label(m.visible[i-1]), label(m.visible[i]))
			}
		}
	}
	m.checkRows(m.visible, func(n schema.BlockName) *object { o := m.stored[n]; return &o }, m.committed)
}

// listing is all that is stored, for people.
func (m *model) listing() string {
	all := slices.Collect(maps.Keys(m.stored))
	slices.SortFunc(all, func(a, b schema.BlockName) int { return schema.CompareCover(&a, &b) })
	labels := make([]string, len(all))
	for i, n := range all {
		labels[i] = label(n)
	}
	return strings.Join(labels, "\n")
}
