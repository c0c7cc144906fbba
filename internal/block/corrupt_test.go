package block_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// memory serves one object's bytes, cheaper than a bucket.
type memory []byte

func (m memory) Get(_ context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	size := int64(len(m))
	from := opts.Offset
	if from < 0 {
		from = max(size+from, 0)
	}
	if from >= size {
		return nil, objstore.Object{}, objstore.ErrRange
	}
	to := size
	if opts.Length > 0 {
		to = min(to, from+opts.Length)
	}
	return bytes.Clone(m[from:to]), objstore.Object{Key: key, Size: size}, nil
}

// readAll opens an object and reads all of it in both ways.
func readAll(ctx context.Context, data []byte, key string, ids []schema.TraceID) (scanned []schema.Span, traces [][]schema.Span, err error) {
	r, err := block.Open(ctx, memory(data), key)
	if err != nil {
		return nil, nil, err
	}
	scanned, err = scan(ctx, r, block.ScanRequest{})
	for _, id := range ids {
		trace, traceErr := r.Trace(ctx, id)
		if traceErr != nil {
			trace = nil
			err = errors.Join(err, traceErr)
		} else if trace == nil {
			trace = []schema.Span{}
		}
		traces = append(traces, trace)
	}
	return scanned, traces, err
}

// TestDamageIsFound flips bits, overwrites, cuts and extends blocks thousands
// of times. Whatever is read without an error must be right.
func TestDamageIsFound(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(8, 9)), shape{rows: 120, traces: 12, distinct: 5, nulls: 0.4, payload: 60, resources: 4})
	o, err := block.EncodeWithLimits(project, spans, 32, 8<<20, 64)
	require.NoError(t, err)
	key := keyOf(o)
	var ids []schema.TraceID
	want := byTrace(spans)
	for id := range want {
		ids = append(ids, id)
	}
	rng := rand.New(rand.NewPCG(10, 11))
	found := 0
	const rounds = 2500
	for round := range rounds {
		data := mutate(rng, o.Data)
		scanned, traces, err := readAll(t.Context(), data, key, ids)
		if err != nil {
			found++
			require.ErrorIs(t, err, block.ErrCorrupt, "round %d", round)
			require.NotContains(t, err.Error(), "panicked")
		}
		if scanned != nil {
			requireSame(t, spans, scanned)
		}
		for i, trace := range traces {
			if trace != nil {
				requireSame(t, want[ids[i]], trace)
			}
		}
	}
	// Harmless are only changes to the four bytes of magic that begin the file.
	require.Greater(t, found, rounds*98/100)
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

// TestValidChecksumsOverNonsense gives damaged tails and pages correct
// checksums, as a defective writer would: no panic and no hang, whatever the
// rows.
func TestValidChecksumsOverNonsense(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(12, 13)), shape{rows: 120, traces: 12, distinct: 5, nulls: 0.4, payload: 60, resources: 4})
	o, err := block.EncodeWithLimits(project, spans, 32, 8<<20, 64)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(14, 15))
	ids := []schema.TraceID{spans[0].TraceID, spans[70].TraceID}
	for range 1000 {
		data := bytes.Clone(o.Data)
		tail := data[len(data)-o.TailBytes:]
		for range 1 + rng.IntN(3) {
			tail[8+rng.IntN(len(tail)/2)] = byte(rng.Uint32())
		}
		reseal(tail)
		_, _, err := readAll(t.Context(), data, keyOf(o), ids)
		if err != nil && !errors.Is(err, block.ErrVersion) {
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.NotContains(t, err.Error(), "panicked")
		}
	}
}

func reseal(tail []byte) { binary.LittleEndian.PutUint64(tail, xxhash.Sum64(tail[8:])) }

func TestPagesWithValidChecksumsOverNonsense(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(16, 17)), shape{rows: 120, traces: 12, distinct: 5, nulls: 0.4, payload: 60, resources: 4})
	o, err := block.EncodeWithLimits(project, spans, 32, 8<<20, 64)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(18, 19))
	r, err := block.Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	failed := 0
	for range 1000 {
		data := bytes.Clone(o.Data)
		for range 1 + rng.IntN(20) {
			data[4+rng.IntN(len(data)-o.TailBytes-4)] ^= byte(1 + rng.IntN(255))
		}
		forged := block.WithForgedChecksums(r, memory(data), data)
		if _, err := scan(t.Context(), forged, block.ScanRequest{}); err != nil {
			failed++
			require.ErrorIs(t, err, block.ErrCorrupt)
			require.NotContains(t, err.Error(), "panicked")
		}
		for _, id := range []schema.TraceID{spans[0].TraceID, spans[70].TraceID} {
			if _, err := forged.Trace(t.Context(), id); err != nil {
				require.ErrorIs(t, err, block.ErrCorrupt)
			}
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
	_, err = scan(t.Context(), r, block.ScanRequest{})
	var corrupt *block.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.ErrorIs(t, err, block.ErrCorrupt)
	require.Equal(t, keyOf(o), corrupt.Name)
	require.Equal(t, "row group 0, column rest, page 0", corrupt.Section)
	require.Positive(t, corrupt.Offset)
	require.NotEmpty(t, corrupt.Hint)
	require.ErrorContains(t, err, "checksum mismatch")

	_, err = scan(t.Context(), r, block.ScanRequest{Columns: block.AllColumns &^ block.RestColumn})
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
		o, err := block.EncodeWithLimits(project, randomSpans(rand.New(rand.NewPCG(1, 9)), shape{rows: rows, traces: 5, distinct: 3, payload: 9}), 8, 8<<20, 16)
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
		_, err = scan(t.Context(), r, block.ScanRequest{})
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
