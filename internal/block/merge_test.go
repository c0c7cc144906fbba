package block_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
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
	r, err := block.Open(t.Context(), memory(data), mergedKey(m))
	require.NoError(t, err)
	require.NoError(t, r.Verify(t.Context(), nil))
	return r
}

// mergedKey is the key of a block that was merged.
func mergedKey(m *block.Merged) string {
	return schema.BlockName{
		Project: project, Partitions: 1, First: 1, Last: 1 << 40, LogNanos: 1, Open: m.Open, Level: 1,
		MinStart: m.MinStart, MaxEnd: m.MaxEnd, Spans: uint64(m.Spans), TailBytes: uint64(m.TailBytes),
	}.Key()
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
	return same(&a, &b) && bytes.Equal(a.Attributes, b.Attributes) && bytes.Equal(a.Derived, b.Derived)
}

// scattered deals rows out to n parts, some to several, as if they were delivered
// again later, and some with more in them.
func scattered(rng *rand.Rand, rows []schema.Span, n int) [][]schema.Span {
	parts := make([][]schema.Span, n)
	position := uint64(len(rows) + 1)
	for _, row := range rows {
		if rng.IntN(8) == 0 {
			row.Fragment, row.FragmentNanos = schema.Fragment(1+rng.IntN(int(schema.MaxFragment))), rng.Uint64N(3)
			if len(row.Name)%3 == 0 {
				row.StartNanos, row.EndNanos, row.FragmentNanos = 0, 0, row.StartNanos+1e18
			}
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
		all := len(slices.Concat(parts...))
		readers, opts := opened(t, parts...), block.MergeOptions{}
		if seed%3 == 0 {
			opts.Drop = dropSome(rng, rows)
			parts = leftBy(opts.Drop, parts)
		}
		want := folded(parts...)
		var out bytes.Buffer
		limits := block.Limits{PageRows: 1 + rng.IntN(200), GroupRows: 1 + rng.IntN(700)}
		m, err := block.MergeLimited(t.Context(), &out, readers, opts, limits, 1+rng.IntN(1<<20))
		require.NoError(t, err, "seed %d", seed)
		require.Equal(t, all-len(slices.Concat(parts...)), m.Dropped, "seed %d", seed)
		require.Equal(t, all-m.Dropped-len(want), m.Folded, "seed %d", seed)
		have, err := scanAll(t.Context(), openMerged(t, m, out.Bytes()))
		require.NoError(t, err)
		requireSame(t, want, have)
	}
}

// TestMergeIsWhatEncodeMakes merges parts of rows with attributes, in blocks that have
// other columns, row groups and pages than the output, and compares with the block
// of the rows that must stay: all that is said of its traces, and what VerifyRows
// makes of every row, column by column.
func TestMergeIsWhatEncodeMakes(t *testing.T) {
	ctx := t.Context()
	for i, tt := range blockShapes() {
		for seed := range max(uint64(3)/thinning, 1) {
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			rows := tt.spans(seed)
			if rows = rows[:min(len(rows), 800)]; seed%3 > 0 {
				rows = asDecoded(rows)
			}
			parts := scattered(rng, rows, 1+rng.IntN(7))
			var readers []*block.Reader
			for i, part := range parts {
				o, err := block.EncodeLimited(project, part, block.Limits{
					PageRows: 1 + rng.IntN(300), GroupRows: 1 + rng.IntN(600), FrameBytes: 1 + rng.IntN(50), Columns: 1 + rng.IntN(60), ColumnRows: 1 + rng.IntN(9),
				})
				require.NoError(t, err)
				key := keyOf(o)
				if rng.IntN(2) == 0 {
					key = strings.Replace(key, "_L0g", "_L1g", 1) // so that pages of content go over as they are
				}
				r, err := block.Open(ctx, memory(o.Data), key)
				require.NoError(t, err)
				readers = append(readers, r)
				parts[i], err = scanAll(ctx, readers[i]) // attributes may have been turned around
				require.NoError(t, err)
			}
			tt.limits.Columns, tt.limits.ColumnRows, tt.limits.FrameBytes = 1+rng.IntN(60), 1+rng.IntN(9), 1+rng.IntN(80)
			var out bytes.Buffer
			m, err := block.MergeLimited(ctx, &out, readers, block.MergeOptions{}, tt.limits, 1+rng.IntN(1<<20))
			require.NoError(t, err, "%s, seed %d", tt.name, seed)
			want := folded(parts...)
			o, err := block.EncodeLimited(project, want, tt.limits)
			require.NoError(t, err)
			merged, encoded := openMerged(t, m, out.Bytes()), openMemory(t, o)
			requireBlock(t, merged, want)
			if seed%3 > 0 {
				require.NoError(t, merged.VerifyRows(ctx, nil), "%s, seed %d", tt.name, seed)
			}
			require.Equal(t, o.Open, m.Open)
			require.Equal(t, o.MinStart, m.MinStart)
			require.Equal(t, o.MaxEnd, m.MaxEnd)
			require.Equal(t, saidOfTraces(t, encoded), saidOfTraces(t, merged), "%s, seed %d", tt.name, seed)
			requirePutTogether(t, out.Bytes(), want)
		}
	}
}

// saidOfTraces is what a block says of traces without a look at their rows.
func saidOfTraces(t *testing.T, r *block.Reader) (said []any) {
	t.Helper()
	held, err := r.Held(t.Context())
	require.NoError(t, err)
	open, err := r.OpenTraces(t.Context())
	require.NoError(t, err)
	totals, err := r.Totals(t.Context(), always(), vec.Column{{Scope: vec.ScopeIntrinsic, Key: vec.Duration}})
	require.NoError(t, err)
	said = append(said, held.IDs, held.Unfolded, open, totals)
	for hits, err := range r.Find(t.Context(), always()) {
		require.NoError(t, err)
		for _, hit := range hits {
			said = append(said, hit)
		}
	}
	return said
}

// requirePutTogether reads attributes as any Parquet reader does.
func requirePutTogether(t *testing.T, data []byte, spans []schema.Span) {
	t.Helper()
	rows, f := readParquet(t, data)
	require.Len(t, rows, len(spans))
	names := attributeColumns(f)
	for i, row := range rows {
		have := putTogether(t, row, names, "span.", block.ColumnShape, block.ColumnAttributes)
		require.Equal(t, string(keysFirst(spans[i].Attributes)), string(keysFirst([]byte(have))), "row %d", i)
		have = putTogether(t, row, names, "derived.", block.ColumnDerivedShape, block.ColumnDerived)
		require.Equal(t, string(keysFirst(spans[i].Derived)), string(keysFirst([]byte(have))), "row %d", i)
	}
}

// dropSome leaves out some traces of rows up to some position.
func dropSome(rng *rand.Rand, rows []schema.Span) func(schema.TraceID) uint64 {
	upTo := map[schema.TraceID]uint64{}
	for i := range rows {
		if rng.IntN(4) == 0 {
			upTo[rows[i].TraceID] = rows[rng.IntN(len(rows))].Position
		}
	}
	return func(id schema.TraceID) uint64 { return upTo[id] }
}

// leftBy are the rows of parts that are not left out.
func leftBy(drop func(schema.TraceID) uint64, parts [][]schema.Span) [][]schema.Span {
	kept := make([][]schema.Span, len(parts))
	for i, part := range parts {
		for _, row := range part {
			if upTo := drop(row.TraceID); upTo == 0 || row.Position > upTo {
				kept[i] = append(kept[i], row)
			}
		}
	}
	return kept
}

// TestMergeLeavesNoTraceOfWhatIsLeftOut merges rows of which some are left out, and
// compares with the merge of the others.
func TestMergeLeavesNoTraceOfWhatIsLeftOut(t *testing.T) {
	pages, _ := decoded(t, slices.Collect(corpus.Workload(4, 3_000, corpus.MixBoth)))
	var parts [][]schema.Span
	for part := range slices.Chunk(slices.Concat(pages...), 1_000) {
		parts = append(parts, part)
	}
	secret := parts[0][0]
	secret.TraceID, secret.Name, secret.Position = traceID(1), "a secret", 7
	text := schema.Value{Kind: schema.KindString, Str: "a secret value"}
	secret.Attributes = otlp.AppendKeyValue(nil, spanAttributes, "secret.key", text)
	secret.Resource = &schema.Resource{Wire: protowire.AppendBytes([]byte{0x0a}, otlp.AppendKeyValue(nil, 1, "secret.key", text))}
	for i := range 20 { // enough for a column
		secret.SpanID[0] = byte(i)
		parts[i%len(parts)] = append(parts[i%len(parts)], secret)
	}
	drop := func(id schema.TraceID) uint64 {
		if id == secret.TraceID {
			return secret.Position
		}
		return 0
	}
	var with, without bytes.Buffer
	m, err := block.Merge(t.Context(), &with, opened(t, parts...), block.MergeOptions{Drop: drop})
	require.NoError(t, err)
	require.Equal(t, 20, m.Dropped)
	_, err = block.Merge(t.Context(), &without, opened(t, leftBy(drop, parts)...), block.MergeOptions{})
	require.NoError(t, err)
	require.True(t, bytes.Equal(without.Bytes(), with.Bytes()))
	require.False(t, openMerged(t, m, with.Bytes()).MayContain(secret.TraceID))
}

// TestMergeKeepsWhatItWasSiftedBy: with the block, and not with what is made of it.
func TestMergeKeepsWhatItWasSiftedBy(t *testing.T) {
	rows := randomSpans(rand.New(rand.NewPCG(1, 2)), shape{rows: 50, traces: 10, payload: 20, resources: 3})
	inputs := opened(t, rows)
	for _, want := range []string{"rules", ""} {
		var out bytes.Buffer
		m, err := block.Merge(t.Context(), &out, inputs, block.MergeOptions{Sifted: want})
		require.NoError(t, err)
		r := openMerged(t, m, out.Bytes())
		by, err := r.Sifted(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, by)
		inputs = []*block.Reader{r}
	}
}

// TestMergeThatLeavesOutAllRows rewrites one block of which no row stays, except
// for one of a later position.
func TestMergeThatLeavesOutAllRows(t *testing.T) {
	rows := randomSpans(rand.New(rand.NewPCG(1, 2)), shape{rows: 500, traces: 40, payload: 60, resources: 3})
	for i := range rows {
		rows[i].Position = 1 + uint64(i%9)
		rows[i].Fragment = schema.FragmentCreate
	}
	rows[77].Position = 10
	for upTo, want := range map[uint64]int{0: 500, 9: 1, 10: 0} {
		var out bytes.Buffer
		m, err := block.Merge(t.Context(), &out, opened(t, rows), block.MergeOptions{Drop: func(schema.TraceID) uint64 { return upTo }})
		require.NoError(t, err)
		require.Equal(t, want, m.Spans)
		require.Equal(t, 500-want, m.Dropped)
		r := openMerged(t, m, out.Bytes())
		have, err := r.Trace(t.Context(), rows[77].TraceID)
		require.NoError(t, err)
		if want == 1 {
			requireSame(t, rows[77:78], have)
		}
		if want == 0 {
			require.NoError(t, r.VerifyRows(t.Context(), nil))
			require.Empty(t, have)
			require.Equal(t, encode(t, nil).Data, out.Bytes(), "as a block of no rows")
			require.False(t, m.Open)
			require.Zero(t, m.MinStart+m.MaxEnd)
		}
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
	m, err := block.Merge(t.Context(), &first, opened(t, parts[1:]...), block.MergeOptions{})
	require.NoError(t, err)
	read := 0
	m, err = block.Merge(t.Context(), &second, append(opened(t, parts[0]), openMerged(t, m, first.Bytes())), block.MergeOptions{Progress: func(rows int) { read = rows }})
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

// TestRewriteCopiesFrames leaves some traces out of a block that was merged
// before: most of its content goes over as it is.
func TestRewriteCopiesFrames(t *testing.T) {
	pages, _ := decoded(t, slices.Collect(corpus.Workload(5, 8_000/min(thinning, 2), corpus.MixLLM)))
	all := slices.Concat(pages...)
	var merged bytes.Buffer
	m, err := block.Merge(t.Context(), &merged, opened(t, all[:len(all)/2], all[len(all)/2:]), block.MergeOptions{})
	require.NoError(t, err)
	before := openMerged(t, m, merged.Bytes())
	gone := map[schema.TraceID]bool{all[100].TraceID: true, all[len(all)-100].TraceID: true}
	drop := func(id schema.TraceID) uint64 {
		if gone[id] {
			return math.MaxUint64
		}
		return 0
	}
	var out bytes.Buffer
	m, err = block.Merge(t.Context(), &out, []*block.Reader{before}, block.MergeOptions{Drop: drop})
	require.NoError(t, err)
	require.Positive(t, m.Dropped)
	after := openMerged(t, m, out.Bytes())
	require.NoError(t, after.VerifyRows(t.Context(), nil))
	want, err := scanAll(t.Context(), before)
	require.NoError(t, err)
	have, err := scanAll(t.Context(), after)
	require.NoError(t, err)
	requireSame(t, leftBy(drop, [][]schema.Span{want})[0], have)

	old, copied := before.ContentFrames(), 0
	sums := after.ContentFrames()
	for sum := range sums {
		if old[sum] {
			copied++
		}
	}
	require.Greater(t, 10*copied, 7*len(sums), "of %d frames %d were copied", len(sums), copied)
}

// TestMergeCopiesFrames merges blocks whose traces interleave: their content goes over
// as it is, unless the output will not be merged again or frames are small.
func TestMergeCopiesFrames(t *testing.T) {
	pages, _ := decoded(t, slices.Collect(corpus.Workload(5, 8_000/min(thinning, 2), corpus.MixLLM)))
	all := slices.Concat(pages...)
	for name, tt := range map[string]struct {
		parts       int
		settle      bool
		limits      block.Limits
		least, most int // per cent of the output's frames that are copied
		fewer       bool
	}{
		"whole":   {parts: 3, least: 70, most: 100},
		"settled": {parts: 3, settle: true, fewer: true},
		"small":   {parts: 3, limits: block.Limits{FrameBytes: 1 << 20}, most: 30, fewer: true},
	} {
		t.Run(name, func(t *testing.T) {
			var parts [][]schema.Span
			for part := range slices.Chunk(all, (len(all)+tt.parts-1)/tt.parts) {
				parts = append(parts, part)
			}
			inputs, old := opened(t, parts...), map[uint32]bool{}
			for _, r := range inputs {
				maps.Copy(old, r.ContentFrames())
			}
			var out bytes.Buffer
			m, err := block.MergeLimited(t.Context(), &out, inputs, block.MergeOptions{Settle: tt.settle}, tt.limits, 128<<20)
			require.NoError(t, err)
			merged := openMerged(t, m, out.Bytes())
			require.NoError(t, merged.Verify(t.Context(), nil))
			require.NoError(t, merged.VerifyRows(t.Context(), nil))
			have, err := scanAll(t.Context(), merged)
			require.NoError(t, err)
			requireSame(t, folded(parts...), have)
			sums, copied := merged.ContentFrames(), 0
			for sum := range sums {
				if old[sum] {
					copied++
				}
			}
			require.GreaterOrEqual(t, 100*copied, tt.least*len(sums), "of %d frames %d were copied", len(sums), copied)
			require.LessOrEqual(t, 100*copied, tt.most*len(sums), "of %d frames %d were copied", len(sums), copied)
			require.Equal(t, tt.fewer, 3*len(sums) < 2*len(old), "%d frames, of %d", len(sums), len(old))
		})
	}
}

// TestMergeOfDifferentContent merges blocks that have different columns of content:
// row groups and pages of the output lack one of them.
func TestMergeOfDifferentContent(t *testing.T) {
	var parts [][]schema.Span
	var readers []*block.Reader
	for i, key := range []string{"prompt", "answer", "both"} {
		rows := make([]schema.Span, 500)
		for k := range rows {
			text := schema.Value{Kind: schema.KindString, Str: strings.Repeat(fmt.Sprintf("%s %d ", key, k), 40)}
			rows[k] = schema.Span{
				TraceID: schema.TraceID{byte(i), byte(k >> 8), byte(k)}, SpanID: schema.SpanID{1}, StartNanos: day, EndNanos: day + 1,
				Resource: &schema.Resource{}, Scope: &schema.Scope{}, Position: 1,
			}
			for _, name := range []string{"prompt", "answer"} {
				if key == name || key == "both" {
					rows[k].Attributes = otlp.AppendKeyValue(rows[k].Attributes, spanAttributes, name, text)
				}
			}
		}
		o := encode(t, rows)
		r, err := block.Open(t.Context(), memory(o.Data), strings.Replace(keyOf(o), "_L0g", "_L1g", 1))
		require.NoError(t, err)
		parts, readers = append(parts, rows), append(readers, r)
	}
	for _, limits := range []block.Limits{{}, {FrameBytes: 100}, {GroupBytes: 100_000}, {GroupRows: 400}, {GroupRows: 700, PageRows: 300}} {
		var out bytes.Buffer
		m, err := block.MergeLimited(t.Context(), &out, readers, block.MergeOptions{}, limits, 128<<20)
		require.NoError(t, err)
		merged := openMerged(t, m, out.Bytes())
		require.NoError(t, merged.VerifyRows(t.Context(), nil))
		have, err := scanAll(t.Context(), merged)
		require.NoError(t, err)
		requireSame(t, slices.Concat(parts...), have)
	}
}

func TestMergeOfNoRows(t *testing.T) {
	var out bytes.Buffer
	m, err := block.Merge(t.Context(), &out, opened(t, nil, nil), block.MergeOptions{})
	require.NoError(t, err)
	require.Zero(t, m.Spans)
	openMerged(t, m, out.Bytes())
}

func TestMergeRefuses(t *testing.T) {
	rows := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 20, traces: 3})
	_, err := block.Merge(t.Context(), &bytes.Buffer{}, nil, block.MergeOptions{})
	require.ErrorContains(t, err, "there are none")

	o, err := block.Encode("other", rows)
	require.NoError(t, err)
	key := schema.BlockName{
		Project: "other", Partitions: 1, First: 1, Last: 9, LogNanos: 1,
		MinStart: o.MinStart, MaxEnd: o.MaxEnd, Spans: uint64(o.Spans), TailBytes: uint64(o.TailBytes),
	}.Key()
	other, err := block.Open(t.Context(), memory(o.Data), key)
	require.NoError(t, err)
	_, err = block.Merge(t.Context(), &bytes.Buffer{}, append(opened(t, rows), other), block.MergeOptions{})
	require.ErrorContains(t, err, "is not of project proj")

	_, err = block.Merge(t.Context(), fullDisk{}, opened(t, rows, rows), block.MergeOptions{})
	require.ErrorIs(t, err, errFull)
}

// TestMergeEndsWithItsInputs merges while an input is deleted.
func TestMergeEndsWithItsInputs(t *testing.T) {
	rows := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 200, traces: 30, payload: 100})
	o := encode(t, rows)
	source := &vanishing{memory: memory(o.Data), left: 3}
	r, err := block.Open(t.Context(), source, keyOf(o))
	require.NoError(t, err)
	_, err = block.Merge(t.Context(), &bytes.Buffer{}, []*block.Reader{r}, block.MergeOptions{})
	require.ErrorIs(t, err, objstore.ErrNotExist)
}

// TestMergeOfNonsense merges a block whose pages have valid checksums over what no
// writer has written.
func TestMergeOfNonsense(t *testing.T) {
	d := newDamageable(t, 16)
	rng := rand.New(rand.NewPCG(20, 21))
	r, err := block.Open(t.Context(), memory(d.object.Data), d.key)
	require.NoError(t, err)
	failed := 0
	for range 400 / thinning {
		data := bytes.Clone(d.object.Data)
		for range 1 + rng.IntN(4) {
			data[4+rng.IntN(len(data)-d.object.TailBytes-4)] ^= byte(1 + rng.IntN(255))
		}
		inputs := []*block.Reader{r, block.WithForgedChecksums(r, memory(data), data)}
		var out bytes.Buffer
		m, err := block.Merge(t.Context(), &out, inputs, block.MergeOptions{})
		if err != nil {
			failed++
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.NotContains(t, err.Error(), "panicked")
			continue
		}
		openMerged(t, m, out.Bytes())
	}
	require.Positive(t, failed)
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
