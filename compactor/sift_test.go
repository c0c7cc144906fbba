package compactor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/objstore"
	settings "github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// ruled keeps the traces of every project by rules.
type ruled struct {
	rules settings.Rules
	asked func() // when the rules are asked for
}

func (r *ruled) Retention(context.Context, schema.ProjectID) (time.Duration, error) {
	return time.Duration(r.rules.Longest()), nil
}

func (r *ruled) Prices(schema.ProjectID) *price.Table { return price.Shipped() }

func (*ruled) Reprice(schema.ProjectID) *settings.Reprice { return nil }

func (r *ruled) Rules(context.Context, schema.ProjectID) (settings.Rules, error) {
	if r.asked != nil {
		r.asked()
	}
	return r.rules, nil
}

const hour = settings.Retention(time.Hour)

// errorsKept keeps traces with an error for two days, and others so long.
func errorsKept(rest settings.Retention) *ruled {
	return &ruled{rules: settings.Rules{Rest: rest, Each: []settings.Rule{{Filter: "{ status = error }", Retention: 48 * hour}}}}
}

func traceID(n byte) schema.TraceID { return schema.TraceID{n, 15: n} }

// row is a span of a trace, now.
func row(trace, id byte, failed bool) schema.Span {
	now := uint64(time.Now().UnixNano())
	s := schema.Span{
		TraceID: traceID(trace), SpanID: schema.SpanID{id, 7: 1}, Name: fmt.Sprintf("span %d", id), StartNanos: now, EndNanos: now + 1000,
		Resource: &schema.Resource{}, Scope: &schema.Scope{},
	}
	if failed {
		s.StatusCode = 2
	}
	return s
}

// left are the numbers of the traces that are there, in order.
func (w *world) left() (list []byte) {
	w.t.Helper()
	for id := range w.traces() {
		list = append(list, id[0])
	}
	slices.Sort(list)
	return list
}

// TestSift: once the window is over for as long as traces without an error are
// kept, and not before, the block is written anew without them; those stay of which
// another block has the error. It is done once, whoever looks later.
func TestSift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rules := errorsKept(3 * hour)
		c := w.compactor(rules)
		at(1, 0)
		w.batchOf(row(1, 1, true), row(1, 2, false), row(2, 3, false), row(3, 4, false), row(4, 5, false))
		at(2, 30)
		w.batchOf(row(3, 6, true), row(5, 7, false), row(4, 8, false))
		at(4, 59)
		require.Zero(t, w.cycle(c).Rewrites)
		require.Equal(t, []byte{1, 2, 3, 4, 5}, w.left())
		at(5, 0)
		s := w.cycle(c)
		require.Equal(t, 1, s.Rewrites)
		require.Equal(t, 2, s.Dropped, "traces 2 and 4, not its later part")
		require.Equal(t, map[schema.TraceID]int{traceID(1): 2, traceID(3): 2, traceID(4): 1, traceID(5): 1}, w.traces())
		require.Zero(t, w.cycle(c).Rewrites)
		require.Zero(t, w.cycle(w.compactor(rules)).Rewrites, "the block says so")
		at(5, 31)
		require.Equal(t, 1, w.cycle(c).Covered)

		at(6, 0)
		require.Equal(t, 1, w.cycle(c).Rewrites)
		require.Equal(t, []byte{1, 3}, w.left())
		at(7, 0)
		require.Zero(t, w.cycle(c).Rewrites)

		at(48+1, 59)
		require.Zero(t, w.cycle(c).Expired)
		at(48+2, 0)
		require.Equal(t, 1, w.cycle(c).Expired)
		require.Equal(t, []byte{3}, w.left())
	})
}

// TestSiftMerges: traces are judged in what windows were merged to.
func TestSiftMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.compactor(errorsKept(3 * hour))
		for i := range 20 {
			at(1, 3*i)
			w.batchOf(row(byte(1+i), byte(1+i), i%4 == 0))
		}
		at(2, 3)
		require.Equal(t, 1, w.cycle(c).Merges)
		at(5, 0)
		s := w.cycle(c)
		require.Equal(t, 1, s.Rewrites)
		require.Equal(t, 15, s.Dropped)
		require.Equal(t, []byte{1, 5, 9, 13, 17}, w.left())
	})
}

// TestSiftShort: a rule that keeps some traces not as long as the rest.
func TestSiftShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rules := &ruled{rules: settings.Rules{Each: []settings.Rule{{Filter: "{ name = \"span 1\" }", Retention: hour}, {Filter: "{ status = error }", Retention: 2 * hour}}}}
		c := w.compactor(rules)
		at(1, 0)
		w.batchOf(row(1, 1, false), row(2, 1, true), row(3, 2, true), row(4, 2, false))
		w.idle()
		at(24, 59)
		require.Zero(t, w.cycle(c).Rewrites)
		at(25, 0)
		require.Equal(t, 1, w.cycle(c).Rewrites)
		require.Equal(t, []byte{2, 3, 4}, w.left(), "of two rules the longer one counts")
		at(26, 0)
		require.Equal(t, 1, w.cycle(c).Rewrites)
		require.Equal(t, []byte{4}, w.left())
		at(24*300, 0)
		s := w.cycle(c)
		require.Zero(t, s.Rewrites+s.Expired)
	})
}

// TestSiftOtherRules: shortening takes effect in the next cycle, lengthening for
// what is there.
func TestSiftOtherRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rules := errorsKept(24 * hour)
		c := w.compactor(rules)
		at(1, 0)
		w.batchOf(row(1, 1, true), row(2, 2, false), row(3, 3, true))
		w.idle()
		at(10, 0)
		require.Zero(t, w.cycle(c).Rewrites)
		rules.rules.Rest = 4 * hour
		require.Equal(t, 1, w.cycle(c).Rewrites)
		require.Equal(t, []byte{1, 3}, w.left())
		for _, rest := range []settings.Retention{3 * hour, 30 * hour} {
			rules.rules.Rest = rest
			require.Zero(t, w.cycle(c).Rewrites, "it decides the same, or nothing")
		}
		rules.rules.Rest = 4 * hour
		rules.rules.Each[0].Filter = "{ name = \"span 1\" }"
		require.Equal(t, 1, w.cycle(c).Rewrites)
		require.Equal(t, []byte{1}, w.left())
		rules.rules.Each[0].Filter = "{ name > }"
		_, err := c.Cycle(t.Context(), compactor.Run{})
		require.ErrorContains(t, err, "rule")
		require.Equal(t, []byte{1}, w.left(), "nothing is dropped by what is no filter")
	})
}

// TestSiftIsVoid: rules that were changed while a block was written keep it from
// being stored.
func TestSiftIsVoid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rules := errorsKept(3 * hour)
		c := w.compactor(rules)
		at(1, 0)
		w.batchOf(row(1, 1, true), row(2, 2, false))
		w.idle()
		at(9, 0)
		times := 0
		rules.asked = func() {
			if times++; times == 2 {
				rules.rules.Rest = 30 * hour
			}
		}
		s := w.cycle(c)
		require.Equal(t, 1, s.Void)
		require.Zero(t, s.Rewrites)
		require.Equal(t, []byte{1, 2}, w.left())
	})
}

// TestSiftSurvivesCrashes: blocks of traces at random, some with an error somewhere,
// and a compactor that dies at each of its writes: what is left is what the rules
// keep.
func TestSiftSurvivesCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for crash := 0; ; crash++ {
			rng := rand.New(rand.NewPCG(uint64(crash), 1))
			w := newWorld(t)
			want := make(map[schema.TraceID]int)
			failed := make(map[schema.TraceID]bool)
			for b := range 6 {
				var rows []schema.Span
				for i := range 20 {
					r := row(byte(1+rng.IntN(30)), byte(1+20*b+i), rng.IntN(10) == 0)
					want[r.TraceID]++
					failed[r.TraceID] = failed[r.TraceID] || r.StatusCode == 2
					rows = append(rows, r)
				}
				w.batchOf(rows...)
				time.Sleep(2 * time.Hour)
			}
			maps.DeleteFunc(want, func(id schema.TraceID, _ int) bool { return !failed[id] })
			rules := errorsKept(16 * hour) // nothing is judged before all is there
			left := crash / 2
			first := compactor.New(config(), w.log, dying{w.bucket, &left, crash%2 == 1}, rules, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			for range 18 {
				_, err := first.Cycle(t.Context(), compactor.Run{})
				require.True(t, err == nil || errors.Is(err, errDied), "%v", err)
				time.Sleep(time.Hour)
			}
			died := left < 0
			c := w.compactor(rules)
			for range 6 {
				w.cycle(c)
				time.Sleep(time.Hour)
			}
			require.Equal(t, want, w.traces(), "crash %d", crash)
			w.log.Close()
			if !died {
				require.GreaterOrEqual(t, crash, 8, "it writes so often")
				return
			}
		}
	})
}

// TestSiftReadsTailsOnce: a block that was looked at for another one's traces is not
// read again for those of a third, nor in a later cycle, unless a trace is in it.
func TestSiftReadsTailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const days = 12
		w := newWorld(t)
		reads := &getsCounted{Bucket: w.bucket}
		rules := errorsKept(24 * hour)
		rules.rules.Each[0].Retention = 90 * 24 * hour
		c := compactor.New(config(), w.log, reads, rules, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		for day := range days {
			at(24*day+1, 0)
			w.batchOf(row(byte(2*day+1), 1, true), row(byte(2*day+2), 2, false))
		}
		w.idle()
		at(24*(days+2), 0)
		require.Equal(t, days, w.cycle(c).Rewrites)
		// Of each block its rows, whole, and its tail.
		require.LessOrEqual(t, reads.gets, 2*days)
		require.Len(t, w.left(), days)

		at(24*(days+2), 40)
		w.cycle(c)
		w.batchOf(row(200, 1, true), row(201, 2, false))
		w.idle()
		at(24*(days+4), 0)
		reads.gets = 0
		require.Equal(t, 1, w.cycle(c).Rewrites)
		// The new one, and the tails of those that took the others' place.
		require.LessOrEqual(t, reads.gets, days+2)
		require.Len(t, w.left(), days+1)

		at(24*(days+4), 40)
		w.cycle(c)
		reads.gets = 0
		for range 3 {
			require.Zero(t, w.cycle(c).Rewrites)
		}
		require.LessOrEqual(t, reads.gets, 1, "what the newest one says of rules")
	})
}

// TestSiftForgetsWhatWasReplaced: a block whose tail is in memory, and that another
// writer's of the same name has replaced, is opened anew by the next cycle.
func TestSiftForgetsWhatWasReplaced(t *testing.T) {
	for reads := range 2 {
		t.Run(fmt.Sprintf("after %d reads", reads), func(t *testing.T) { testReplaced(t, reads) })
	}
}

func testReplaced(t *testing.T, reads int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		rules := errorsKept(24 * hour)
		rules.rules.Each[0].Retention = 90 * 24 * hour
		at(1, 0)
		w.batchOf(row(1, 1, false), row(2, 2, false))
		at(25, 0)
		w.batchOf(row(1, 3, true), row(3, 4, false))
		w.idle()
		bucket := &replaced{Bucket: w.bucket, key: w.keys()[1], left: reads}
		c := compactor.New(config(), w.log, bucket, rules, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		at(48, 10) // the first day is judged, by the second too
		require.Equal(t, 1, w.cycle(c).Void)
		require.Equal(t, 1, w.cycle(c).Rewrites)
		require.Equal(t, map[schema.TraceID]int{traceID(1): 2, traceID(3): 1}, w.traces())
	})
}

// replaced is a bucket of which an object is replaced after it was opened once and
// some more was read.
type replaced struct {
	objstore.Bucket

	key         string
	opens, left int
}

func (b *replaced) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if key == b.key && opts.IfMatch == "" {
		b.opens++
	}
	if key == b.key && opts.IfMatch != "" && b.opens == 1 {
		if b.left--; b.left < 0 {
			return nil, objstore.Object{}, objstore.ErrChanged
		}
	}
	return b.Bucket.Get(ctx, key, opts)
}

// getsCounted counts what is read.
type getsCounted struct {
	objstore.Bucket

	gets int
}

func (b *getsCounted) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	b.gets++
	return b.Bucket.Get(ctx, key, opts)
}
