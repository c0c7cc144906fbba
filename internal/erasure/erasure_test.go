package erasure_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/schema"
)

func request(id int, traces ...byte) *erasure.Request {
	r := &erasure.Request{
		ID: fmt.Sprintf("20260115-100000-%08x", id), Project: "shop", By: "pk-sl-a", AcceptedAt: time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC),
		Where: `{ span.user.id = "u1" }`, Marks: []erasure.Mark{{Epoch: 5, Position: 100}, {Epoch: 5, Position: 7}},
	}
	for _, t := range traces {
		r.Traces = append(r.Traces, schema.TraceID{t})
	}
	return r
}

// TestUpTo: a request is about what was there when it was accepted.
func TestUpTo(t *testing.T) {
	for _, test := range []struct {
		name string
		at   erasure.Place
		want uint64
	}{
		{"the partition's mark", erasure.Place{Partition: 0, Partitions: 2, Epoch: 5}, 100},
		{"another one's", erasure.Place{Partition: 1, Partitions: 2, Epoch: 5}, 7},
		{"an earlier epoch", erasure.Place{Partition: 1, Partitions: 2, Epoch: 4}, math.MaxUint64},
		{"a later epoch", erasure.Place{Partition: 1, Partitions: 2, Epoch: 6}, 0},
		{"a log with fewer partitions", erasure.Place{Partition: 0, Partitions: 1, Epoch: 9}, math.MaxUint64},
		{"a log that has grown", erasure.Place{Partition: 3, Partitions: 4, Epoch: 5}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request(1, 1)
			require.Equal(t, test.want, r.UpTo(test.at))
			p := erasure.NewPending([]*erasure.Request{r})
			if test.want == 0 {
				require.Nil(t, p.At(test.at, 1))
				return
			}
			require.Equal(t, test.want, p.At(test.at, test.want).UpTo(schema.TraceID{1}))
			require.Zero(t, p.At(test.at, test.want).UpTo(schema.TraceID{2}))
			if test.want < math.MaxUint64 {
				require.Nil(t, p.At(test.at, test.want+1), "what begins behind the mark")
			}
		})
	}
}

// TestReach: of several requests the one that reaches furthest counts.
func TestReach(t *testing.T) {
	a, b := request(1, 1, 2), request(2, 2, 3)
	b.Marks = []erasure.Mark{{Epoch: 5, Position: 50}, {Epoch: 5, Position: 9}}
	p := erasure.NewPending([]*erasure.Request{a, b})
	at := erasure.Place{Partition: 0, Partitions: 2, Epoch: 5}
	all := p.At(at, 1)
	require.Equal(t, []uint64{100, 100, 50, 0}, []uint64{
		all.UpTo(schema.TraceID{1}), all.UpTo(schema.TraceID{2}), all.UpTo(schema.TraceID{3}), all.UpTo(schema.TraceID{4}),
	})
	require.Equal(t, []string{a.ID, b.ID}, all.Names())
	later := p.At(at, 51)
	require.Equal(t, []string{a.ID}, later.Names())
	require.Zero(t, later.UpTo(schema.TraceID{3}))
	require.Nil(t, (*erasure.Pending)(nil).At(at, 1))
	require.Nil(t, erasure.NewPending(nil))
	require.Equal(t, []*erasure.Request{b}, p.Only(b.ID).Requests())
	require.Nil(t, p.Only("x"))
}

// TestStore goes from a request to its receipt, also when that is cut short.
func TestStore(t *testing.T) {
	ctx, bucket := t.Context(), mem.New()
	s := erasure.NewStore(bucket)
	a, b := request(1, 1, 2), request(2, 3)
	require.NoError(t, s.Accept(ctx, a))
	require.NoError(t, s.Accept(ctx, b))
	require.ErrorIs(t, s.Accept(ctx, a), objstore.ErrExist)
	p, err := s.Pending(ctx, "shop", nil)
	require.NoError(t, err)
	require.Equal(t, []*erasure.Request{a, b}, p.Requests(), "as it was")
	again, err := s.Pending(ctx, "shop", p)
	require.NoError(t, err)
	require.Same(t, p, again)
	projects, err := s.Projects(ctx)
	require.NoError(t, err)
	require.Equal(t, []schema.ProjectID{"shop"}, projects)

	name := func(first, last uint64, level, generation int) string {
		return schema.BlockName{Project: "shop", Partitions: 2, Epoch: 5, First: first, Last: last, Level: level, Generation: generation}.Key()
	}
	now := time.Date(2026, 1, 15, 11, 0, 0, 0, time.UTC)
	require.NoError(t, s.Note(ctx, "shop", a.ID, []erasure.Replaced{{Object: name(5, 6, 0, 0), Spans: 3, By: name(1, 9, 1, 0), At: now}}))
	require.NoError(t, s.Note(ctx, "shop", a.ID, []erasure.Replaced{
		{Object: name(5, 6, 0, 0), Spans: 3, By: name(1, 9, 1, 1), At: now},
		{Object: name(1, 9, 1, 0), Spans: 4, By: name(1, 9, 1, 1), At: now},
		{Object: name(10, 10, 0, 0), Spans: 5, By: name(10, 10, 0, 1), At: now},
	}))
	require.NoError(t, s.NoteMedia(ctx, "shop", a.ID, []string{"media/shop/b", "media/shop/a"}))
	require.NoError(t, s.NoteMedia(ctx, "shop", a.ID, []string{"media/shop/c", "media/shop/b"}))
	_, progress, receipt, err := s.Find(ctx, "shop", a.ID)
	require.NoError(t, err)
	require.Nil(t, receipt)
	require.Len(t, progress.Replaced, 3)
	require.Equal(t, []string{"media/shop/a", "media/shop/b", "media/shop/c"}, progress.Media)
	require.Equal(t, 4+5, progress.Spans(), "a row counts in the object that had it last")

	first, err := s.Complete(ctx, a, erasure.Gone{Versions: 2, Media: 1, At: now})
	require.NoError(t, err)
	require.NoError(t, s.Accept(ctx, a), "as if it had died before the request was gone")
	_, err = s.Complete(ctx, a, erasure.Gone{At: now.Add(time.Hour)})
	require.NoError(t, err)
	_, _, receipt, err = s.Find(ctx, "shop", a.ID)
	require.NoError(t, err)
	require.Equal(t, first, receipt, "the receipt is never written again")
	require.Equal(t, 9, receipt.Spans)
	require.Equal(t, 1, receipt.Media)
	restored, err := receipt.Request()
	require.NoError(t, err)
	require.Equal(t, a.Traces, restored.Traces)
	done, err := s.Done(ctx, "shop")
	require.NoError(t, err)
	require.Equal(t, []string{a.ID}, done)
	p, err = s.Pending(ctx, "shop", p)
	require.NoError(t, err)
	require.Equal(t, []*erasure.Request{b}, p.Requests())
	for object, err := range bucket.List(ctx, objstore.ListOptions{Prefix: "erasures/shop/"}) {
		require.NoError(t, err)
		data, _, err := bucket.Get(ctx, object.Key, objstore.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, strings.Contains(object.Key, b.ID), bytes.Contains(data, []byte("u1")), object.Key)
	}
	for _, id := range []string{"x", "../settings", request(9, 1).ID} {
		_, _, _, err = s.Find(ctx, "shop", id)
		require.ErrorIs(t, err, erasure.ErrNotFound, id)
	}
}

// TestBadRequests: what cannot be understood must not be passed over.
func TestBadRequests(t *testing.T) {
	ctx := t.Context()
	for name, change := range map[string]func(*erasure.Request){
		"a project that is none":  func(r *erasure.Request) { r.Project = "../x" },
		"an id that is none":      func(r *erasure.Request) { r.ID = "x" },
		"no log":                  func(r *erasure.Request) { r.Marks = nil },
		"three partitions":        func(r *erasure.Request) { r.Marks = make([]erasure.Mark, 3) },
		"traces out of order":     func(r *erasure.Request) { r.Traces = []schema.TraceID{{2}, {1}} },
		"a trace twice":           func(r *erasure.Request) { r.Traces = []schema.TraceID{{2}, {2}} },
		"more traces than may be": func(r *erasure.Request) { r.Traces = many(erasure.MaxTraces + 1) },
	} {
		t.Run(name, func(t *testing.T) {
			r := request(1, 1)
			change(r)
			require.ErrorIs(t, erasure.NewStore(mem.New()).Accept(ctx, r), erasure.ErrRequest)
		})
	}
	most := request(1)
	most.Traces = many(erasure.MaxTraces)
	bucket := mem.New()
	s := erasure.NewStore(bucket)
	require.NoError(t, s.Accept(ctx, most))
	p, err := s.Pending(ctx, "shop", nil)
	require.NoError(t, err)
	require.Equal(t, most.Traces, p.Requests()[0].Traces)
	for _, text := range []string{"", "{}", `{"version":2}`, `{"version":1,"id":"20260115-100000-00000001","project":"other","log":[{}],"traces":[]}`} {
		require.NoError(t, bucket.Put(ctx, "erasures/shop/"+most.ID+".json", strings.NewReader(text), objstore.PutOptions{}))
		_, err = s.Pending(ctx, "shop", nil)
		require.ErrorIs(t, err, erasure.ErrRequest, text)
	}
}

func many(n int) []schema.TraceID {
	ids := make([]schema.TraceID, n)
	for i := range ids {
		ids[i] = schema.TraceID{1, byte(i >> 16), byte(i >> 8), byte(i)}
	}
	return ids
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"version":1,"id":"20260115-100000-00000001","project":"shop","log":[{"epoch":5,"position":100}],"traces":["01"]}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := erasure.ParseRequest(data)
		if err != nil {
			require.ErrorIs(t, err, erasure.ErrRequest)
			return
		}
		require.NoError(t, r.Validate())
		s := erasure.NewStore(mem.New())
		require.NoError(t, s.Accept(t.Context(), r))
		p, err := s.Pending(t.Context(), r.Project, nil)
		require.NoError(t, err)
		require.Equal(t, r.Traces, p.Requests()[0].Traces)
	})
}

// away is a bucket that counts its listings and may be away.
type away struct {
	objstore.Bucket

	lists int
	err   error
}

func (a *away) List(ctx context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	a.lists++
	if a.err != nil {
		return func(yield func(objstore.Object, error) bool) { yield(objstore.Object{}, a.err) }
	}
	return a.Bucket.List(ctx, opts)
}

// TestWatch: a request is seen after a second, which is one listing, and what was
// known last counts for a minute while the bucket is away.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := &away{Bucket: mem.New()}
		s := erasure.NewStore(bucket)
		w := erasure.NewWatch(s)
		pending := func() int {
			t.Helper()
			p, err := w.Pending(t.Context(), "shop")
			require.NoError(t, err)
			return len(p.Requests())
		}
		require.Zero(t, pending())
		require.NoError(t, s.Accept(t.Context(), request(1, 1)))
		time.Sleep(erasure.WatchInterval)
		require.Zero(t, pending())
		require.Equal(t, 1, bucket.lists)
		time.Sleep(time.Millisecond)
		require.Equal(t, 1, pending())
		require.Equal(t, 2, bucket.lists)
		require.NoError(t, s.Accept(t.Context(), request(2, 1)))
		require.NoError(t, w.Refresh(t.Context(), "shop"))
		require.Equal(t, 2, pending(), "at once where it was accepted")

		bucket.err = errors.New("away")
		time.Sleep(erasure.MaxStale - time.Millisecond)
		require.Equal(t, 2, pending())
		time.Sleep(time.Millisecond)
		_, err := w.Pending(t.Context(), "shop")
		require.ErrorContains(t, err, "away")
		bucket.err = nil
		require.Equal(t, 2, pending())
	})
}
