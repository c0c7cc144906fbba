package engine

import (
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Pieces is s only for the spans that it has pieces of, in CollectNames and
// CollectValues: for a source whose rows are taken elsewhere. Without any, sources
// are asked for both.
func Pieces(s Source) Source { return pieces{s} }

type pieces struct{ Source }

// OpenTraces are the source's.
func (s pieces) OpenTraces(ctx context.Context) ([]schema.TraceID, error) {
	return openTraces(ctx, s.Source)
}

// Derive is the source's.
func (s pieces) Derive(span *schema.Span) []byte { return deriveOf(s.Source, span) }

// apartPieces are the sources whose rows are taken, and by partition those whose
// pieces are put together.
func apartPieces(partitions [][]Source) (rows []Source, joined [][]Source) {
	joined = make([][]Source, len(partitions))
	for i, sources := range partitions {
		for _, s := range sources {
			if p, ok := s.(pieces); ok {
				joined[i] = append(joined[i], p)
			} else {
				rows = append(rows, s)
			}
		}
		if len(joined[i]) == 0 {
			joined[i] = sources
		}
	}
	return rows, joined
}

// maxPieceTraces bounds the traces that are put together where every span counts:
// of what follows from their pieces some do for a list.
const maxPieceTraces = waveTraces

// fromPieces takes from spans of which rows have pieces, so that what follows from
// them together is found, and by what follows from them. Which traces count, if there
// are too many, follows from their ids.
func (c *collector) fromPieces(ctx context.Context, partitions [][]Source) (rows uint64, err error) {
	left := maxTagTraces
	if c.plan.row.filter.Op == vec.OpTrue && c.plan.row.sure {
		left = maxPieceTraces
	}
	t := c.newTaker()
	for _, sources := range partitions {
		var open []schema.TraceID
		for _, s := range sources {
			more, err := openTraces(ctx, s)
			if err != nil {
				return rows, err
			}
			open = append(open, more...)
		}
		open = sortedIDs(open)
		open = open[:min(len(open), left)]
		left -= len(open)
		for wave := range slices.Chunk(open, waveTraces) {
			if err := yield(ctx); err != nil || c.full() {
				return rows, err
			}
			n, err := c.fromWave(ctx, t, sources, wave)
			if rows += n; err != nil {
				return rows, err
			}
		}
	}
	return rows, nil
}

func (c *collector) fromWave(ctx context.Context, t taker, sources []Source, ids []schema.TraceID) (count uint64, err error) {
	rows, err := readTraces(ctx, sources, ids, vec.AllColumns())
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		count += uint64(len(rows[id]))
		derive, err := DeriveOf(ctx, sources, id)
		if err != nil {
			return count, err
		}
		if trace := factsOf(id, rows[id], derive); trace != nil {
			if err := c.fromTrace(ctx, t, trace); err != nil {
				return count, err
			}
		}
	}
	return count, nil
}
