package block_test

import (
	"bytes"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/vec"
)

// A list of pages is read when its column is: what is wrong with it is told
// then, whoever reads the column, and keeps nobody from reading others.
func TestDamagedListOfPages(t *testing.T) {
	spans, o := fewRows(t)
	sound, err := block.Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	list := sound.PageList(0, block.ColumnSpanID)
	servers := &vec.Filter{Op: vec.OpPredicate, Predicate: &vec.Predicate{
		Field: vec.Field{Key: vec.Kind}, Int: func(kind int64) bool { return kind == 2 },
	}}
	tests := []struct {
		name   string
		change func(list []byte)
	}{
		{"a page is longer", func(list []byte) { list[0]++ }},
		{"a page is shorter", func(list []byte) { list[0]-- }},
		{"a number goes on", func(list []byte) { list[len(list)-5] |= 0x80 }},
		{"no numbers", func(list []byte) {
			for i := range list {
				list[i] = 0xff
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := bytes.Clone(o.Data)
			tail := data[len(data)-o.TailBytes:]
			require.Equal(t, 1, bytes.Count(tail, list))
			tt.change(tail[bytes.Index(tail, list):][:len(list)])
			reseal(tail)
			r, err := block.Open(t.Context(), memory(data), keyOf(o))
			require.NoError(t, err)

			_, err = scanAll(t.Context(), r)
			requireListDamage(t, r, err)
			_, err = r.Trace(t.Context(), spans[0].TraceID)
			requireListDamage(t, r, err)
			_, err = r.Describe(t.Context())
			requireListDamage(t, r, err)
			err = r.Verify(t.Context(), nil)
			requireListDamage(t, r, err)
			require.Len(t, block.Damage(err), 1)

			n, err := r.Selected(t.Context(), servers)
			require.NoError(t, err)
			want, err := sound.Selected(t.Context(), servers)
			require.NoError(t, err)
			require.Equal(t, want, n)
			_, err = find(t.Context(), r, always())
			require.NoError(t, err)
		})
	}
}

func requireListDamage(t *testing.T, r *block.Reader, err error) {
	t.Helper()
	var corrupt *block.CorruptError
	require.ErrorAs(t, err, &corrupt)
	require.Equal(t, "directory, row group 0, pages of column span_id", corrupt.Section)
	require.Equal(t, r.Name().Key(), corrupt.Name)
}

// TestListsOfPagesAreKeptOnce reads a fresh reader from many sides: it holds
// what it does if it is read once.
func TestListsOfPagesAreKeptOnce(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(4, 9)), shape{rows: 300, traces: 30, distinct: 5, payload: 9})
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 32, GroupRows: 128})
	require.NoError(t, err)
	alone, err := block.Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	opened := alone.Bytes()
	_, err = scanAll(t.Context(), alone)
	require.NoError(t, err)
	require.Greater(t, alone.Bytes(), opened)

	shared, err := block.Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	require.Equal(t, opened, shared.Bytes())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			have, err := scan(t.Context(), shared, always(), vec.AllColumns())
			if err == nil && len(have) != len(spans) {
				t.Errorf("%d rows, not %d", len(have), len(spans))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, alone.Bytes(), shared.Bytes())
}
