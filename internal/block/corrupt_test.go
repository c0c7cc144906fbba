package block_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// reading is what a block says in every way it can be asked.
type reading struct {
	scanned, selected []schema.Span // nil if there was an error
	hits              []vec.Hit
	traces            [][]schema.Span
}

// readAll opens an object and reads all of it in every way.
func readAll(ctx context.Context, r *block.Reader, f *vec.Filter, ids []schema.TraceID) (got reading, err error) {
	var errs [3]error
	got.scanned, errs[0] = scanAll(ctx, r)
	got.selected, errs[1] = scan(ctx, r, f, vec.AllColumns())
	got.hits, errs[2] = find(ctx, r, f)
	err = errors.Join(errs[:]...)
	if errs[1] == nil && got.selected == nil {
		got.selected = []schema.Span{}
	}
	for _, id := range ids {
		trace, traceErr := r.Trace(ctx, id)
		if _, pagesErr := tracePages(ctx, r, id); (pagesErr == nil) != (traceErr == nil) {
			err = errors.Join(err, fmt.Errorf("one way to read a trace fails and the other does not: %w, %w", traceErr, pagesErr))
		}
		if traceErr != nil {
			trace = nil
			err = errors.Join(err, traceErr)
		} else if trace == nil {
			trace = []schema.Span{}
		}
		got.traces = append(got.traces, trace)
	}
	return got, err
}

// damageable is a small block with everything in it, and what is asked of it.
type damageable struct {
	spans  []schema.Span
	object *block.Object
	key    string
	filter *vec.Filter
	ids    []schema.TraceID
	want   reading
}

func newDamageable(tb testing.TB, seed uint64) damageable {
	tb.Helper()
	rng := rand.New(rand.NewPCG(seed, 9))
	spans := withAttributes(randomSpans(rng, shape{rows: 120, traces: 12, distinct: 5, nulls: 0.4, payload: 60, resources: 4}), rng, 0.1)
	spans[7].Fragment = schema.FragmentUpdate
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 32, FrameBytes: 8, GroupRows: 64, Columns: 9, ColumnRows: 9})
	require.NoError(tb, err)
	d := damageable{spans: spans, object: o, key: keyOf(o)}
	m := filterMaker{rng, spans}
	for d.filter == nil || len(d.want.selected) == 0 {
		d.filter = &vec.Filter{Op: vec.OpOr, Args: []*vec.Filter{
			{Op: vec.OpPredicate, Predicate: m.predicate()}, {Op: vec.OpPredicate, Predicate: m.predicate()},
		}}
		for i := range spans {
			if holds(d.filter, &spans[i]) {
				d.want.selected = append(d.want.selected, spans[i])
			}
		}
	}
	d.want.scanned, d.want.hits = spans, hitsOf(d.filter, spans)
	traces := byTrace(spans)
	for i := range spans {
		if id := spans[i].TraceID; i == 0 || id != spans[i-1].TraceID {
			d.ids = append(d.ids, id)
			d.want.traces = append(d.want.traces, traces[id])
		}
	}
	return d
}

// require compares what was read without an error with what is right.
func (d *damageable) require(tb testing.TB, got reading) {
	tb.Helper()
	if got.scanned != nil {
		requireSame(tb, d.want.scanned, got.scanned)
	}
	if got.selected != nil {
		requireSame(tb, d.want.selected, got.selected)
	}
	if got.hits != nil {
		require.Equal(tb, d.want.hits, got.hits)
	}
	for i, trace := range got.traces {
		if trace != nil {
			requireSame(tb, d.want.traces[i], trace)
		}
	}
}

// TestDamageIsFound flips bits, overwrites, cuts and extends blocks thousands
// of times. Whatever is read without an error must be right.
func TestDamageIsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 11))
	found := 0
	const blocks, rounds = 5, 500
	for seed := range uint64(blocks) {
		d := newDamageable(t, seed)
		for round := range rounds {
			data := mutate(rng, d.object.Data)
			r, err := block.Open(t.Context(), memory(data), d.key)
			if err == nil {
				var got reading
				got, err = readAll(t.Context(), r, d.filter, d.ids)
				d.require(t, got)
			}
			if err != nil {
				found++
				require.ErrorIs(t, err, block.ErrCorrupt, "round %d", round)
				require.NotContains(t, err.Error(), "panicked")
			}
		}
	}
	// Harmless are only changes to the magic that begins the file, and to
	// columns that are for other programs.
	require.Greater(t, found, blocks*rounds*8/10)
}

// mutate returns a copy with a random damage that changes it.
func mutate(rng *rand.Rand, data []byte) []byte {
	m := bytes.Clone(data)
	at := rng.IntN(len(m))
	switch rng.IntN(6) {
	case 0:
		return m[:at]
	case 1:
		return append(m, make([]byte, 1+rng.IntN(9))...)
	case 2:
		return slices.Delete(m, at, min(len(m), at+1+rng.IntN(9)))
	case 3:
		for i := at; i < min(len(m), at+64); i++ {
			m[i] ^= byte(1 + rng.IntN(255))
		}
	default:
		m[at] ^= 1 << rng.IntN(8)
	}
	return m
}

// TestValidChecksumsOverNonsense gives damaged tails correct checksums, as a
// defective writer would: no panic and no hang, whatever the rows.
func TestValidChecksumsOverNonsense(t *testing.T) {
	d := newDamageable(t, 12)
	rng := rand.New(rand.NewPCG(14, 15))
	for range 1000 {
		data := bytes.Clone(d.object.Data)
		tail := data[len(data)-d.object.TailBytes:]
		for range 1 + rng.IntN(3) {
			tail[8+rng.IntN(len(tail)/2)] = byte(rng.Uint32())
		}
		reseal(tail)
		r, err := block.Open(t.Context(), memory(data), d.key)
		if err == nil {
			_, err = readAll(t.Context(), r, d.filter, d.ids)
		}
		if err != nil && !errors.Is(err, block.ErrVersion) {
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.NotContains(t, err.Error(), "panicked")
		}
	}
}

func reseal(tail []byte) { binary.LittleEndian.PutUint64(tail, xxhash.Sum64(tail[8:])) }

// TestPagesWithValidChecksumsOverNonsense does the same to pages.
func TestPagesWithValidChecksumsOverNonsense(t *testing.T) {
	d := newDamageable(t, 16)
	rng := rand.New(rand.NewPCG(18, 19))
	r, err := block.Open(t.Context(), memory(d.object.Data), d.key)
	require.NoError(t, err)
	failed := 0
	for range 1000 {
		data := bytes.Clone(d.object.Data)
		for range 1 + rng.IntN(20) {
			data[4+rng.IntN(len(data)-d.object.TailBytes-4)] ^= byte(1 + rng.IntN(255))
		}
		forged := block.WithForgedChecksums(r, memory(data), data)
		if _, err := readAll(t.Context(), forged, d.filter, d.ids); err != nil {
			failed++
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.NotContains(t, err.Error(), "panicked")
		}
	}
	require.Positive(t, failed)
}

func TestCorruptErrorTellsWhere(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 9)), shape{rows: 50, traces: 5, distinct: 5, payload: 60})
	o := encode(t, spans)
	data := bytes.Clone(o.Data)
	data[len(data)-o.TailBytes-1] ^= 1 // the last byte of the last column's last page
	r, err := block.Open(t.Context(), memory(data), keyOf(o))
	require.NoError(t, err)
	_, err = scanAll(t.Context(), r)
	var corrupt *block.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.ErrorIs(t, err, block.ErrCorrupt)
	require.Equal(t, keyOf(o), corrupt.Name)
	require.Equal(t, "row group 0, column rest, page 0", corrupt.Section)
	require.Positive(t, corrupt.Offset)
	require.NotEmpty(t, corrupt.Hint)
	require.ErrorContains(t, err, "checksum mismatch")

	_, err = scan(t.Context(), r, always(), vec.Columns{Attributes: true, Events: true, Links: true})
	require.NoError(t, err, "other columns stay readable")
}

func TestNameAndContentMustAgree(t *testing.T) {
	o := encode(t, randomSpans(rand.New(rand.NewPCG(1, 9)), shape{rows: 50, traces: 5}))
	name, err := schema.ParseBlockName(keyOf(o))
	require.NoError(t, err)
	tests := []struct {
		name   string
		change func(*schema.BlockName)
	}{
		{"another project", func(n *schema.BlockName) { n.Project = "other" }},
		{"another count", func(n *schema.BlockName) { n.Spans++ }},
		{"shorter tail", func(n *schema.BlockName) { n.TailBytes-- }},
		{"no tail", func(n *schema.BlockName) { n.TailBytes = 0 }},
		{"endless tail", func(n *schema.BlockName) { n.TailBytes = 1 << 62 }},
		{"tail longer than the object", func(n *schema.BlockName) { n.TailBytes = uint64(len(o.Data)) + 1 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			changed := name
			tt.change(&changed)
			_, err := block.Open(t.Context(), memory(o.Data), changed.Key())
			require.ErrorIs(t, err, block.ErrCorrupt)
		})
	}
	_, err = block.Open(t.Context(), memory(o.Data), "blocks/x")
	require.ErrorIs(t, err, schema.ErrBadName)
	_, err = block.Open(t.Context(), memory(nil), keyOf(o))
	require.ErrorIs(t, err, block.ErrCorrupt)
}

func TestNewerVersionIsNotCorrupt(t *testing.T) {
	o := encode(t, nil)
	data := bytes.Clone(o.Data)
	tail := data[len(data)-o.TailBytes:]
	tail[8] = schema.FormatVersion + 1
	reseal(tail)
	_, err := block.Open(t.Context(), memory(data), keyOf(o))
	require.ErrorIs(t, err, block.ErrVersion)
	require.NotErrorIs(t, err, block.ErrCorrupt)
}

func FuzzOpen(f *testing.F) {
	for _, rows := range []int{0, 1, 40} {
		o, err := block.EncodeLimited(project, randomSpans(rand.New(rand.NewPCG(1, 9)), shape{rows: rows, traces: 5, distinct: 3, payload: 9}), block.Limits{PageRows: 8, GroupRows: 16})
		require.NoError(f, err)
		f.Add(o.Data[len(o.Data)-o.TailBytes:], uint16(rows))
	}
	f.Fuzz(func(t *testing.T, tail []byte, rows uint16) {
		if len(tail) < 8 {
			return
		}
		tail = bytes.Clone(tail)
		reseal(tail)
		key := keyOf(&block.Object{Spans: int(rows), TailBytes: len(tail)})
		data := append(make([]byte, 1024), tail...)
		r, err := block.Open(t.Context(), memory(data), key)
		if err != nil {
			return
		}
		_, err = scanAll(t.Context(), r)
		if rows > 0 {
			require.ErrorIs(t, err, block.ErrCorrupt, "there are no pages")
			require.NotContains(t, err.Error(), "panicked")
		}
		err = r.Verify(t.Context(), nil)
		require.ErrorIs(t, err, block.ErrCorrupt, "there is no magic")
		require.NotContains(t, err.Error(), "panicked")
		if _, err = r.Describe(t.Context()); err != nil {
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.NotContains(t, err.Error(), "panicked")
		}
	})
}
