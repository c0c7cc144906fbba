package block_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// A query that was given up reads nothing on, even if all of it is in memory.
func TestReadersStop(t *testing.T) {
	tt := blockShapes()[6]
	spans := tt.spans(1)
	o, err := block.EncodeLimited(project, spans, tt.limits)
	require.NoError(t, err)
	r, err := block.NewCache(64<<20).Open(t.Context(), memory(o.Data), keyOf(o))
	require.NoError(t, err)
	everything := &vec.Filter{Op: vec.OpTrue}
	ids := []schema.TraceID{spans[0].TraceID}
	reads := []func(context.Context) error{
		func(ctx context.Context) error { _, err := find(ctx, r, everything); return err },
		func(ctx context.Context) error { _, err := scan(ctx, r, everything, vec.Columns{}); return err },
		func(ctx context.Context) error { _, err := r.Traces(ctx, ids, vec.AllColumns()); return err },
		func(ctx context.Context) error {
			_, err := r.Summaries(ctx, ids, everything, vec.Columns{Bare: true}, 3)
			return err
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	for _, read := range reads {
		require.NoError(t, read(ctx))
	}
	cancel()
	for i, read := range reads {
		require.ErrorIs(t, read(ctx), context.Canceled, i)
	}
}
