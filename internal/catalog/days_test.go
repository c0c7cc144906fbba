package catalog_test

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/wal"
	logmem "github.com/spanlake/spanlake/internal/wal/mem"
	"github.com/spanlake/spanlake/schema"
)

// names is a bucket of blocks without content, by folder. It counts requests as
// S3 does: one for each thousand entries of a listing.
type names struct {
	objstore.Bucket

	folders map[string][]string
	lists   atomic.Int64
}

const pageKeys = 1000

func (n *names) List(_ context.Context, opts objstore.ListOptions) iter.Seq2[objstore.Object, error] {
	keys := n.folders[opts.Prefix]
	if opts.Delimiter {
		keys = slices.Sorted(maps.Keys(n.folders))
	}
	return func(yield func(objstore.Object, error) bool) {
		n.lists.Add(1)
		for i, key := range keys {
			if i > 0 && i%pageKeys == 0 {
				n.lists.Add(1)
			}
			if !yield(objstore.Object{Key: key}, nil) {
				return
			}
		}
	}
}

// taken is how many listing requests there were since it was last asked.
func (n *names) taken() int { return int(n.lists.Swap(0)) }

// month is a project of a hundred thousand blocks, received over 30 days, whose
// log is at noon of the next one.
type month struct {
	t      testing.TB
	now    time.Time
	log    *logmem.Log
	bucket *names
	c      *catalog.Catalog
	last   *catalog.View
}

const (
	monthDays  = 30
	monthBlock = 100_000
	perDay     = monthBlock / monthDays
)

func newMonth(t testing.TB) *month {
	t.Helper()
	m := &month{t: t, now: time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC), bucket: &names{folders: make(map[string][]string)}}
	m.log = logmem.New(logmem.Options{Partitions: 4, Now: func() time.Time { return m.now }})
	m.c = catalog.New(m.bucket, m.log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	for i := range monthDays * perDay {
		m.store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i)*24*time.Hour/perDay), i%4, uint64(i+1))
	}
	return m
}

// store puts the name of a block of one message that was received then.
func (m *month) store(received time.Time, partition int, position uint64) {
	m.t.Helper()
	n := schema.BlockName{
		Project: "p", Partition: partition, Partitions: 4, Epoch: 1, First: position, Last: position, LogNanos: uint64(received.UnixNano()),
		MinStart: uint64(received.UnixNano()), MaxEnd: uint64(received.UnixNano()), Spans: 1, TailBytes: 1,
	}
	folder := schema.DayPrefix("p", time.Unix(0, int64(n.LogNanos)))
	m.bucket.folders[folder] = append(m.bucket.folders[folder], n.Key()) // S3 has them in order, which nothing here asks for
}

// cut adds a kept cut and one more message to a partition's log.
func (m *month) cut(partition int) {
	m.t.Helper()
	s := m.log.Stream(partition)
	_, err := s.Publish(m.t.Context(), wal.CutMarker(), "")
	require.NoError(m.t, err)
	at, err := s.Publish(m.t.Context(), wal.CutMarker(), "")
	require.NoError(m.t, err)
	require.NoError(m.t, s.Purge(m.t.Context(), at))
	_, err = s.Publish(m.t.Context(), wal.AppendPayload(nil, nil, false), "")
	require.NoError(m.t, err)
}

// moved is what a query does when live data begins after its view's floor.
type moved struct{ log *logmem.Log }

func (l moved) Tail(ctx context.Context, _ schema.ProjectID, partition int, _ uint64) (catalog.Tail, error) {
	s := l.log.Stream(partition)
	state, err := s.State(ctx)
	return catalog.Tail{Epoch: s.Epoch(), From: state.Floor() + 1}, err
}

// query joins, as a query does, and returns how many blocks there are and how
// many listing requests it took.
func (m *month) query(old *catalog.View) (blocks, lists int) {
	m.t.Helper()
	m.bucket.taken()
	joined, err := m.c.Join(m.t.Context(), moved{m.log}, "p", []int{0, 1, 2, 3}, old)
	require.NoError(m.t, err)
	m.last = joined.View
	return len(joined.Blocks), m.bucket.taken()
}

// What a listing costs for a project of a hundred thousand blocks: 121 requests
// once per process, and from then on those for the days that are not over.
func TestListingRequests(t *testing.T) {
	m := newMonth(t)
	for p := range 4 {
		m.cut(p)
	}
	blocks, lists := m.query(nil)
	require.Equal(t, monthDays*perDay, blocks)
	require.Equal(t, 1+monthDays*4, lists, "the folders, and 3,333 blocks of each day, a thousand at a time")
	blocks, lists = m.query(nil)
	require.Equal(t, monthDays*perDay, blocks)
	require.Zero(t, lists, "the view is there")

	for i := range 5 { // blocks are stored, and the log moves on
		m.now = m.now.Add(time.Minute)
		m.store(m.now, 0, uint64(200_000+i))
		m.cut(0)
		blocks, lists = m.query(nil)
		require.Equal(t, monthDays*perDay+i+1, blocks)
		require.Equal(t, 1+4+1, lists, "the folders, yesterday and today")
	}
	blocks, lists = m.query(m.last)
	require.Equal(t, monthDays*perDay+5, blocks)
	require.True(t, slices.IsSortedFunc(m.last.Blocks(), func(a, b schema.BlockName) int { return schema.CompareCover(&a, &b) }))
	require.Equal(t, 1+monthDays*4+1, lists, "a block was gone: all anew")
}

// A day is closed only when nothing that is still in the log can belong to it.
func TestDaysThatAreNotClosed(t *testing.T) {
	m := newMonth(t)
	yesterday, before := m.now.Add(-24*time.Hour), m.now.Add(-48*time.Hour)
	for p := range 3 {
		m.cut(p)
	}
	// A message of two days ago is not in a block yet.
	now := m.now
	m.now = before
	m.cut(3)
	m.now = now
	all, _ := m.query(nil)

	m.store(before, 3, 300_000)
	m.cut(3)
	blocks, lists := m.query(nil)
	require.Equal(t, all+1, blocks, "it is now")
	require.Equal(t, 1+3*4, lists, "with what a clock may be put back by, three days were open: only of them there is no listing")

	m.store(yesterday.Add(time.Hour), 1, 300_001) // the clock was put back
	m.cut(1)
	blocks, lists = m.query(nil)
	require.Equal(t, all+2, blocks)
	require.Equal(t, 1+4, lists, "of today there is no block")
}

// idle leaves nothing but a kept cut in a partition's log.
func (m *month) idle(partition int) {
	m.t.Helper()
	s := m.log.Stream(partition)
	for range 2 {
		_, err := s.Publish(m.t.Context(), wal.CutMarker(), "")
		require.NoError(m.t, err)
	}
	state, err := s.State(m.t.Context())
	require.NoError(m.t, err)
	require.NoError(m.t, s.Purge(m.t.Context(), state.Last))
}

// Partitions to which nothing comes keep no day open, however old their cuts are.
// When nothing comes to any, this machine's clock closes none: the log's may be
// behind.
func TestIdlePartitions(t *testing.T) {
	m := newMonth(t)
	now := m.now
	m.now = time.Date(2026, 1, 4, 0, 0, 0, 0, time.UTC)
	for p := range 4 {
		m.idle(p)
	}
	all, lists := m.query(nil)
	require.Equal(t, 1+monthDays*4, lists)
	_, lists = m.query(m.last)
	require.Equal(t, 1+monthDays*4, lists, "a block was gone")
	m.store(time.Date(2026, 1, 9, 0, 0, 0, 0, time.UTC), 0, 500_000) // by a clock that is far behind ours
	m.cut(0)
	blocks, lists := m.query(nil)
	require.Equal(t, all+1, blocks)
	require.Equal(t, 1+(monthDays-2)*4, lists, "all but those that had ended a day before the last message")

	m.now = now
	m.cut(0)
	m.query(nil)
	m.cut(0)
	_, lists = m.query(nil)
	require.Equal(t, 1+4, lists, "three partitions have had nothing for weeks")
}

// A folder whose blocks are all gone is forgotten, and a new one of long ago seen.
func TestFoldersComeAndGo(t *testing.T) {
	m := newMonth(t)
	for p := range 4 {
		m.cut(p)
	}
	all, _ := m.query(nil)
	delete(m.bucket.folders, "blocks/p/2026-01-01/")
	m.store(time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), 0, 400_000)
	m.cut(0)
	blocks, _ := m.query(nil)
	require.Equal(t, all-perDay+1, blocks)
}

// BenchmarkList finds the blocks of a project of a hundred thousand: when all are
// listed, when none need be, and when only the last days are.
func BenchmarkList(b *testing.B) {
	m := newMonth(b)
	for p := range 4 {
		m.cut(p)
	}
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.query(m.last)
		}
	})
	b.Run("none", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.query(nil)
		}
	})
	b.Run("open days", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.cut(0)
			m.query(nil)
		}
	})
}

// Whatever is stored when, and however the log's clock is put back by less than a
// day meanwhile, a listing that leaves closed days out has every block.
func TestCachedListingsMissNothing(t *testing.T) {
	const partitions = 2
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 11))
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		skew := time.Duration(0)
		m := &month{t: t, now: now, bucket: &names{folders: make(map[string][]string)}}
		m.log = logmem.New(logmem.Options{Partitions: partitions, Now: func() time.Time { return m.now }})
		m.c = catalog.New(m.bucket, m.log, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
		type batch struct {
			first time.Time
			cut   uint64
		}
		var open [partitions][]batch // in the log, the last one without its cut
		for p := range partitions {  // the first message of a log is never a kept cut
			_, err := m.log.Stream(p).Publish(t.Context(), wal.CutMarker(), "")
			require.NoError(t, err)
		}
		stored := 0
		for range 300 {
			now = now.Add(time.Duration(random.Int64N(int64(4 * time.Hour))))
			if random.IntN(6) == 0 {
				skew = -time.Duration(random.Int64N(int64(24 * time.Hour)))
			}
			m.now = now.Add(skew)
			p := random.IntN(partitions)
			if random.IntN(40) == 0 {
				now = now.Add(100 * time.Hour) // nothing comes
			}
			if n := len(open[p]); n == 0 || open[p][n-1].cut > 0 {
				open[p] = append(open[p], batch{first: m.now})
			}
			at, err := m.log.Stream(p).Publish(t.Context(), wal.CutMarker(), "")
			require.NoError(t, err)
			open[p][len(open[p])-1].cut = at
			for len(open[p]) > 0 && random.IntN(3) > 0 { // else the builder is late
				b := open[p][0]
				open[p] = open[p][1:]
				m.store(b.first, p, b.cut)
				stored++
				require.NoError(t, m.log.Stream(p).Purge(t.Context(), b.cut))
			}
			if random.IntN(4) == 0 {
				joined, err := m.c.Join(t.Context(), moved{m.log}, "p", []int{0, 1}, nil)
				require.NoError(t, err)
				require.Len(t, joined.Blocks, stored, "seed %d", seed)
			}
		}
		m.log.Close()
	}
}
