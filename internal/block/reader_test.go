package block_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
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
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 256})
	require.NoError(t, err)
	r, asked := open(t, o)

	asked.reset()
	want := byTrace(spans)[spans[30000].TraceID]
	have, err := r.Trace(t.Context(), want[0].TraceID)
	require.NoError(t, err)
	requireSame(t, want, have)
	t.Log(asked.gets, asked.bytes, len(o.Data))
	require.Less(t, asked.gets, 32)
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
	rng := rand.New(rand.NewPCG(1, 1))
	spans := withAttributes(randomSpans(rng, shape{rows: 3000, traces: 90, distinct: 9, nulls: 0.5, payload: 400, resources: 5}), rng, 0.05)
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 256, FrameBytes: 32, Columns: 30})
	require.NoError(t, err)
	for _, columns := range []vec.Columns{
		{},
		vec.AllColumns(),
		{Resource: true},
		{Scope: true, Events: true},
		{Links: true, Rest: true},
		{Attributes: true, Keys: []string{"key.1"}},
		{Keys: []string{"key.1", "key.2", "absent"}},
		{Keys: []string{"key.9", "key.0", "key.25", "key.0"}},
	} {
		r, asked := open(t, o)
		asked.reset()
		have, err := scan(t.Context(), r, always(), columns)
		require.NoError(t, err)
		want := slices.Clone(spans)
		for i := range want {
			keep(&want[i], columns)
			sortAttributes(&want[i].Attributes, columns)
			sortAttributes(&want[i].Derived, columns)
			sortAttributes(&have[i].Attributes, columns)
			sortAttributes(&have[i].Derived, columns)
		}
		requireSame(t, want, have)
		if !columns.Attributes && !columns.Events && !columns.Rest && len(columns.Keys) == 0 {
			require.Less(t, asked.bytes, len(o.Data)/4)
		}
	}
}

// keep clears what a scan does not read.
func keep(s *schema.Span, columns vec.Columns) {
	resource, scope := *s.Resource, *s.Scope
	s.Resource, s.Scope = &resource, &scope
	if !columns.Resource {
		resource.Wire = nil
	}
	if !columns.Scope {
		scope.Wire = nil
	}
	if !columns.Attributes {
		s.Attributes, s.Derived = withKeys(s.Attributes, columns.Keys), withKeys(s.Derived, columns.Keys)
	}
	if !columns.Events {
		s.Events = nil
	}
	if !columns.Links {
		s.Links = nil
	}
	if !columns.Rest {
		s.Rest, s.TraceState, s.Flags, s.Position, s.Fragment, s.FragmentNanos = nil, "", 0, 0, 0, 0
	}
}

// withKeys keeps the attributes that have one of the keys.
func withKeys(fields []byte, keys []string) (kept []byte) {
	for kv := otlp.SpanKeyValues(fields); kv.Next(); {
		if slices.Contains(keys, string(kv.Key)) {
			kept = append(kept, kv.Field...)
		}
	}
	return kept
}

// sortAttributes brings attributes that were selected by key into the order of
// their keys: in which one they come is not said but for equal ones.
func sortAttributes(fields *[]byte, columns vec.Columns) {
	if columns.Attributes {
		return
	}
	var list []otlp.KeyValues
	for kv := otlp.SpanKeyValues(*fields); kv.Next(); {
		list = append(list, kv)
	}
	slices.SortStableFunc(list, func(a, b otlp.KeyValues) int { return bytes.Compare(a.Key, b.Key) })
	var sorted []byte
	for _, kv := range list {
		sorted = append(sorted, kv.Field...)
	}
	*fields = sorted
}

func TestHitsOfRowsAreReadSparsely(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	spans := withAttributes(randomSpans(rng, shape{rows: 30000, traces: 3000, distinct: 9, resources: 5}), rng, 0.01)
	spans[12345].Name = "the one"
	o := encode(t, spans)
	r, asked := open(t, o)
	is := func(name string) *vec.Filter {
		return &vec.Filter{Op: vec.OpPredicate, Predicate: &vec.Predicate{
			Field: vec.Field{Key: vec.Name}, Text: func(s string) bool { return s == name },
		}}
	}
	asked.reset()
	have, err := scan(t.Context(), r, is("the one"), vec.AllColumns())
	require.NoError(t, err)
	requireSame(t, spans[12345:12346], have)
	require.Less(t, asked.bytes, len(o.Data)/4)

	asked.reset()
	hits, err := find(t.Context(), r, is("the one"))
	require.NoError(t, err)
	require.Len(t, hits, 1)
	require.Less(t, asked.bytes, len(o.Data)/20)

	asked.reset()
	have, err = scan(t.Context(), r, is("another"), vec.AllColumns())
	require.NoError(t, err)
	require.Empty(t, have)
	require.Equal(t, 1, asked.gets, "dictionaries decide")

	asked.reset()
	nowhere := &vec.Filter{Op: vec.OpPredicate, Predicate: &vec.Predicate{
		Field: vec.Field{Scope: vec.ScopeSpan, Key: "nowhere"}, Text: func(string) bool { return true },
	}}
	have, err = scan(t.Context(), r, nowhere, vec.AllColumns())
	require.NoError(t, err)
	require.Empty(t, have)
	require.Zero(t, asked.gets, "the directory decides")
}

func TestScanMayBeLeftAndRowsKept(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 900, traces: 9, distinct: 9, payload: 20})
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 64})
	require.NoError(t, err)
	r, _ := open(t, o)
	var kept []schema.Span
	for rows, err := range r.Scan(t.Context(), always(), vec.AllColumns()) {
		require.NoError(t, err)
		if kept = append(kept, rows...); len(kept) > 200 {
			break
		}
	}
	requireBlock(t, r, spans)
	requireSame(t, spans[:len(kept)], kept)
	require.PanicsWithValue(t, "mine", func() {
		for _, err := range r.Scan(t.Context(), always(), vec.AllColumns()) {
			require.NoError(t, err)
			panic("mine")
		}
	}, "a panic of the loop is not ours to recover")
}

func TestScanFetchesWindows(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 4000, traces: 90, distinct: 9, payload: 4000})
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 256, PageBytes: 1 << 20})
	require.NoError(t, err)
	require.Greater(t, len(o.Data), 20<<20)
	r, asked := open(t, o)
	asked.reset()
	have, err := scan(t.Context(), r, always(), vec.AllColumns())
	require.NoError(t, err)
	requireSame(t, spans, have)
	for _, opts := range asked.ranges {
		require.LessOrEqual(t, opts.Length, int64(18<<20))
	}
}

func TestResourcesAndScopesAreShared(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 5000, traces: 9, distinct: 9, resources: 7})
	r, _ := open(t, encode(t, spans))
	have, err := scan(t.Context(), r, always(), vec.AllColumns())
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
	_, err = scan(t.Context(), r, always(), vec.AllColumns())
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
	_, err := scan(ctx, r, always(), vec.AllColumns())
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.Trace(ctx, traceID(1))
	require.ErrorIs(t, err, context.Canceled)
}

func TestReaderServesManyAtOnce(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 2000, traces: 90, distinct: 9, payload: 20, resources: 4})
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 64, GroupRows: 500})
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
				have, err = scan(t.Context(), r, always(), vec.AllColumns())
				require.NoError(t, err)
				requireSame(t, spans, have)
			})
		}
	})
}
