package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// heldBy lists the traces of a source.
func heldBy(ctx context.Context, source Source) (*vec.Held, error) {
	if sampler, ok := source.(Sampler); ok {
		return sampler.Held(ctx)
	}
	held := &vec.Held{}
	for hits, err := range source.Find(ctx, &vec.Filter{Op: vec.OpTrue}) {
		if err != nil {
			return nil, err
		}
		for i := range hits {
			held.IDs = append(held.IDs, hits[i].ID)
			if !hits[i].Folded {
				held.Unfolded = append(held.Unfolded, hits[i].ID)
			}
		}
	}
	slices.SortFunc(held.IDs, compareTraceIDs)
	slices.SortFunc(held.Unfolded, compareTraceIDs)
	return held, nil
}

// openTraces are those of all sources, in ascending order.
func (p *gathering) openTraces(ctx context.Context) (all []schema.TraceID, err error) {
	for _, source := range p.sources {
		open, err := openTraces(ctx, source)
		if err != nil {
			return nil, err
		}
		all = append(all, open...)
	}
	slices.SortFunc(all, compareTraceIDs)
	return slices.Compact(all), nil
}

// held lists the traces of the sources that are searched, nil for the others.
func (p *gathering) held(ctx context.Context) ([]*vec.Held, error) {
	held := make([]*vec.Held, len(p.sources))
	err := p.each(ctx, len(p.sources), func(ctx context.Context, i int) (err error) {
		if _, ok := p.sources[i].(lookupOnly); !ok {
			held[i], err = heldBy(ctx, p.sources[i])
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list traces: %w", err)
	}
	return held, nil
}

// rows shows the rows that are spans, and returns the traces that have others.
func (p *gathering) rows(ctx context.Context) ([]schema.TraceID, error) {
	held, err := p.held(ctx)
	if err != nil {
		return nil, err
	}
	open, err := p.openTraces(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.add(open); err != nil {
		return nil, err
	}
	apart, folded, err := p.repeats(ctx, held)
	if err != nil {
		return nil, err
	}
	beside, err := p.repeatedBeside(ctx, held)
	if err != nil {
		return nil, err
	}
	apart = sortedIDs(slices.Concat(apart, open, beside))
	err = p.each(ctx, len(p.sources), func(ctx context.Context, i int) error {
		if held[i] == nil || !p.grid.reaches(p.sources[i]) {
			return nil
		}
		return p.scan(ctx, p.sources[i], held[i], apart, folded[i])
	})
	return p.sorted(), err
}

// scan shows the rows of one source.
func (p *gathering) scan(ctx context.Context, source Source, held *vec.Held, apart []schema.TraceID, folded []vec.Folded) error {
	if f, ok := p.remembers(source); ok {
		return p.scanFixed(ctx, f, held, apart, folded)
	}
	return p.borrow(func(o observer) error {
		sampler, isSampler := source.(Sampler)
		columns, isColumns := o.(sampleObserver)
		if !isSampler || !isColumns || p.leaf.sampling == nil {
			return p.scanRows(ctx, o, source, held, apart, folded)
		}
		sampling := *p.leaf.sampling
		sampling.After, sampling.Until = p.grid.after(), p.grid.until()
		sampling.Except, sampling.Folded = apart, folded
		left, err := sampler.Sample(ctx, &sampling, func(s *vec.Samples) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return columns.samples(s)
		})
		if err != nil {
			return fmt.Errorf("sample: %w", err)
		}
		return p.add(left)
	})
}

// scanRows is scan row by row, which does not tell the places of rows.
func (p *gathering) scanRows(
	ctx context.Context, o observer, source Source, held *vec.Held, apart []schema.TraceID, folded []vec.Folded,
) error {
	split := make(map[schema.TraceID]bool, len(apart)+len(held.Unfolded)+len(folded))
	for i := range folded {
		split[folded[i].ID] = true
	}
	for _, id := range apart {
		split[id] = true
	}
	for _, id := range held.Unfolded {
		split[id] = true
	}
	f := p.leaf.plan.frame()
	defer p.leaf.plan.release(f)
	var left []schema.TraceID
	for chunk, err := range source.Scan(ctx, p.leaf.plan.row.filter, p.leaf.columns) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("scan: %w", err)
		}
		for i := range chunk {
			s := &chunk[i]
			if f.setSpan(s); !p.leaf.plan.row.may(f) {
				continue
			}
			if split[s.TraceID] {
				if len(left) == 0 || left[len(left)-1] != s.TraceID {
					left = append(left, s.TraceID)
				}
				continue
			}
			if step := p.grid.at(s.StartNanos); step >= 0 {
				if err := o.span(f, int32(step)); err != nil { //nolint:gosec // below the number of steps
					return err
				}
			}
		}
	}
	return p.add(left)
}
