package compactor_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
)

// modelBug is something that the workers of a model do wrong.
type modelBug struct {
	policy func(*compactor.Policy) // changes what plans follow
	floor  func(*compactor.Floor)  // changes what they know of the log
	job    func(*compactor.Job)    // changes what is planned

	lateFloor     bool // the floor is read after the listing
	goneInputs    bool // inputs that are gone do not void a merge
	latePuts      bool // outputs are stored however long ago it was found that they may be
	oldErasures   bool // nobody looks for new erasures before that
	endedErasures bool // nor for those that are done since the inputs were read
	oldRetention  bool // nor whether the retention is still the one that blocks expired by
	oldRules      bool // nor the rules that a block was sifted by
	siftsAlone    bool // traces are judged by one block
	keptSifted    bool // merges keep what a block says of the rules
}

// TestModelFindsBugs makes the workers do something wrong: some of few histories must
// show it. What the model lets pass it does not guard.
func TestModelFindsBugs(t *testing.T) {
	const within = 300
	for _, tc := range []struct {
		name string
		bug  modelBug
	}{
		{name: "outputs are named one position short", bug: modelBug{job: func(j *compactor.Job) {
			if j.Output.Last > j.Output.First {
				j.Output.Last--
			}
		}}},
		{name: "outputs are named one position long", bug: modelBug{job: func(j *compactor.Job) { j.Output.Last++ }}},
		{name: "generations are not raised", bug: modelBug{job: func(j *compactor.Job) { j.Output.Generation = 0 }}},
		{name: "blocks need not be below the floor", bug: modelBug{floor: func(f *compactor.Floor) { f.Position = math.MaxUint64 }}},
		{name: "windows are closed early", bug: modelBug{floor: func(f *compactor.Floor) {
			if !f.Next.IsZero() {
				f.Next = f.Next.Add(time.Minute)
			}
		}}},
		{name: "windows are closed by the clock alone", bug: modelBug{floor: func(f *compactor.Floor) { f.Next = time.Time{} }}},
		{name: "windows are closed by a later clock", bug: modelBug{floor: func(f *compactor.Floor) { f.Read = f.Read.Add(30 * time.Second) }}},
		{name: "windows have no grace", bug: modelBug{policy: func(p *compactor.Policy) { p.Grace = 0 }}},
		{name: "merges are of a lower level", bug: modelBug{job: func(j *compactor.Job) {
			if len(j.Inputs) > 1 {
				j.Output.Level--
			}
		}}},
		{name: "blocks expire a window early", bug: modelBug{policy: func(p *compactor.Policy) {
			window := p.Retention / 8
			for _, w := range p.Windows {
				if w <= p.Retention/8 {
					window = w
				}
			}
			p.Retention -= window
		}}},
		{name: "blocks never expire", bug: modelBug{policy: func(p *compactor.Policy) { p.Retention = 0 }}},
		{name: "covered blocks go at once", bug: modelBug{policy: func(p *compactor.Policy) { p.DeleteAfter = 0 }}},
		{name: "the floor is read after the listing", bug: modelBug{lateFloor: true}},
		{name: "a merge does without inputs that are gone", bug: modelBug{goneInputs: true}},
		{name: "outputs are stored late", bug: modelBug{latePuts: true}},
		{name: "outputs are stored after an erasure", bug: modelBug{oldErasures: true}},
		{name: "traces are judged by one block", bug: modelBug{siftsAlone: true}},
		{name: "blocks are sifted by old rules", bug: modelBug{oldRules: true}},
		{name: "blocks are taken for sifted after a merge", bug: modelBug{keptSifted: true}},
		{name: "blocks are sifted early", bug: modelBug{policy: func(p *compactor.Policy) { p.Rules.Rest /= 2 }}},
		{name: "blocks are not sifted", bug: modelBug{policy: func(p *compactor.Policy) { p.Rules.Each = nil }}},
		{name: "blocks expire by an old retention", bug: modelBug{oldRetention: true}},
		{name: "outputs are stored after an erasure that is done", bug: modelBug{endedErasures: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			began := time.Now()
			for seed := uint64(1); seed <= within; seed++ {
				if m := runModel(seed, tc.bug); m.broken != nil {
					t.Logf("seed %d: %s (%s)", seed, m.broken, time.Since(began))
					return
				}
			}
			require.Fail(t, "no history shows it", "%d were played", within)
		})
	}
}
