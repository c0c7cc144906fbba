package compactor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
)

// modelBug is something that the workers of a model do wrong.
type modelBug struct {
	policy func(*compactor.Policy) // changes what plans follow
	job    func(*compactor.Job)    // changes what is planned

	lateFloor    bool // the floor is read after the listing
	goneInputs   bool // inputs that are gone do not void a merge
	latePuts     bool // outputs are stored however long ago it was found that they may be
	oldErasures  bool // nobody looks for new erasures before that
	oldRetention bool // nor whether the retention is still the one that blocks expired by
}

// TestModelFindsBugs makes the workers do something wrong: some of few histories must
// show it. What the model lets pass it does not guard.
func TestModelFindsBugs(t *testing.T) {
	const within = 300
	for _, tc := range []struct {
		name string
		bug  modelBug
	}{
		{"outputs are named one position short", modelBug{job: func(j *compactor.Job) {
			if j.Output.Last > j.Output.First {
				j.Output.Last--
			}
		}}},
		{"outputs are named one position long", modelBug{job: func(j *compactor.Job) { j.Output.Last++ }}},
		{"generations are not raised", modelBug{job: func(j *compactor.Job) { j.Output.Generation = 0 }}},
		{"blocks expire a window early", modelBug{policy: func(p *compactor.Policy) {
			window := p.Retention / 8
			for _, w := range p.Windows {
				if w <= p.Retention/8 {
					window = w
				}
			}
			p.Retention -= window
		}}},
		{"blocks never expire", modelBug{policy: func(p *compactor.Policy) { p.Retention = 0 }}},
		{"covered blocks go at once", modelBug{policy: func(p *compactor.Policy) { p.DeleteAfter = 0 }}},
		{"the floor is read after the listing", modelBug{lateFloor: true}},
		{"a merge does without inputs that are gone", modelBug{goneInputs: true}},
		{"outputs are stored late", modelBug{latePuts: true}},
		{"outputs are stored after an erasure", modelBug{oldErasures: true}},
		{"blocks expire by an old retention", modelBug{oldRetention: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			began := time.Now()
			for seed := range uint64(within) {
				if m := runModel(seed+1, tc.bug); m.broken != nil {
					t.Logf("seed %d: %s (%s)", seed+1, m.broken, time.Since(began))
					return
				}
			}
			require.Fail(t, "no history shows it", "%d were played", within)
		})
	}
}
