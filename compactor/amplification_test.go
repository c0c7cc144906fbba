package compactor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/schema"
)

// TestWriteAmplification plays a day of steady ingest with a worker that plans
// every minute. What a merge writes is taken to be as large as what it reads.
func TestWriteAmplification(t *testing.T) {
	const maxBytes = 24 * 6 * 3640 << 10 // about that of the configuration
	for _, tc := range []struct {
		name      string
		every     time.Duration // between cuts
		bytes     int64         // of a batch
		retention time.Duration
		atRest    int // blocks of the day, at most
	}{
		{"small project", time.Minute, 100 << 10, 0, 1},
		{"very small project", 20 * time.Minute, 10 << 10, 0, 1},
		{"every half minute", 30 * time.Second, 100 << 10, 0, 1},
		{"every ten seconds", 10 * time.Second, 50 << 10, 0, 1},
		{"a day is as large as a block may be", 10 * time.Minute, maxBytes / (24 * 6), 0, 1},
		{"a day is too large", 10 * time.Minute, maxBytes/(24*6) + 1, 0, 24},
		{"hours are too large for a day", time.Minute, 2 << 20, 0, 24},
		{"hours are too large", time.Minute, 10 << 20, 0, 6 * 24},
		{"large batches all the time", 6 * time.Second, 2500 << 10, 0, 6 * 24},
		{"a week of retention", time.Minute, 100 << 10, 7 * 24 * time.Hour, 24},
		{"a day of retention", 10 * time.Second, 100 << 10, 24 * time.Hour, 24},
	} {
		t.Run(tc.name, func(t *testing.T) {
			policy := defaultPolicy()
			policy.Retention, policy.MaxBytes = tc.retention, maxBytes
			d := day{policy: policy, start: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)}
			d.play(tc.every, tc.bytes)
			require.LessOrEqual(t, float64(d.written)/float64(d.ingested), 3.0)
			require.LessOrEqual(t, len(d.blocks), tc.atRest)
			if tc.atRest > 2 { // as many as it takes
				require.Greater(t, len(d.blocks), 2)
			}
			require.LessOrEqual(t, d.largest, int64(maxBytes))
			t.Logf("write amplification %.2f, %d blocks at rest", float64(d.written)/float64(d.ingested), len(d.blocks))
		})
	}
}

// TestWriteAmplificationHasItsPrice: what the limit is kept by. Windows that are merged
// for few blocks, although larger ones come, cost more.
func TestWriteAmplificationHasItsPrice(t *testing.T) {
	for _, tc := range []struct {
		minInputs int
		more      bool // than three times what was received
	}{{16, false}, {7, false}, {6, true}, {2, true}} {
		policy := defaultPolicy()
		policy.MinInputs = tc.minInputs
		d := day{policy: policy, start: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)}
		d.play(time.Minute, 100<<10)
		require.Len(t, d.blocks, 1)
		require.Equal(t, tc.more, d.written > 3*d.ingested, "%d: %.2f", tc.minInputs, float64(d.written)/float64(d.ingested))
	}
}

// day is a day of one partition.
type day struct {
	policy            compactor.Policy
	start             time.Time
	blocks            []compactor.Listed
	ingested, written int64
	largest           int64 // of the blocks
}

func (d *day) play(every time.Duration, bytes int64) {
	next := d.start
	position := uint64(0)
	for now := d.start; now.Before(d.start.Add(25 * time.Hour)); now = now.Add(time.Minute) {
		for ; !next.After(now) && next.Before(d.start.Add(24*time.Hour)); next = next.Add(every) {
			position++
			d.add(schema.BlockName{
				Project: "p", Partitions: 1, Epoch: 1, First: position, Last: position, LogNanos: uint64(next.UnixNano()),
			}, bytes, now)
			d.ingested += bytes
		}
		floor := compactor.Floor{Partitions: 1, Epoch: 1, Position: position, Read: now}
		d.act(compactor.NewPlan(d.policy, []compactor.Floor{floor}, d.blocks, now), now)
	}
}

func (d *day) add(n schema.BlockName, bytes int64, now time.Time) {
	d.blocks = append(d.blocks, compactor.Listed{BlockName: n, Bytes: bytes, Stored: now})
	d.written += bytes
	d.largest = max(d.largest, bytes)
}

func (d *day) act(plan compactor.Plan, now time.Time) {
	gone := map[schema.BlockName]bool{}
	for _, x := range plan.Deletions {
		gone[x.BlockName] = true
	}
	kept := d.blocks[:0]
	for _, b := range d.blocks {
		if !gone[b.BlockName] {
			kept = append(kept, b)
		}
	}
	d.blocks = kept
	for _, j := range plan.Merges {
		d.add(j.Output, j.Bytes, now)
	}
}
