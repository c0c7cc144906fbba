package block_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// blockShape is what rows look like and how they are cut.
type blockShape struct {
	name   string
	shape  shape
	limits block.Limits
	groups int // at least
}

func blockShapes() []blockShape {
	return []blockShape{
		{"no rows", shape{}, block.Limits{}, 0},
		{"one row", shape{rows: 1, payload: 50}, block.Limits{}, 1},
		{"one page", shape{rows: 300, traces: 40, distinct: 9, nulls: 0.5, payload: 80, resources: 5}, block.Limits{}, 1},
		{"only nulls", shape{rows: 300, traces: 10, distinct: 1, nulls: 1}, block.Limits{PageRows: 64}, 1},
		{"no nulls", shape{rows: 300, traces: 10, distinct: 2, payload: 9}, block.Limits{PageRows: 64}, 1},
		{"several pages", shape{rows: 9000, traces: 700, distinct: 30, nulls: 0.9, payload: 100, resources: 20}, block.Limits{}, 1},
		{"several groups", shape{rows: 3000, traces: 90, distinct: 30, nulls: 0.3, payload: 30, resources: 20}, block.Limits{PageRows: 64, GroupRows: 500}, 3},
		{"page by bytes", shape{rows: 500, traces: 9, distinct: 30, payload: 3000, resources: 3}, block.Limits{PageBytes: 10000, GroupRows: 200}, 2},
		{"traces longer than groups", shape{rows: 900, traces: 2, distinct: 3, payload: 10}, block.Limits{PageRows: 16, GroupRows: 50}, 2},
		{"trace per row", shape{rows: 900, traces: 1 << 30, distinct: 3, payload: 10}, block.Limits{PageRows: 16, GroupRows: 50}, 18},
		{"every text its own", shape{rows: 5000, traces: 50, payload: 10, resources: 4000}, block.Limits{PageRows: 512, GroupRows: 3000}, 1},
		{"wild", shape{rows: 4000, traces: 50, distinct: 4, nulls: 0.5, payload: 40, wild: true, resources: 9}, block.Limits{PageRows: 128, GroupRows: 700}, 2},
		{"pages of odd sizes", shape{rows: 2000, traces: 50, distinct: 4, resources: 9}, block.Limits{PageRows: 77, FrameBytes: 13, GroupRows: 700, ColumnRows: 1}, 2},
		{"few columns", shape{rows: 2000, traces: 50, distinct: 4, resources: 9}, block.Limits{PageRows: 128, FrameBytes: 16, Columns: 3, ColumnRows: 1}, 1},
	}
}

func (s blockShape) spans(seed uint64) []schema.Span {
	rng := rand.New(rand.NewPCG(seed, 1))
	spans := randomSpans(rng, s.shape)
	if seed%3 == 0 {
		return spans // payloads that are no messages
	}
	spans = withAttributes(spans, rng, []float64{0.02, 0.4}[seed%2])
	for i := range spans {
		if rng.IntN(50) == 0 {
			spans[i].Fragment = schema.Fragment(1 + rng.IntN(2))
			spans[i].FragmentNanos = rng.Uint64()
		}
	}
	return spans
}

func TestEveryShapeComesBack(t *testing.T) {
	for _, tt := range blockShapes() {
		t.Run(tt.name, func(t *testing.T) {
			const seeds uint64 = max(6/thinning, 1)
			for seed := range seeds {
				spans := tt.spans(seed)
				o, err := block.EncodeLimited(project, spans, tt.limits)
				require.NoError(t, err)
				r, _ := open(t, o)
				require.GreaterOrEqual(t, len(r.RowGroups()), tt.groups)
				requireBlock(t, r, spans)
			}
		})
	}
}

// requireBlock reads everything back in every way.
func requireBlock(t *testing.T, r *block.Reader, spans []schema.Span) {
	t.Helper()
	have, err := scanAll(t.Context(), r)
	require.NoError(t, err)
	requireSame(t, spans, have)
	require.Equal(t, len(spans), r.Spans())
	traces := byTrace(spans)
	ids := make([]schema.TraceID, 0, len(traces))
	var some []schema.Span
	for i := range spans {
		id := spans[i].TraceID
		if i > 0 && spans[i-1].TraceID == id {
			continue
		}
		require.True(t, r.MayContain(id))
		if len(ids) < 40 {
			have, err := r.Trace(t.Context(), id)
			require.NoError(t, err)
			requireSame(t, traces[id], have)
			have, err = tracePages(t.Context(), r, id)
			require.NoError(t, err)
			requireSame(t, traces[id], have)
		}
		if i%3 > 0 {
			ids, some = append(ids, id), append(some, traces[id]...)
		}
		id[15]++
		ids = append(ids, id) // most likely absent
	}
	slices.SortFunc(ids, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	have, err = r.Traces(t.Context(), ids, vec.AllColumns())
	require.NoError(t, err)
	requireSame(t, some, have)
}
