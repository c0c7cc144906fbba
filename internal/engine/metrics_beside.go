package engine

import (
	"context"
	"maps"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// passBeside makes the sources beside the range find nothing: a span there does
// not count. What they have of traces in it may still be the same spans, with
// another start.
func (p *gathering) passBeside() {
	p.beside = make(map[int][]schema.TraceID)
	for i, s := range p.sources {
		if o, ok := s.(only); ok {
			p.beside[i], p.sources[i] = o.ids, LookupOnly(o.Source)
		}
	}
}

// repeatedBeside returns the traces of which a span is in a held source and in
// one beside the range.
func (p *gathering) repeatedBeside(ctx context.Context, held []*vec.Held) ([]schema.TraceID, error) {
	if len(p.beside) == 0 {
		return nil, nil
	}
	with := slices.Clone(held)
	for i, ids := range p.beside {
		with[i] = &vec.Held{IDs: ids}
	}
	return p.repeatedIDs(ctx, with, sortedIDs(slices.Concat(slices.Collect(maps.Values(p.beside))...)))
}
