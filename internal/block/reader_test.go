package block_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/schema"
)

func TestOpenTakesOneRequest(t *testing.T) {
	o := encode(t, randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 9000, traces: 900, distinct: 9, payload: 50}))
	_, asked := open(t, o)
	require.Equal(t, 1, asked.gets)
	require.Equal(t, o.TailBytes, asked.bytes)
	require.Equal(t, objstore.GetOptions{Offset: -int64(o.TailBytes)}, asked.ranges[0])
}

func TestTraceReadsOnlyWhatItNeeds(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 60000, traces: 4000, distinct: 50, nulls: 0.5, payload: 200, resources: 50})
	o, err := block.EncodeWithLimits(project, spans, 256, 8<<20, 1<<20)
	require.NoError(t, err)
	r, asked := open(t, o)

	asked.reset()
	want := byTrace(spans)[spans[30000].TraceID]
	have, err := r.Trace(t.Context(), want[0].TraceID)
	require.NoError(t, err)
	requireSame(t, want, have)
	require.Less(t, asked.gets, 12)
	// The first columns lie so close together that they are one request.
	require.Less(t, asked.bytes, len(o.Data)/3)
	for _, opts := range asked.ranges {
		require.Positive(t, opts.Length)
		require.NotEmpty(t, opts.IfMatch)
	}

	asked.reset()
	absent := 0
	for i := range 2000 {
		id := traceID(1_000_000 + i)
		have, err := r.Trace(t.Context(), id)
		require.NoError(t, err)
		require.Nil(t, have)
		if !r.MayContain(id) {
			absent++
		}
	}
	require.Greater(t, absent, 1980, "false positives of the filter")
	require.Equal(t, 2000-absent, asked.gets, "at most the dictionary is read for them")
}

func TestFilterHasNoFalseNegatives(t *testing.T) {
	r, _ := open(t, encode(t, randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 20000, traces: 1 << 20})))
	rng := rand.New(rand.NewPCG(1, 1))
	hits := 0
	for range 20000 {
		if r.MayContain(traceID(1<<21 + rng.IntN(1<<30))) {
			hits++
		}
	}
	require.Less(t, hits, 100, "0.13 % are expected")
}

func TestScanReadsOnlySelectedColumns(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 3000, traces: 90, distinct: 9, nulls: 0.5, payload: 400, resources: 5})
	o, err := block.EncodeWithLimits(project, spans, 256, 8<<20, 1<<20)
	require.NoError(t, err)
	sets := []block.ColumnSet{
		block.BaseColumns, block.AllColumns, 0, block.AttributesColumn, block.ResourceColumn, block.ScopeColumns,
		block.ParentColumn | block.RestColumn, block.StatusMessageColumn | block.TraceStateColumns,
		block.PositionColumn | block.EventsColumn | block.LinksColumn,
	}
	for _, set := range sets {
		r, asked := open(t, o)
		asked.reset()
		have, err := scan(t.Context(), r, block.ScanRequest{Columns: set})
		require.NoError(t, err)
		want := slices.Clone(spans)
		for i := range want {
			keep(&want[i], set)
		}
		requireSame(t, want, have)
		if set == block.BaseColumns {
			require.Less(t, asked.bytes, len(o.Data)/4)
		}
	}
}

// keep clears what a scan does not read.
func keep(s *schema.Span, set block.ColumnSet) {
	if set == 0 {
		return
	}
	resource := &schema.Resource{ServiceName: s.Resource.ServiceName}
	if set&block.ResourceColumn != 0 {
		resource.Wire = s.Resource.Wire
	}
	s.Resource = resource
	if set&block.ScopeColumns == 0 {
		s.Scope = &schema.Scope{}
	}
	if set&block.ParentColumn == 0 {
		s.ParentSpanID = schema.SpanID{}
	}
	if set&block.StatusMessageColumn == 0 {
		s.StatusMessage = ""
	}
	if set&block.TraceStateColumns == 0 {
		s.TraceState, s.Flags = "", 0
	}
	if set&block.PositionColumn == 0 {
		s.Position = 0
	}
	for column, field := range map[block.ColumnSet]*[]byte{
		block.AttributesColumn: &s.Attributes, block.EventsColumn: &s.Events,
		block.LinksColumn: &s.Links, block.RestColumn: &s.Rest,
	} {
		if set&column == 0 {
			*field = nil
		}
	}
}

func TestScanByTime(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 3000, traces: 90, distinct: 9, payload: 20})
	for i := range spans {
		if i%50 == 0 {
			spans[i].EndNanos = 0 // unfinished
		}
	}
	o, err := block.EncodeWithLimits(project, spans, 64, 8<<20, 500)
	require.NoError(t, err)
	r, asked := open(t, o)
	at := spans[77].StartNanos
	tests := []struct {
		name       string
		start, end uint64
	}{
		{"all", 0, 0},
		{"second", at, at + 1e9},
		{"instant", at, at + 1},
		{"before start", 0, at},
		{"open end", at, 0},
		{"nothing before", 0, 1},
		{"nothing after", day * 2, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var want []schema.Span
			for _, s := range spans {
				if (tt.end == 0 || s.StartNanos < tt.end) && max(s.StartNanos, s.EndNanos) >= tt.start {
					want = append(want, s)
				}
			}
			asked.reset()
			have, err := scan(t.Context(), r, block.ScanRequest{StartNanos: tt.start, EndNanos: tt.end})
			require.NoError(t, err)
			requireSame(t, want, have)
			if len(want) == 0 {
				require.Zero(t, asked.gets, "row groups outside of the range are not read")
			}
		})
	}
}

func TestScanMayBeLeftAndRowsKept(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 900, traces: 9, distinct: 9, payload: 20})
	o, err := block.EncodeWithLimits(project, spans, 64, 8<<20, 1<<20)
	require.NoError(t, err)
	r, _ := open(t, o)
	var kept []schema.Span
	for rows, err := range r.Scan(t.Context(), block.ScanRequest{}) {
		require.NoError(t, err)
		if kept = append(kept, rows...); len(kept) > 200 {
			break
		}
	}
	requireBlock(t, r, spans)
	requireSame(t, spans[:len(kept)], kept)
	require.PanicsWithValue(t, "mine", func() {
		for _, err := range r.Scan(t.Context(), block.ScanRequest{}) {
			require.NoError(t, err)
			panic("mine")
		}
	}, "a panic of the loop is not ours to recover")
}

func TestScanFetchesWindows(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 4000, traces: 90, distinct: 9, payload: 4000})
	o, err := block.EncodeWithLimits(project, spans, 256, 1<<20, 1<<20)
	require.NoError(t, err)
	require.Greater(t, len(o.Data), 20<<20)
	r, asked := open(t, o)
	asked.reset()
	have, err := scan(t.Context(), r, block.ScanRequest{})
	require.NoError(t, err)
	requireSame(t, spans, have)
	for _, opts := range asked.ranges {
		require.LessOrEqual(t, opts.Length, int64(18<<20))
	}
}

func TestResourcesAndScopesAreShared(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 5000, traces: 9, distinct: 9, resources: 7})
	r, _ := open(t, encode(t, spans))
	have, err := scan(t.Context(), r, block.ScanRequest{})
	require.NoError(t, err)
	resources, scopes := map[*schema.Resource]bool{}, map[*schema.Scope]bool{}
	for i := range have {
		resources[have[i].Resource], scopes[have[i].Scope] = true, true
	}
	require.LessOrEqual(t, len(resources), 7)
	require.LessOrEqual(t, len(scopes), 7)
}

func TestReplacedAndRemovedObjects(t *testing.T) {
	o := encode(t, randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 900, traces: 9}))
	bucket := mem.New()
	put(t, bucket, keyOf(o), o.Data)
	r, err := block.Open(t.Context(), bucket, keyOf(o))
	require.NoError(t, err)
	put(t, bucket, keyOf(o), o.Data)
	_, err = scan(t.Context(), r, block.ScanRequest{})
	require.ErrorIs(t, err, objstore.ErrChanged)
	_, err = r.Trace(t.Context(), traceID(1))
	require.ErrorIs(t, err, objstore.ErrChanged)
	require.NotErrorIs(t, err, block.ErrCorrupt)

	require.NoError(t, bucket.Delete(t.Context(), keyOf(o)))
	_, err = r.Trace(t.Context(), traceID(1))
	require.ErrorIs(t, err, objstore.ErrNotExist)
	_, err = block.Open(t.Context(), bucket, keyOf(o))
	require.ErrorIs(t, err, objstore.ErrNotExist)
}

func TestCancelledContext(t *testing.T) {
	r, _ := open(t, encode(t, randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 900, traces: 9})))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := scan(ctx, r, block.ScanRequest{})
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Trace(ctx, traceID(1))
	require.ErrorIs(t, err, context.Canceled)
}

func TestReaderServesManyAtOnce(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 2000, traces: 90, distinct: 9, payload: 20, resources: 4})
	o, err := block.EncodeWithLimits(project, spans, 64, 8<<20, 500)
	require.NoError(t, err)
	r, _ := open(t, o)
	want := byTrace(spans)
	t.Run("readers", func(t *testing.T) {
		for i := range 8 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				have, err := r.Trace(t.Context(), traceID(i))
				require.NoError(t, err)
				requireSame(t, want[traceID(i)], have)
				have, err = scan(t.Context(), r, block.ScanRequest{})
				require.NoError(t, err)
				requireSame(t, spans, have)
			})
		}
	})
}
