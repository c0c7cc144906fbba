package block_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/schema"
)

func TestEveryShapeComesBack(t *testing.T) {
	tests := []struct {
		name                           string
		shape                          shape
		pageRows, pageBytes, groupRows int
		groups                         int // at least
	}{
		{"no rows", shape{}, 4096, 8 << 20, 1000, 0},
		{"one row", shape{rows: 1, payload: 50}, 4096, 8 << 20, 1000, 1},
		{"one page", shape{rows: 300, traces: 40, distinct: 9, nulls: 0.5, payload: 80, resources: 5}, 4096, 8 << 20, 1 << 20, 1},
		{"only nulls", shape{rows: 300, traces: 10, distinct: 1, nulls: 1}, 64, 8 << 20, 1 << 20, 1},
		{"no nulls", shape{rows: 300, traces: 10, distinct: 2, payload: 9}, 64, 8 << 20, 1 << 20, 1},
		{"several pages", shape{rows: 9000, traces: 700, distinct: 30, nulls: 0.9, payload: 100, resources: 20}, 4096, 8 << 20, 1 << 20, 1},
		{"several groups", shape{rows: 3000, traces: 90, distinct: 30, nulls: 0.3, payload: 30, resources: 20}, 64, 8 << 20, 500, 3},
		{"page by bytes", shape{rows: 500, traces: 9, distinct: 30, payload: 3000, resources: 3}, 4096, 10000, 200, 2},
		{"traces longer than groups", shape{rows: 900, traces: 2, distinct: 3, payload: 10}, 16, 8 << 20, 50, 2},
		{"trace per row", shape{rows: 900, traces: 1 << 30, distinct: 3, payload: 10}, 16, 8 << 20, 50, 18},
		{"every text its own", shape{rows: 5000, traces: 50, payload: 10, resources: 4000}, 512, 8 << 20, 3000, 1},
		{"wild", shape{rows: 4000, traces: 50, distinct: 4, nulls: 0.5, payload: 40, wild: true, resources: 9}, 128, 8 << 20, 700, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3) {
				spans := randomSpans(rand.New(rand.NewPCG(seed, 1)), tt.shape)
				o, err := block.EncodeWithLimits(project, spans, tt.pageRows, tt.pageBytes, tt.groupRows)
				require.NoError(t, err)
				r, _ := open(t, o)
				require.GreaterOrEqual(t, len(r.RowGroups()), tt.groups)
				requireBlock(t, r, spans)
			}
		})
	}
}

// requireBlock reads everything back in both ways.
func requireBlock(t *testing.T, r *block.Reader, spans []schema.Span) {
	t.Helper()
	have, err := scan(t.Context(), r, block.ScanRequest{})
	require.NoError(t, err)
	requireSame(t, spans, have)
	n := 0
	for id, want := range byTrace(spans) {
		if n++; n > 100 {
			break
		}
		require.True(t, r.MayContain(id))
		have, err := r.Trace(t.Context(), id)
		require.NoError(t, err)
		requireSame(t, want, have)
	}
}
