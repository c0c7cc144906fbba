package catalog_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// keys is a bucket of objects without content. It counts requests as S3 does.
type keys struct {
	objstore.Bucket

	all   []string // sorted
	lists int
}

func (k *keys) List(_ context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		from, _ := slices.BinarySearch(k.all, max(opts.Prefix, opts.StartAfter))
		k.lists++
		listed := 0
		for _, key := range k.all[from:] {
			if key == opts.StartAfter {
				continue
			}
			if listed > 0 && listed%pageKeys == 0 {
				k.lists++
			}
			if listed++; !strings.HasPrefix(key, opts.Prefix) || !yield(objstore.Object{Key: key}, nil) {
				return
			}
		}
	}
}

// add puts a block of one batch of partition 0 of 1.
func (k *keys) add(project schema.ProjectID, received time.Time, first, last uint64) {
	n := schema.BlockName{
		Project: project, Partitions: 1, Epoch: 7, First: first, Last: last, LogNanos: uint64(received.UnixNano()), Spans: 1, TailBytes: 1,
	}
	k.all = append(k.all, n.Key())
}

func (k *keys) highest(t *testing.T, from time.Time) (position uint64, lists int) {
	t.Helper()
	k.lists = 0
	positions, err := catalog.Highest(t.Context(), k, []uint64{7}, from)
	require.NoError(t, err)
	return positions[0], k.lists
}

func (k *keys) covered(t *testing.T, position uint64, at time.Time) (covered bool, lists int) {
	t.Helper()
	k.lists = 0
	covered, err := catalog.Covered(t.Context(), k, 0, 1, 7, position, at)
	require.NoError(t, err)
	return covered, k.lists
}

// What a process that opens the log asks of a bucket with a hundred thousand blocks:
// those of today and yesterday, and a thousand keys of each larger project before them.
func TestHighestRequests(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	noon := start.Add(monthDays*24*time.Hour - 12*time.Hour)
	received := func(i, of int) time.Time {
		return start.Add(time.Duration(i) * (monthDays * 24 * time.Hour / time.Duration(of)))
	}
	for _, tc := range []struct {
		name        string
		projects    int
		whole, some int // requests: for all blocks, and from noon of the last day on
	}{
		{"one project", 1, 100, 8},
		{"ten projects", 10, 100, 20},
		{"a thousand projects", 1000, 100, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bucket := &keys{}
			each := monthBlock / tc.projects
			for p := range tc.projects {
				for i := range each {
					position := uint64(i*tc.projects + p + 1)
					bucket.add(schema.ProjectID(fmt.Sprintf("p%d", p)), received(i, each), position, position)
				}
			}
			slices.Sort(bucket.all)
			highest, lists := bucket.highest(t, time.Time{})
			require.EqualValues(t, monthBlock, highest)
			require.Equal(t, tc.whole, lists)
			highest, lists = bucket.highest(t, noon)
			require.EqualValues(t, monthBlock, highest)
			t.Logf("%d requests, %d of all", lists, tc.whole)
			require.LessOrEqual(t, lists, tc.some)
			covered, lists := bucket.covered(t, monthBlock-uint64(tc.projects)-1, noon)
			require.True(t, covered)
			require.LessOrEqual(t, lists, tc.some)
		})
	}
}

// A position is looked for everywhere before it is missed.
func TestCovered(t *testing.T) {
	bucket := &keys{}
	now := time.Now()
	bucket.add("a", now.Add(-40*24*time.Hour), 1, 4)
	bucket.add("b", now, 7, 9)
	for position, want := range []bool{false, true, true, true, true, false, false, true, true, true, false} {
		covered, lists := bucket.covered(t, uint64(position), now)
		require.Equal(t, want, covered, position)
		if position >= 7 && want {
			require.Equal(t, 1, lists)
		}
	}
}

// What a log that was restored must not give a second time is found: all that was
// published after its first message, also if the log's clock was put back by up to a
// day meanwhile.
func TestHighestFindsWhatCameLater(t *testing.T) {
	older := 0
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		bucket := &keys{all: []string{"blocks/stray", "blocks/p0/2026-01-01/stray", "claims/p0/x"}}
		now := time.Now().Add(-40 * 24 * time.Hour)
		var times []time.Time // of batches
		ahead := time.Duration(0)
		for i := range 60 {
			now = now.Add(time.Duration(rng.IntN(24)) * time.Hour)
			if rng.IntN(5) == 0 {
				ahead = time.Duration(rng.IntN(24)) * time.Hour
			}
			at := now.Add(ahead)
			times = append(times, at)
			for p := range 3 { // each batch has rows of some projects, or of none
				if rng.IntN(3) == 0 {
					for range 1 + rng.IntN(200) { // other epochs' look alike
						bucket.add(schema.ProjectID(fmt.Sprintf("p%d", p)), at, uint64(2*i+1), uint64(2*i+2))
						at = at.Add(1)
					}
				}
			}
		}
		slices.Sort(bucket.all)
		all, _ := bucket.highest(t, time.Time{})
		first := rng.IntN(len(times)) // the log begins with this batch
		have, _ := bucket.highest(t, times[first])
		require.LessOrEqual(t, have, all)
		if all > uint64(2*first) {
			require.Equal(t, all, have, "seed %d", seed)
		} else {
			older++
		}
	}
	require.Less(t, older, 30)
}

// A log's clock that was ahead of this machine's, and was put right, hides nothing.
func TestHighestOfALogThatWasAhead(t *testing.T) {
	bucket := &keys{}
	now := time.Now()
	bucket.add("p", now, 9, 10)
	bucket.add("p", now.Add(100*24*time.Hour), 1, 2)
	highest, _ := bucket.highest(t, now.Add(100*24*time.Hour))
	require.EqualValues(t, 10, highest)
}
