package sim_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/schema"
)

// layout is a way in which rows may lie when a query comes.
type layout struct {
	name string
	// parts says in which sources of how many a row lies. The first source is
	// live if live is set, the others are blocks.
	count int
	live  bool
	parts func(row, count int, rng *rand.Rand) []int
}

func layouts() []layout {
	anywhere := func(_, count int, rng *rand.Rand) []int { return []int{rng.IntN(count)} }
	return []layout{
		{"live", 1, true, func(int, int, *rand.Rand) []int { return []int{0} }},
		{"one block", 1, false, func(int, int, *rand.Rand) []int { return []int{0} }},
		{"five blocks", 5, false, func(row, count int, _ *rand.Rand) []int { return []int{row % count} }},
		{"blocks and live", 4, true, anywhere},
		{"half of it twice", 3, true, func(row, count int, rng *rand.Rand) []int {
			parts := anywhere(row, count, rng)
			if row%2 == 0 {
				parts = append(parts, rng.IntN(count))
			}
			return parts
		}},
	}
}

// place puts rows where the layout says, in one or two partitions.
func (l layout) place(t testing.TB, rows []schema.Span, rng *rand.Rand) [][]engine.Source {
	t.Helper()
	partitions := make([][]engine.Source, 1+rng.IntN(2))
	lists := make([][][]schema.Span, len(partitions))
	for i := range lists {
		lists[i] = make([][]schema.Span, l.count)
	}
	for i, row := range rows {
		lie := lists[row.TraceID.Partition(len(partitions))]
		for _, part := range l.parts(i, l.count, rng) {
			lie[part] = append(lie[part], row)
		}
	}
	for i, lie := range lists {
		for j, part := range lie {
			if l.live && j == 0 {
				partitions[i] = append(partitions[i], live(part))
			} else if len(part) > 0 {
				partitions[i] = append(partitions[i], store(t, part))
			}
		}
	}
	return partitions
}

// live is a segment: rows in the order of the log.
func live(rows []schema.Span) engine.Source {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b schema.Span) int { return cmp.Compare(a.Position, b.Position) })
	index := make(map[schema.TraceID][]int32)
	for i := range rows {
		index[rows[i].TraceID] = append(index[rows[i].TraceID], int32(i))
	}
	m := engine.NewMemory([][]schema.Span{rows}, func(id schema.TraceID) []int32 { return index[id] })
	var open []schema.TraceID
	for _, row := range rows {
		if row.Fragment != schema.FragmentNone {
			open = append(open, row.TraceID)
		}
	}
	slices.SortFunc(open, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) })
	m.SetOpen(slices.Compact(open), nil)
	return m
}

// stored is a block.
type stored struct{ *block.Reader }

var (
	_ engine.Summarizer     = stored{}
	_ engine.Lister         = stored{}
	_ engine.FragmentSource = stored{}
	_ engine.Fixed          = stored{}
	_ engine.Tabulator      = stored{}
	_ engine.KeyFinder      = stored{}
	_ engine.Totaler        = stored{}
)

// Identity tells the blocks of a test apart, whose keys are the same.
func (s stored) Identity() string { return fmt.Sprintf("%p", s.Reader) }

func (s stored) MayHold(_ context.Context, id schema.TraceID) (bool, error) {
	return s.MayContain(id), nil
}

// Derive keeps what follows from the pieces.
func (s stored) Derive(span *schema.Span) []byte { return span.Derived }

func (s stored) Times() (first, last uint64) { return s.Name().MinStart, s.Name().MaxEnd }

// store writes a block of rows and opens it.
func store(t testing.TB, rows []schema.Span) engine.Source {
	t.Helper()
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	object, err := block.Encode(schema.DefaultProject, rows)
	require.NoError(t, err)
	name := schema.BlockName{
		Project: schema.DefaultProject, Partitions: 1, Epoch: 1, First: 1, Last: 1, LogNanos: 1,
		MinStart: object.MinStart, MaxEnd: object.MaxEnd,
		Spans: uint64(object.Spans), TailBytes: uint64(object.TailBytes),
	}
	bucket := mem.New()
	require.NoError(t, bucket.Put(t.Context(), name.Key(), bytes.NewReader(object.Data), objstore.PutOptions{}))
	reader, err := block.Open(t.Context(), bucket, name.Key())
	require.NoError(t, err)
	return stored{reader}
}
