package block_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// opened are the readers of blocks of rows.
func opened(t testing.TB, parts ...[]schema.Span) []*block.Reader {
	t.Helper()
	readers := make([]*block.Reader, len(parts))
	for i, rows := range parts {
		readers[i] = openMemory(t, encode(t, rows))
	}
	return readers
}

func openMemory(t testing.TB, o *block.Object) *block.Reader {
	t.Helper()
	r, err := block.Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	return r
}

// openMerged opens what Merge has written and verifies its pages.
func openMerged(t *testing.T, m *block.Merged, data []byte) *block.Reader {
	t.Helper()
	require.Equal(t, m.Bytes, int64(len(data)))
	key := schema.BlockName{
		Project: project, Partitions: 1, First: 1, Last: 1 << 40, LogNanos: 1, Open: m.Open, Level: 1,
		MinStart: m.MinStart, MaxEnd: m.MaxEnd, Spans: uint64(m.Spans), TailBytes: uint64(m.TailBytes),
	}.Key()
	r, err := block.Open(t.Context(), memory(data), key)
	require.NoError(t, err)
	require.NoError(t, r.Verify(t.Context(), nil))
	return r
}

// folded are the rows that a merge of parts must have: of whole spans those that
// schema.Fold keeps, and every fragment once.
func folded(parts ...[]schema.Span) []schema.Span {
	var whole, fragments []schema.Span
	for _, row := range slices.Concat(parts...) {
		if row.Fragment == schema.FragmentNone {
			whole = append(whole, row)
			continue
		}
		if i := slices.IndexFunc(fragments, func(f schema.Span) bool { return sameButPosition(f, row) }); i < 0 {
			fragments = append(fragments, row)
		} else {
			fragments[i].Position = min(fragments[i].Position, row.Position)
		}
	}
	slices.SortStableFunc(whole, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	rows := append(schema.Fold(whole), fragments...)
	slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return rows
}

func sameButPosition(a, b schema.Span) bool {
	a.Position = b.Position
	return same(&a, &b)
}

// scattered deals rows out to n parts, some to several, as if they were delivered
// again later, and some with more in them.
func scattered(rng *rand.Rand, rows []schema.Span, n int) [][]schema.Span {
	parts := make([][]schema.Span, n)
	position := uint64(len(rows) + 1)
	for _, row := range rows {
		if rng.IntN(8) == 0 {
			row.Fragment, row.FragmentNanos = schema.Fragment(1+rng.IntN(2)), rng.Uint64N(3)
		}
		p := rng.IntN(n)
		parts[p] = append(parts[p], row)
		for rng.IntN(6) == 0 {
			again := row
			again.Position = position
			position++
			if rng.IntN(3) == 0 {
				again.StatusMessage += " more"
			}
			if rng.IntN(3) == 0 {
				again.StartNanos++
			}
			p = rng.IntN(n)
			parts[p] = append(parts[p], again)
		}
	}
	return parts
}

// TestMergeIsTheBlockOfAllRows merges random parts of random rows, with row groups
// and pages of every size, and compares with the rows that must stay.
func TestMergeIsTheBlockOfAllRows(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		rows := randomSpans(rng, shape{
			rows: rng.IntN(600), traces: 1 + rng.IntN(80), distinct: rng.IntN(30), nulls: rng.Float64(),
			payload: rng.IntN(300), wild: seed%4 == 0, resources: 1 + rng.IntN(5),
		})
		parts := scattered(rng, rows, 1+rng.IntN(7))
		want := folded(parts...)
		var out bytes.Buffer
		m, err := block.MergeWithLimits(t.Context(), &out, opened(t, parts...), 1+rng.IntN(200), 1+rng.IntN(700), 1+rng.IntN(1<<20))
		require.NoError(t, err, "seed %d", seed)
		require.Equal(t, len(slices.Concat(parts...))-len(want), m.Folded, "seed %d", seed)
		have, err := scanAll(t.Context(), openMerged(t, m, out.Bytes()))
		require.NoError(t, err)
		requireSame(t, want, have)
	}
}

// TestMergeOfAWorkload merges the blocks of a workload, and merges the result
// again with another block. Merged blocks are no larger.
func TestMergeOfAWorkload(t *testing.T) {
	spans, _ := decoded(t, slices.Collect(corpus.Workload(3, 10_000, corpus.MixBoth)))
	all := slices.Concat(spans...)
	var parts [][]schema.Span
	var unmerged int64
	for part := range slices.Chunk(all, 2_000) {
		parts = append(parts, part)
		unmerged += int64(len(encode(t, part).Data))
	}
	var first, second bytes.Buffer
	m, err := block.Merge(t.Context(), &first, opened(t, parts[1:]...), nil)
	require.NoError(t, err)
	read := 0
	m, err = block.Merge(t.Context(), &second, append(opened(t, parts[0]), openMerged(t, m, first.Bytes())), func(rows int) { read = rows })
	require.NoError(t, err)
	require.Equal(t, len(all), m.Spans)
	require.Equal(t, len(all), read)
	merged := openMerged(t, m, second.Bytes())
	require.NoError(t, merged.VerifyRows(t.Context(), nil))
	have, err := scanAll(t.Context(), merged)
	require.NoError(t, err)
	requireSame(t, folded(parts...), have)
	require.Less(t, m.Bytes, unmerged)
	require.Less(t, m.Bytes, int64(len(encode(t, all).Data)))
}

func TestMergeOfNoRows(t *testing.T) {
	var out bytes.Buffer
	m, err := block.Merge(t.Context(), &out, opened(t, nil, nil), nil)
	require.NoError(t, err)
	require.Zero(t, m.Spans)
	openMerged(t, m, out.Bytes())
}

func TestMergeRefuses(t *testing.T) {
	rows := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 20, traces: 3})
	_, err := block.Merge(t.Context(), &bytes.Buffer{}, nil, nil)
	require.ErrorContains(t, err, "there are none")

	o, err := block.Encode("other", rows)
	require.NoError(t, err)
	key := schema.BlockName{
		Project: "other", Partitions: 1, First: 1, Last: 9, LogNanos: 1,
		MinStart: o.MinStart, MaxEnd: o.MaxEnd, Spans: uint64(o.Spans), TailBytes: uint64(o.TailBytes),
	}.Key()
	other, err := block.Open(t.Context(), memory(o.Data), key)
	require.NoError(t, err)
	_, err = block.Merge(t.Context(), &bytes.Buffer{}, append(opened(t, rows), other), nil)
	require.ErrorContains(t, err, "is not of project proj")

	_, err = block.Merge(t.Context(), fullDisk{}, opened(t, rows, rows), nil)
	require.ErrorIs(t, err, errFull)
}

// TestMergeEndsWithItsInputs merges while an input is deleted.
func TestMergeEndsWithItsInputs(t *testing.T) {
	rows := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 200, traces: 30, payload: 100})
	o := encode(t, rows)
	source := &vanishing{memory: memory(o.Data), left: 3}
	r, err := block.Open(t.Context(), source, keyOf(o))
	require.NoError(t, err)
	_, err = block.Merge(t.Context(), &bytes.Buffer{}, []*block.Reader{r}, nil)
	require.ErrorIs(t, err, objstore.ErrNotExist)
}

// vanishing is an object that is deleted after some reads.
type vanishing struct {
	memory

	left int
}

func (v *vanishing) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if v.left--; v.left < 0 {
		return nil, objstore.Object{}, objstore.ErrNotExist
	}
	return v.memory.Get(ctx, key, opts)
}

// fullDisk is a disk that is full.
type fullDisk struct{}

var errFull = objstore.ErrTransient

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
