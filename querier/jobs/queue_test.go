package jobs_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/querier/jobs"
)

// run enters a job that takes so long, and reports its name when it begins.
func run(t *testing.T, q *jobs.Queue, project string, bytes int64, took time.Duration, begun chan<- string) {
	t.Helper()
	go func() {
		leave, err := q.Enter(t.Context(), project, bytes)
		if err != nil {
			begun <- err.Error()
			return
		}
		begun <- project
		time.Sleep(took) // synctest's
		leave()
	}()
	synctest.Wait()
}

// next are the names of those that have begun since.
func next(begun <-chan string) (names string) {
	synctest.Wait()
	for {
		select {
		case name := <-begun:
			names += name + " "
		default:
			return names
		}
	}
}

func TestQueueTakesProjectsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, begun := jobs.NewQueue(jobs.Limits{Running: 2, Bytes: 100, Waiting: 10}), make(chan string, 100)
		for range 4 {
			run(t, q, "a", 1, time.Second, begun)
		}
		require.Equal(t, "a ", next(begun), "half of two")
		for range 3 {
			run(t, q, "b", 1, 10*time.Second, begun)
		}
		require.Equal(t, "b ", next(begun), "at once, whatever another project has")
		run(t, q, "c", 1, time.Second, begun)
		require.Empty(t, next(begun))
		time.Sleep(time.Second)
		require.Equal(t, "a ", next(begun), "it has waited longest")
		time.Sleep(time.Second)
		require.Equal(t, "c ", next(begun), "one of a after one of c")
		time.Sleep(time.Second)
		require.Equal(t, "a ", next(begun))
		time.Sleep(time.Minute)
		require.Equal(t, "a b b ", sorted(next(begun)))
		running, waiting, bytes := q.Stats()
		require.Zero(t, running+waiting+int(bytes))
	})
}

func sorted(names string) string {
	var counts [3]int
	for _, c := range names {
		if c != ' ' {
			counts[c-'a']++
		}
	}
	return strings.Repeat("a ", counts[0]) + strings.Repeat("b ", counts[1]) + strings.Repeat("c ", counts[2])
}

func TestQueueBoundsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, begun := jobs.NewQueue(jobs.Limits{Running: 100, Bytes: 100, Waiting: 10}), make(chan string, 100)
		run(t, q, "a", 30, time.Second, begun)
		run(t, q, "a", 20, 2*time.Second, begun)
		require.Equal(t, "a a ", next(begun), "half of it")
		run(t, q, "a", 1, time.Second, begun)
		run(t, q, "b", 1000, time.Second, begun)
		require.Equal(t, "b ", next(begun), "one that is larger than its share has all of it")
		run(t, q, "c", 1, time.Second, begun)
		require.Empty(t, next(begun))
		time.Sleep(time.Second)
		require.Equal(t, "a c ", sorted(next(begun)))
		time.Sleep(time.Minute)
	})
}

func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, begun := jobs.NewQueue(jobs.Limits{Running: 1, Bytes: 100, Waiting: 2}), make(chan string, 100)
		for range 3 {
			run(t, q, "a", 1, time.Second, begun)
		}
		require.Equal(t, "a ", next(begun))
		run(t, q, "a", 1, time.Second, begun)
		require.Equal(t, jobs.ErrFull.Error()+" ", next(begun))
		run(t, q, "b", 1, time.Second, begun)
		require.Empty(t, next(begun), "others may wait")
		time.Sleep(time.Minute)
		require.Equal(t, "a a b ", sorted(next(begun)))
	})
}

func TestQueueForgetsWhoGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, begun := jobs.NewQueue(jobs.Limits{Running: 1, Bytes: 100, Waiting: 1}), make(chan string, 100)
		run(t, q, "a", 1, time.Second, begun)
		ctx, cancel := context.WithCancel(t.Context())
		refused := make(chan error)
		go func() {
			_, err := q.Enter(ctx, "a", 1)
			refused <- err
		}()
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-refused, context.Canceled)
		run(t, q, "a", 1, time.Second, begun)
		time.Sleep(time.Minute)
		require.Equal(t, "a a ", next(begun))
	})
}

// Whatever comes and goes, limits hold and everybody has a turn.
func TestQueueUnderLoad(t *testing.T) {
	limits := jobs.Limits{Running: 5, Bytes: 100, Waiting: 1000}
	q := jobs.NewQueue(limits)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(i), 0))
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+rng.IntN(3))*time.Millisecond)
				leave, err := q.Enter(ctx, strconv.Itoa(i%7), rng.Int64N(120))
				running, _, bytes := q.Stats()
				if running > limits.Running || bytes > limits.Bytes {
					t.Errorf("%d jobs run with %d bytes", running, bytes)
				}
				if err == nil {
					leave()
				}
				cancel()
			}
		})
	}
	all.Wait()
	running, waiting, bytes := q.Stats()
	require.Zero(t, running+waiting+int(bytes))
}
