package engine

import (
	"math"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// labelBucket is the label of a histogram's bucket, labelQuantile that of a
// quantile.
const (
	labelBucket   = "__bucket"
	labelQuantile = "p"
)

// directBuckets is the number of exponents, from 0 on, whose places are found
// without a map: those of ints.
const directBuckets = 64

// bucketTally counts numbers by power of two.
type bucketTally struct {
	steps      int
	isDuration bool
	direct     []int32             // by group and exponent: place plus one
	others     map[bucketKey]int32 // place of further exponents
	buckets    []bucketKey         // by place
	cells      []uint64            // by place and step
	taken      int                 // bytes
}

// bucketKey names a bucket of a group.
type bucketKey struct {
	group    int32
	exponent int32
}

func (t *bucketTally) grow() int {
	t.direct = append(t.direct, make([]int32, directBuckets)...)
	return directBuckets * 4
}

func (t *bucketTally) bytes() int {
	n := t.taken
	t.taken = 0
	return n
}

func (t *bucketTally) add(group, step int32, n quantity, measured bool) {
	if !measured {
		return
	}
	if exponent := n.bucket(t.isDuration); exponent != noBucket {
		t.cells[t.place(group, exponent)*t.steps+int(step)]++
	}
}

// place finds the cells of a bucket, or makes them.
func (t *bucketTally) place(group int32, exponent int) int {
	isDirect := exponent >= 0 && exponent < directBuckets
	if isDirect {
		if i := t.direct[int(group)*directBuckets+exponent]; i > 0 {
			return int(i - 1)
		}
	}
	key := bucketKey{group, int32(exponent)} //nolint:gosec // of a float
	if i, ok := t.others[key]; ok {
		return int(i)
	}
	i := len(t.buckets)
	t.buckets = append(t.buckets, key)
	t.cells = append(t.cells, make([]uint64, t.steps)...)
	t.taken += t.steps * cellBytes
	if isDirect {
		t.direct[int(group)*directBuckets+exponent] = int32(i + 1) //nolint:gosec // bounded by memory
	} else {
		if t.others == nil {
			t.others = make(map[bucketKey]int32)
		}
		t.others[key] = int32(i) //nolint:gosec // bounded by memory
	}
	return i
}

// of lists the places of a group's buckets, the smallest first.
func (t *bucketTally) of(group int32) []int {
	var places []int
	for exponent := range directBuckets {
		if i := t.direct[int(group)*directBuckets+exponent]; i > 0 {
			places = append(places, int(i-1))
		}
	}
	for key, i := range t.others {
		if key.group == group {
			places = append(places, int(i))
		}
	}
	slices.SortFunc(places, func(a, b int) int { return int(t.buckets[a].exponent - t.buckets[b].exponent) })
	return places
}

func (t *bucketTally) merge(group int32, other tally, from int32, at int) {
	o := bucketsOf(other)
	for _, i := range o.of(from) {
		more := cellsOf(o.cells, int32(i), o.steps) //nolint:gosec // a place
		if from, to := window(o.steps, t.steps, at); noneOf(more[from:to], func(n uint64) bool { return n > 0 }) {
			continue // a bucket is there once something is in it
		}
		place := t.place(group, int(o.buckets[i].exponent))
		into, more := sameSteps(cellsOf(t.cells, int32(place), t.steps), more, at) //nolint:gosec // a place
		for s, n := range more {
			into[s] += n
		}
	}
}

func (t *bucketTally) empty(group int32, from, to int) bool {
	return noneOf(t.of(group), func(i int) bool {
		return !noneOf(cellsOf(t.cells, int32(i), t.steps)[from:to], func(n uint64) bool { return n > 0 }) //nolint:gosec // a place
	})
}

func (t *bucketTally) size() int {
	const bucketBytes, otherBytes = 8, 40
	return cellBytes*cap(t.cells) + 4*cap(t.direct) + bucketBytes*cap(t.buckets) + otherBytes*len(t.others)
}

func bucketsOf(t tally) *bucketTally {
	if q, ok := t.(*quantileTally); ok {
		return &q.bucketTally
	}
	b, _ := t.(*bucketTally)
	return b
}

// bound is the upper bound of a bucket as it is shown.
func (t *bucketTally) bound(place int) float64 {
	return math.Ldexp(1, int(t.buckets[place].exponent)) / unit(t.isDuration)
}

func (t *bucketTally) points(group int32, yield func(schema.Attribute, []float64)) {
	for _, i := range t.of(group) {
		values := make([]float64, t.steps)
		for s, n := range t.cells[i*t.steps:][:t.steps] {
			values[s] = float64(n)
		}
		yield(doubleLabel(labelBucket, t.bound(i)), values)
	}
}

func doubleLabel(key string, v float64) schema.Attribute {
	return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindDouble, Double: v}}
}

// quantileTally is a bucketTally of which quantiles are shown.
type quantileTally struct {
	bucketTally

	quantiles []float64
}

func (t *quantileTally) points(group int32, yield func(schema.Attribute, []float64)) {
	places := t.of(group)
	if len(places) == 0 {
		return
	}
	for _, q := range t.quantiles {
		values := make([]float64, t.steps)
		for s := range values {
			values[s] = t.quantile(places, s, q)
		}
		yield(doubleLabel(labelQuantile, q), values)
	}
}

// quantile estimates the value that a share of q of the numbers of a step is
// no larger than: within a bucket numbers are taken to lie evenly on a
// logarithmic scale. It is 0 for a step without numbers.
func (t *quantileTally) quantile(places []int, step int, q float64) float64 {
	var total uint64
	for _, i := range places {
		total += t.cells[i*t.steps+step]
	}
	rank := max(1, uint64(math.Ceil(q*float64(total))))
	for _, i := range places {
		n := t.cells[i*t.steps+step]
		if n == 0 || rank > n {
			rank -= min(rank, n)
			continue
		}
		if rank == n {
			return t.bound(i)
		}
		share := float64(rank) / float64(n)
		return t.bound(i) * math.Exp2(share-1)
	}
	return 0
}
