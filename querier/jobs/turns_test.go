package jobs_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/querier/jobs"
)

// work takes turns of a project until so much is done, and yields between pieces.
func work(t *testing.T, turns *jobs.Turns, project string, pieces int, piece time.Duration) {
	t.Helper()
	ctx, leave, err := turns.Take(t.Context(), project)
	if err != nil {
		t.Error(err)
		return
	}
	defer leave()
	for range pieces {
		time.Sleep(piece) // synctest's
		if err := jobs.Yield(ctx); err != nil {
			t.Error(err)
		}
	}
}

// Who asks for little is not held up by who asks for all there is.
func TestTurnsOfProjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := jobs.NewTurns(2)
		var all sync.WaitGroup
		heavy := time.Now()
		for range 8 {
			all.Go(func() { work(t, turns, "heavy", 1000, time.Millisecond) })
		}
		time.Sleep(500 * time.Millisecond)
		for range 20 {
			begun := time.Now()
			work(t, turns, "light", 10, time.Millisecond)
			require.Equal(t, 10*time.Millisecond, time.Since(begun))
			time.Sleep(10 * time.Millisecond)
		}
		all.Wait()
		require.Less(t, time.Since(heavy), 4600*time.Millisecond, "of 4.1 s at best: what is left it has")
	})
}

// Those who ask for the same have the same.
func TestTurnsAreEqual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := jobs.NewTurns(1)
		var all sync.WaitGroup
		var ends [2]time.Duration
		begun := time.Now()
		for i := range ends {
			all.Go(func() {
				work(t, turns, strconv.Itoa(i), 1000, time.Millisecond)
				ends[i] = time.Since(begun)
			})
		}
		all.Wait()
		require.InDelta(t, ends[0].Seconds(), ends[1].Seconds(), 0.01)
		require.InDelta(t, 2.0, ends[0].Seconds(), 0.05)
	})
}

func TestTurnsWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := jobs.NewTurns(1)
		var all sync.WaitGroup
		begun := time.Now()
		for range 4 {
			all.Go(func() {
				ctx, leave, err := turns.Take(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				back := jobs.Away(ctx)
				time.Sleep(time.Second) // the bucket's
				back()
			})
		}
		all.Wait()
		require.Equal(t, time.Second, time.Since(begun), "all wait at once")
	})
}

// Goroutines that share a turn leave it once and come back to one.
func TestSeveralAreAway(t *testing.T) {
	turns := jobs.NewTurns(1)
	for range 200 {
		ctx, leave, err := turns.Take(t.Context(), "a")
		require.NoError(t, err)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 10 {
					jobs.Away(ctx)()
				}
			})
		}
		all.Wait()
		leave()
	}
	first, leave, err := turns.Take(t.Context(), "a")
	require.NoError(t, err)
	ended, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, _, err = turns.Take(ended, "a")
	require.ErrorIs(t, err, context.DeadlineExceeded, "there is one")
	require.NoError(t, jobs.Yield(first))
	leave()
}

// Who waits for others lends them the turn.
func TestTurnsOfOthersWhileAway(t *testing.T) {
	turns := jobs.NewTurns(1)
	ctx, leave, err := turns.Take(t.Context(), "a")
	require.NoError(t, err)
	back := jobs.Away(ctx)
	inner, leaveInner, err := turns.Take(ctx, "a")
	require.NoError(t, err)
	jobs.Away(inner)()
	require.NoError(t, jobs.Yield(inner))
	leaveInner()
	back()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = turns.Take(ended, "a")
	require.ErrorIs(t, err, context.Canceled, "the turn is back")
	require.ErrorIs(t, jobs.Yield(ended), context.Canceled)
	leave()
	_, leave, err = turns.Take(t.Context(), "a")
	require.NoError(t, err)
	leave()
}

// There are never more than twice as many turns, and each comes to an end.
func TestTurnsUnderLoad(t *testing.T) {
	const count = 3
	turns := jobs.NewTurns(count)
	var running atomic.Int32
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			for range 50 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rng.IntN(5))*time.Millisecond)
				own, leave, err := turns.Take(ctx, strconv.Itoa(i%150))
				if err == nil {
					if n := running.Add(1); n > 2*count {
						t.Errorf("%d turns at once", n)
					}
					running.Add(-1)
					jobs.Away(own)()
					_ = jobs.Yield(own) // nobody is told that it is over
					leave()
				}
				cancel()
			}
		})
	}
	all.Wait()
}

// It is told when several projects take turns, and when it is one only again.
func TestTurnsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := jobs.NewTurns(2)
		var told []bool
		turns.OnShared(func(shared bool) { told = append(told, shared) })
		work(t, turns, "a", 1, 20*time.Millisecond)
		work(t, turns, "a", 1, 20*time.Millisecond)
		require.Empty(t, told)
		work(t, turns, "b", 1, 20*time.Millisecond)
		work(t, turns, "a", 1, 20*time.Millisecond)
		require.Equal(t, []bool{true}, told)
		time.Sleep(9900 * time.Millisecond)
		work(t, turns, "b", 1, 20*time.Millisecond)
		require.Equal(t, []bool{true}, told)
		time.Sleep(10 * time.Second)
		work(t, turns, "b", 1, 20*time.Millisecond)
		require.Equal(t, []bool{true, false}, told)
	})
}
