package block

import (
	"bytes"
	"context"
	"fmt"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Held lists the traces of the block from its trace tables. The caller only
// reads it. Errors are those of Scan.
func (r *Reader) Held(ctx context.Context) (held *vec.Held, err error) {
	defer r.guard("list of traces", &err)
	// A list takes the place of the block's magic, where no part begins.
	const offset = 0
	if held, ok := r.cached(offset).(*vec.Held); ok {
		return held, nil
	}
	held = &vec.Held{}
	for i := range r.dir.groups {
		if err := r.groupReader(i).appendHeld(ctx, held); err != nil {
			return nil, fmt.Errorf("list traces: %w", err)
		}
	}
	const size = len(schema.TraceID{})
	r.remember(offset, held, size*(len(held.IDs)+len(held.Unfolded)))
	return held, nil
}

// Identity names the bytes of the block: another object may come to have its key.
func (r *Reader) Identity() string { return r.key + " " + r.etag }

// appendHeld appends the traces of a row group.
func (g *groupReader) appendHeld(ctx context.Context, held *vec.Held) error {
	if err := g.keepAllSections(ctx); err != nil {
		return err
	}
	for i := range g.group.traces {
		s, err := g.readSection(i)
		if err != nil {
			return err
		}
		for trace := range s.traces() {
			id := s.id(trace)
			held.IDs = append(held.IDs, id)
			if s.split(trace) {
				held.Unfolded = append(held.Unfolded, id)
			}
		}
	}
	return nil
}

// keepAllSections fetches all tables of traces.
func (g *groupReader) keepAllSections(ctx context.Context) error {
	var list []extent
	for i := range g.group.traces {
		list = g.missingSection(list, i)
	}
	return g.keep(ctx, list)
}

// split reports whether the rows of trace i have to be folded.
func (s *traceSection) split(i int) bool { return s.table.roots[i]&1 != 0 }

func compareIDs(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) }
