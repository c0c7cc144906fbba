package compactor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/compactor"
	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// traces are those of the visible blocks, with their rows.
func (w *world) traces() map[schema.TraceID]int {
	w.t.Helper()
	found := make(map[schema.TraceID]int)
	var names []schema.BlockName
	for _, key := range w.keys() {
		if n, err := schema.ParseBlockName(key); err == nil {
			names = append(names, n)
		}
	}
	for _, n := range schema.Visible(names) {
		r, err := block.Open(w.t.Context(), w.bucket, n.Key())
		require.NoError(w.t, err)
		require.NoError(w.t, r.VerifyRows(w.t.Context(), nil))
		for rows, err := range r.Scan(w.t.Context(), &vec.Filter{Op: vec.OpTrue}, vec.Columns{Bare: true}) {
			require.NoError(w.t, err)
			for i := range rows {
				found[rows[i].TraceID]++
			}
		}
	}
	return found
}

// some are the ids of one of so many traces of the visible blocks.
func (w *world) some(every int) (ids []schema.TraceID) {
	w.t.Helper()
	for i, id := range slices.SortedFunc(maps.Keys(w.traces()), schema.CompareTraceIDs) {
		if i%every == 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

// erase accepts an erasure of traces now.
func (w *world) erase(ids []schema.TraceID) *erasure.Request {
	w.t.Helper()
	state, err := w.log.Stream(0).State(w.t.Context())
	require.NoError(w.t, err)
	r := &erasure.Request{
		ID: erasure.NewID(time.Now()), Project: project, By: "pk-sl-x", Where: `{ span.user.id = "u1" }`, AcceptedAt: time.Now().UTC(), Traces: erasure.Sorted(ids),
		Marks: []erasure.Mark{{Epoch: w.log.Stream(0).Epoch(), Position: state.Last}},
	}
	require.NoError(w.t, erasure.NewStore(w.bucket).Accept(w.t.Context(), r))
	return r
}

// idle publishes a cut without spans, and purges the log up to it.
func (w *world) idle() {
	w.t.Helper()
	position, err := w.log.Stream(0).Publish(w.t.Context(), wal.CutMarker(), "")
	require.NoError(w.t, err)
	require.NoError(w.t, w.log.Stream(0).Purge(w.t.Context(), position))
}

// holding are the keys of objects that hold one of the traces.
func (w *world) holding(ids []schema.TraceID) (keys []string) {
	w.t.Helper()
	for _, key := range w.keys() {
		if !strings.HasPrefix(key, schema.BlocksPrefix) {
			continue
		}
		r, err := block.Open(w.t.Context(), w.bucket, key)
		require.NoError(w.t, err)
		rows, err := r.Traces(w.t.Context(), ids, vec.Columns{Bare: true})
		require.NoError(w.t, err)
		if len(rows) > 0 {
			keys = append(keys, key)
		}
	}
	return keys
}

func (w *world) receipt(r *erasure.Request) *erasure.Receipt {
	w.t.Helper()
	_, _, receipt, err := erasure.NewStore(w.bucket).Find(w.t.Context(), project, r.ID)
	require.NoError(w.t, err)
	return receipt
}

// TestErase: blocks are written anew without the rows, the old ones are deleted
// half an hour later, and only then the erasure is done.
func TestErase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.compactor(nil)
		at(1, 1)
		w.batch(100)
		w.batch(100)
		before := w.traces()
		ids := w.some(7)
		gone := 0
		for _, id := range ids {
			gone += before[id]
		}
		r := w.erase(ids)
		w.batch(50) // after the erasure was accepted
		w.idle()
		old := w.holding(ids)
		require.Len(t, old, 2)

		s := w.cycle(c)
		require.Equal(t, compactor.Summary{Projects: 1, Rewrites: 2, Dropped: gone, Pending: 1}, s)
		after := w.traces()
		for id, n := range before {
			if slices.Contains(ids, id) {
				require.Zero(t, after[id])
			} else {
				require.Equal(t, n, after[id])
			}
		}
		require.Equal(t, old, w.holding(ids), "they are covered, not deleted")
		at(1, 30)
		require.Equal(t, compactor.Summary{Projects: 1, Pending: 1}, w.cycle(c))
		require.Nil(t, w.receipt(r))
		at(1, 32)
		require.Equal(t, compactor.Summary{Projects: 1, Covered: 2, Pending: 1}, w.cycle(c))
		require.Empty(t, w.holding(ids))
		require.Equal(t, compactor.Summary{Projects: 1, Erased: 1}, w.cycle(c))
		require.Equal(t, compactor.Summary{Projects: 1}, w.cycle(c))

		receipt := w.receipt(r)
		require.NotNil(t, receipt)
		require.Equal(t, gone, receipt.Spans)
		require.Equal(t, r.WhereDigest(), receipt.WhereDigest)
		require.Len(t, receipt.Replaced, 2)
		for i, replaced := range receipt.Replaced {
			require.Equal(t, old[i], replaced.Object)
			require.Contains(t, w.keys(), replaced.By)
			require.Contains(t, replaced.By, "_L0g1_")
		}
		require.Equal(t, time.Now().UTC(), receipt.GoneAt)
		for _, key := range w.keys() {
			data, _, err := w.bucket.Get(t.Context(), key, objstore.GetOptions{})
			require.NoError(t, err)
			require.False(t, bytes.Contains(data, []byte("span.user.id = ")), "the receipt does not name whom it was about")
		}
		require.NotNil(t, w.receipt(r))
	})
}

// TestEraseAllOfABlock leaves a block without rows, since a late writer may store
// the old one again.
func TestEraseAllOfABlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.compactor(nil)
		at(1, 1)
		w.batch(20)
		late := w.keys()[0]
		data, _, err := w.bucket.Get(t.Context(), late, objstore.GetOptions{})
		require.NoError(t, err)
		r := w.erase(w.some(1))
		w.idle()
		require.Equal(t, 1, w.cycle(c).Rewrites)
		require.Empty(t, w.traces())
		at(1, 33)
		w.cycle(c)
		require.NoError(t, w.bucket.Put(t.Context(), late, bytes.NewReader(data), objstore.PutOptions{}))
		require.Empty(t, w.traces())
		s := w.cycle(c)
		require.Equal(t, 1, s.Covered)
		require.Equal(t, 1, s.Pending)
		require.Equal(t, 1, w.cycle(c).Erased)
		require.Equal(t, 20, w.receipt(r).Spans)
	})
}

// TestEraseInAMerge: a merge leaves out what is erased, and no block is written
// anew for it.
func TestEraseInAMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.compactor(nil)
		w.hour(20)
		ids := w.some(5)
		r := w.erase(ids)
		at(2, 3)
		w.idle()
		s := w.cycle(c)
		require.Equal(t, 1, s.Merges)
		require.Zero(t, s.Rewrites)
		require.NotZero(t, s.Dropped)
		at(2, 40)
		w.cycle(c)
		require.Empty(t, w.holding(ids))
		require.Equal(t, 1, w.cycle(c).Erased)
		require.Equal(t, s.Dropped, w.receipt(r).Spans)
	})
}

// TestEraseWaitsForTheLog: neither what is in no block yet, nor the cut that a purge
// keeps, if it carries spans, nor a claim may be forgotten.
func TestEraseWaitsForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c := w.compactor(nil)
		ctx, stream := t.Context(), w.log.Stream(0)
		w.idle()
		ids := []schema.TraceID{{1}}
		wire := []byte{}
		for request := range corpus.Workload(1, 5, corpus.MixMicro) {
			wire = request
		}
		open, err := stream.Publish(ctx, wal.AppendPayload(nil, []wal.Entry{{Project: project, Wire: wire}}, true), "")
		require.NoError(t, err)
		require.NoError(t, w.bucket.Put(ctx, schema.ClaimName{Project: project, Partitions: 1, Epoch: 1, ID: strings.Repeat("a", 32)}.Key(), strings.NewReader("x"), objstore.PutOptions{}))
		r := w.erase(ids)
		waits := func() {
			t.Helper()
			require.Equal(t, compactor.Summary{Projects: 1, Pending: 1}, w.cycle(c))
			require.Nil(t, w.receipt(r))
		}
		waits() // the message is in no block
		require.NoError(t, stream.Purge(ctx, open))
		waits() // it is kept as the cut
		w.idle()
		waits() // the claim
		require.NoError(t, w.bucket.Delete(ctx, schema.ClaimName{Project: project, Partitions: 1, Epoch: 1, ID: strings.Repeat("a", 32)}.Key()))
		require.Equal(t, 1, w.cycle(c).Erased)
	})
}

// hooked is a bucket in which something happens at the end of a listing of blocks.
type hooked struct {
	objstore.Bucket

	listed func()
}

func (h hooked) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	return func(yield func(objstore.Object, error) bool) {
		for object, err := range h.Bucket.List(ctx, opts) {
			if !yield(object, err) {
				return
			}
		}
		if opts.Prefix == schema.ProjectPrefix(project) {
			h.listed()
		}
	}
}

// TestEraseWhileABatchIsStored: what is stored and purged after the listing is in
// neither, and must be waited for.
func TestEraseWhileABatchIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.batch(10)
		first := w.some(1)
		other := newWorld(t) // to learn what the next batch will be
		other.batch(10)
		other.batch(10)
		ids := slices.DeleteFunc(other.some(1), func(id schema.TraceID) bool { return slices.Contains(first, id) })
		state, err := w.log.Stream(0).State(t.Context())
		require.NoError(t, err)
		r := &erasure.Request{
			ID: erasure.NewID(time.Now()), Project: project, AcceptedAt: time.Now().UTC(), Traces: ids,
			Marks: []erasure.Mark{{Epoch: w.log.Stream(0).Epoch(), Position: state.Last + 1}},
		}
		require.NoError(t, erasure.NewStore(w.bucket).Accept(t.Context(), r))
		listings := 0
		bucket := hooked{w.bucket, func() {
			if listings++; listings == 1 {
				w.batch(10)
				w.idle()
			}
		}}
		c := compactor.New(config(), w.log, bucket, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		require.Equal(t, 1, w.cycle(c).Pending)
		require.NotEmpty(t, w.holding(ids))
		for range 3 {
			w.cycle(c)
			time.Sleep(31 * time.Minute)
		}
		require.Empty(t, w.holding(ids))
		require.Equal(t, 10, w.receipt(r).Spans)
		other.log.Close()
	})
}

var errDied = errors.New("the process was killed")

// dying is a bucket whose process dies at a write: before it, or after.
type dying struct {
	objstore.Bucket

	left  *int
	after bool
}

func (d dying) write(f func() error) error {
	if *d.left < 0 {
		return errDied
	}
	if *d.left--; *d.left >= 0 {
		return f()
	}
	if d.after {
		return errors.Join(f(), errDied)
	}
	return errDied
}

func (d dying) Put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	return d.write(func() error { return d.Bucket.Put(ctx, key, body, opts) })
}

func (d dying) Delete(ctx context.Context, key string) error {
	return d.write(func() error { return d.Bucket.Delete(ctx, key) })
}

// TestEraseSurvivesCrashes kills the compactor at each of its writes, before and
// after it, and lets another one go on.
func TestEraseSurvivesCrashes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for crash := 0; ; crash++ {
			w := newWorld(t)
			w.batch(60)
			w.batch(60)
			w.batch(60)
			all := w.traces()
			ids := w.some(4)
			gone := 0
			for _, id := range ids {
				gone += all[id]
				delete(all, id)
			}
			r := w.erase(ids)
			w.idle()
			left := crash / 2
			first := compactor.New(config(), w.log, dying{w.bucket, &left, crash%2 == 1}, nil, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
			for range 4 {
				_, err := first.Cycle(t.Context(), compactor.Run{})
				require.True(t, err == nil || errors.Is(err, errDied), "%v", err)
				time.Sleep(31 * time.Minute)
			}
			died := left < 0
			c := w.compactor(nil)
			for range 4 {
				w.cycle(c)
				time.Sleep(31 * time.Minute)
			}
			receipt := w.receipt(r)
			require.NotNil(t, receipt, "crash %d", crash)
			require.Equal(t, gone, receipt.Spans, "crash %d", crash)
			require.Empty(t, w.holding(ids), "crash %d", crash)
			require.Equal(t, all, w.traces(), "crash %d", crash)
			for _, key := range w.keys() {
				require.False(t, strings.HasPrefix(key, erasure.ProjectPrefix(project)) && !strings.Contains(key, "/receipts/"), "crash %d: %s", crash, key)
			}
			w.log.Close()
			if !died {
				require.GreaterOrEqual(t, crash, 16, "it writes so often")
				return
			}
		}
	})
}

// TestEraseInAClosedDay: days that are over, and are listed once an hour otherwise,
// are looked at while an erasure is pending.
func TestEraseInAClosedDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.batch(40)
		w.idle()
		c := w.compactor(nil)
		time.Sleep(5 * 24 * time.Hour)
		w.cycle(c)
		w.cycle(c)
		ids := w.some(2)
		r := w.erase(ids)
		s := w.cycle(c)
		require.Equal(t, 1, s.Rewrites)
		time.Sleep(31 * time.Minute)
		require.Equal(t, 1, w.cycle(c).Covered)
		require.Empty(t, w.holding(ids))
		require.Equal(t, 1, w.cycle(c).Erased)
		require.Equal(t, s.Dropped, w.receipt(r).Spans)
	})
}
