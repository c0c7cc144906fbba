package block_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// tracePages reads a trace page by page.
func tracePages(ctx context.Context, r *block.Reader, id schema.TraceID) (all []schema.Span, err error) {
	for page, err := range r.TracePages(ctx, id, vec.AllColumns(), nil) {
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}

// A long trace comes in pages, and who has seen enough reads no more of it.
func TestTraceComesInPages(t *testing.T) {
	spans := randomSpans(rand.New(rand.NewPCG(1, 1)), shape{rows: 20_000, traces: 2, distinct: 50, payload: 1000, resources: 5})
	o, err := block.EncodeLimited(project, spans, block.Limits{PageRows: 256, GroupRows: 4000})
	require.NoError(t, err)
	r, asked := open(t, o)
	want := byTrace(spans)[spans[0].TraceID]
	require.Greater(t, len(want), 5000)

	all, err := tracePages(t.Context(), r, want[0].TraceID)
	require.NoError(t, err)
	requireSame(t, want, all)

	asked.reset()
	for page, err := range r.TracePages(t.Context(), want[0].TraceID, vec.AllColumns(), nil) {
		require.NoError(t, err)
		require.LessOrEqual(t, len(page), 256)
		break
	}
	require.Less(t, asked.bytes, len(o.Data)/2)

	asked.reset()
	var told int64
	enough := errors.New("enough")
	for _, err := range r.TracePages(t.Context(), want[0].TraceID, vec.AllColumns(), func(bytes int64) error { told = bytes; return enough }) {
		require.ErrorIs(t, err, enough)
	}
	size := 0
	for i := range want {
		size += len(want[i].Attributes) + len(want[i].Events) + len(want[i].Links) + len(want[i].Rest)
	}
	require.InEpsilon(t, size, told, 0.3)
	require.Less(t, asked.bytes, len(o.Data)/10, "nothing is read that was not wanted")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tracePages(ctx, r, want[0].TraceID)
	require.ErrorIs(t, err, context.Canceled)
}
