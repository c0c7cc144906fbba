package vec_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/vec"
)

// rows are the answers of a bitmap, one per row.
type rows []bool

func (r rows) bitmap() vec.Bitmap {
	b := vec.NewBitmap(len(r))
	for i, in := range r {
		if in {
			b.Set(i)
		}
	}
	return b
}

// randomRows are dense, sparse, or full of runs.
func randomRows(rng *rand.Rand, n int) rows {
	r := make(rows, n)
	density, run, in := 1+rng.IntN(9), 1+rng.IntN(1+rng.IntN(90)), false
	for i := range r {
		if i == 0 || rng.IntN(run) == 0 {
			in = rng.IntN(10) < density
		}
		r[i] = in
	}
	return r
}

func TestBitmapOfRows(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := range 300 {
		r, other := randomRows(rng, n), randomRows(rng, n)
		b := r.bitmap()
		require.Len(t, b, (n+63)/64)
		count := 0
		both, without := make(rows, n), make(rows, n)
		for i, in := range r {
			require.Equal(t, in, b.Has(i))
			if in {
				count++
			}
			both[i], without[i] = in && other[i], in && !other[i]
		}
		require.Equal(t, count, b.Count())
		require.Equal(t, count > 0, b.Any())

		c := b.Clone()
		c.And(other.bitmap())
		require.Equal(t, both.bitmap(), append(vec.NewBitmap(0), c...))
		c = b.Clone()
		c.AndNot(other.bitmap())
		require.Equal(t, without.bitmap(), append(vec.NewBitmap(0), c...))
		require.Equal(t, count, b.Count(), "a clone shares no words")

		for i := range r {
			c.Set(i)
			require.True(t, c.Has(i))
			c.Unset(i)
			require.False(t, c.Has(i))
		}
		require.False(t, c.Any())
		b.Clear()
		require.False(t, b.Any())

		full := vec.FullBitmap(n)
		require.Equal(t, n, full.Count())
		for i := range n {
			require.True(t, full.Has(i))
		}
	}
}

func TestBitmapNext(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 100 {
		n := rng.IntN(300)
		r := randomRows(rng, n)
		b := r.bitmap()
		for from := range n + 130 {
			want := from
			for want < n && !r[want] {
				want++
			}
			have := b.Next(from)
			if want >= n {
				require.GreaterOrEqual(t, have, n)
			} else {
				require.Equal(t, want, have)
			}
			for _, to := range []int{from, from + 1, from + rng.IntN(200)} {
				require.Equal(t, want < min(n, to), b.AnyIn(from, to), "%d to %d", from, to)
				count := 0
				for i := from; i < min(n, to); i++ {
					if r[i] {
						count++
					}
				}
				require.Equal(t, count, b.CountIn(min(from, n), min(n, to)), "%d to %d", from, to)
			}
		}
	}
}

func TestBitmapExtractAndKeep(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	var part vec.Bitmap // reused, as pages do
	for _, n := range []int{0, 1, 63, 64, 65, 128, 200, 257} {
		for from := range n + 1 {
			r := randomRows(rng, n)
			for to := from; to <= n; to++ {
				b := r.bitmap()
				part = b.Extract(part, from, to)
				require.Equal(t, append(vec.NewBitmap(0), r[from:to].bitmap()...), append(vec.NewBitmap(0), part...), "%d to %d of %d", from, to, n)

				kept := randomRows(rng, to-from)
				want := append(rows(nil), r...)
				for i, keep := range kept {
					want[from+i] = want[from+i] && keep
				}
				b.Keep(from, to-from, kept.bitmap())
				require.Equal(t, want.bitmap(), b, "%d to %d of %d", from, to, n)
			}
		}
	}
}

func BenchmarkBitmapExtractAndKeep(b *testing.B) {
	rng := rand.New(rand.NewPCG(4, 4))
	const n, page = 250_000, 4096
	all := randomRows(rng, n).bitmap()
	var part vec.Bitmap
	b.ReportAllocs()
	for b.Loop() {
		for from := 13; from+page <= n; from += page {
			part = all.Extract(part, from, from+page)
			all.Keep(from, page, part)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
