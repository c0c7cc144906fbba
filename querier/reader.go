package querier

import (
	"context"
	"iter"
	"slices"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// blockReader reads one block. Its methods are those of engine.Source.
type blockReader interface {
	Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error]
	Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error]
	MayContain(id schema.TraceID) bool
	Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) ([]schema.Span, error)
	// Bytes is the memory that the reader takes.
	Bytes() int64
}

// rowReader reads blocks row by row: it decides filters on whole rows.
type rowReader struct{ *block.Reader }

// Scan yields the rows for which the filter holds.
func (r rowReader) Scan(ctx context.Context, filter *vec.Filter, _ vec.Columns) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		rows := engine.NewRows()
		for chunk, err := range r.Reader.Scan(ctx, block.ScanRequest{}) {
			if err != nil {
				yield(nil, err)
				return
			}
			selected, err := rows.Select(chunk, filter)
			var found []schema.Span
			for i := selected.Next(0); i < len(chunk); i = selected.Next(i + 1) {
				found = append(found, chunk[i])
			}
			if !yield(found, err) || err != nil {
				return
			}
		}
	}
}

// Find yields the traces with rows for which the filter holds.
func (r rowReader) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		var spans []schema.Span
		index := make(map[schema.TraceID][]int32)
		for chunk, err := range r.Reader.Scan(ctx, block.ScanRequest{}) {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range chunk {
				id := chunk[i].TraceID
				index[id] = append(index[id], int32(len(spans)+i)) //nolint:gosec // a block fits memory
			}
			spans = append(spans, chunk...)
		}
		rows := engine.NewMemory([][]schema.Span{spans}, func(id schema.TraceID) []int32 { return index[id] })
		rows.Find(ctx, filter)(yield)
	}
}

// fewTraces is up to which number looking up each is cheaper than a scan.
const fewTraces = 8

// Traces returns the rows of traces.
func (r rowReader) Traces(ctx context.Context, ids []schema.TraceID, _ vec.Columns) ([]schema.Span, error) {
	var spans []schema.Span
	if len(ids) > fewTraces {
		for chunk, err := range r.Reader.Scan(ctx, block.ScanRequest{}) {
			if err != nil {
				return nil, err
			}
			for i := range chunk {
				if slices.Contains(ids, chunk[i].TraceID) {
					spans = append(spans, chunk[i])
				}
			}
		}
		return spans, nil
	}
	for _, id := range ids {
		part, err := r.Trace(ctx, id)
		if err != nil {
			return nil, err
		}
		spans = append(spans, part...)
	}
	return spans, nil
}

// bytesPerTrace is about what a reader keeps for a trace.
const bytesPerTrace = 2

// Bytes is the memory that the reader takes, about.
func (r rowReader) Bytes() int64 { return int64(r.Name().Spans*bytesPerTrace + r.Name().TailBytes) } //nolint:gosec // a block fits memory
