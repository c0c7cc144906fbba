package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// gatherer shows an observer every span that a query finds, once.
//
// Rows are enough for a query that judges each span on its own: a row of a
// trace that is in one place only, and there once, is the span. The sources
// leave out the others, of traces that several of them hold, or that have
// several rows of a span; these traces are put together, folded, and judged as
// a search does it. Queries that need more than the span put every trace
// together that may match.
type gatherer struct {
	*metricsRun

	leaf *metricsLeaf
	free chan observer // that nobody uses
}

func gatherSpans(ctx context.Context, r *metricsRun, q *metricsLeaf) (observer, error) {
	g := &gatherer{metricsRun: r, leaf: q, free: make(chan observer, r.opts.Concurrency)}
	partitions, err := neighbours{r.opts.Concurrency, r.opts.Repeats}.look(ctx, r.partitions)
	if err != nil {
		return nil, err
	}
	for _, sources := range partitions {
		if err := g.partition(ctx, sources); err != nil {
			return nil, err
		}
	}
	return g.merged()
}

// borrow lends an observer to f. There are no more than run at once.
func (g *gatherer) borrow(f func(observer) error) error {
	o := g.take()
	if s, ok := o.(sampleObserver); ok {
		s.beginSamples()
	}
	err := f(o)
	g.free <- o
	return err
}

// take is borrow for one that the caller gives back to free.
func (g *gatherer) take() observer {
	select {
	case o := <-g.free:
		return o
	default:
		return g.leaf.newObserver(g.metricsRun)
	}
}

// merged is what all observers were shown.
func (g *gatherer) merged() (observer, error) {
	close(g.free)
	all, ok := <-g.free
	if !ok {
		return g.leaf.newObserver(g.metricsRun), nil
	}
	for o := range g.free {
		if err := all.merge(o); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// partition gathers the spans of one partition.
func (g *gatherer) partition(ctx context.Context, sources []Source) error {
	p := &gathering{gatherer: g, sources: sources}
	if !g.leaf.plan.trace {
		p.passBeside()
	}
	var ids []schema.TraceID
	var err error
	switch {
	case g.leaf.tabulates():
		ids, err = p.tables(ctx)
	case g.leaf.plan.trace || g.leaf.whole:
		ids, err = p.candidates(ctx)
	default:
		ids, err = p.rows(ctx)
	}
	if err != nil {
		return err
	}
	return p.traces(ctx, ids)
}

// gathering is the gathering of one partition.
type gathering struct {
	*gatherer

	sources []Source
	beside  map[int][]schema.TraceID // of sources that are not searched: traces that reach into the range

	mu  sync.Mutex
	ids []schema.TraceID // of traces to put together, some perhaps twice
}

// each calls f for some sources at once.
func (p *gathering) each(ctx context.Context, count int, f func(ctx context.Context, i int) error) error {
	group, groupCtx := newGroup(ctx, p.opts.Concurrency)
	for i := range count {
		group.Go(groupCtx, func(ctx context.Context) error { return f(ctx, i) })
	}
	return group.Wait()
}

// add takes traces to put together.
func (p *gathering) add(ids []schema.TraceID) error {
	if len(ids) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ids = append(p.ids, ids...)
	return p.budget.take(len(ids) * len(schema.TraceID{}))
}

// sorted returns the traces to put together, each once.
func (p *gathering) sorted() []schema.TraceID {
	slices.SortFunc(p.ids, compareTraceIDs)
	return slices.Compact(p.ids)
}

// seen is a trace that has rows of some leaves.
type seen struct {
	id     schema.TraceID
	leaves leafSet
}

// candidates are the traces that have what the pipeline needs.
func (p *gathering) candidates(ctx context.Context) ([]schema.TraceID, error) {
	plan := p.leaf.plan
	var mu sync.Mutex
	var all []seen
	err := p.each(ctx, len(p.sources)*len(plan.leaves), func(ctx context.Context, i int) error {
		leaf := i % len(plan.leaves)
		for hits, err := range find(ctx, p.sources[i/len(plan.leaves)], &plan.leaves[leaf].rowTest) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				err = p.budget.take(len(hits) * seenBytes)
			}
			if err != nil {
				return fmt.Errorf("find traces: %w", err)
			}
			mu.Lock()
			for i := range hits {
				if p.reaches(&hits[i]) {
					all = append(all, seen{hits[i].ID, 1 << leaf})
				}
			}
			mu.Unlock()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if p.ids, err = p.openTraces(ctx); err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b seen) int { return compareTraceIDs(a.id, b.id) })
	var lacking []schema.TraceID
	for len(all) > 0 {
		s := all[0]
		for ; len(all) > 0 && all[0].id == s.id; all = all[1:] {
			s.leaves |= all[0].leaves
		}
		if plan.need.holds(s.leaves) {
			p.ids = append(p.ids, s.id)
		} else {
			lacking = append(lacking, s.id)
		}
	}
	// What they lack may be in sources that are not searched.
	lacking, err = p.mayBeElsewhere(ctx, lacking)
	p.ids = append(p.ids, lacking...)
	return p.sorted(), err
}

const seenBytes = 24

// reaches reports whether a trace may have a span that starts in the grid, as
// far as one source knows. What has to be folded, or may be elsewhere too, may.
func (p *gathering) reaches(h *vec.Hit) bool {
	return !h.Folded || len(p.sources) > 1 || h.StartNanos <= p.grid.until() && h.LastNanos > p.grid.after()
}

// waveTraces is how many traces are read at once at most.
const waveTraces = 256

// traces puts traces together, wave by wave, and shows the spans that the query
// finds.
func (p *gathering) traces(ctx context.Context, ids []schema.TraceID) error {
	waves := (len(ids) + waveTraces - 1) / waveTraces
	return p.each(ctx, waves, func(ctx context.Context, i int) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		wave := ids[i*waveTraces:]
		return p.wave(ctx, wave[:min(waveTraces, len(wave))])
	})
}

// wave is traces for some of them.
func (p *gathering) wave(ctx context.Context, ids []schema.TraceID) error {
	rows, err := p.read(ctx, ids, p.leaf.columns)
	if err != nil {
		return err
	}
	var again []schema.TraceID
	derives := make(map[schema.TraceID]Derive)
	for _, id := range ids {
		derive, open, err := openIn(ctx, p.sources, id)
		if err != nil {
			return fmt.Errorf("look up traces: %w", err)
		}
		if open {
			derives[id] = derive
		}
		if open || repeated(rows[id]) {
			again = append(again, id)
		}
	}
	// Which of a span's rows stays depends on all of what they say.
	whole, err := p.read(ctx, again, vec.AllColumns())
	if err != nil {
		return err
	}
	maps.Copy(rows, whole)
	return p.borrow(func(o observer) error {
		f := p.leaf.plan.frame()
		defer p.leaf.plan.release(f)
		for _, id := range ids {
			if err := p.show(ctx, o, f, factsOf(id, rows[id], derives[id])); err != nil {
				return err
			}
		}
		return nil
	})
}

// show shows the spans of a trace that the query finds. nil has none.
func (p *gathering) show(ctx context.Context, o observer, f *frame, t *traceFacts) error {
	if t == nil || !t.startsWithin(&p.grid) {
		return nil
	}
	matched, err := p.leaf.plan.matched(ctx, t)
	if err != nil {
		return err
	}
	f.trace = t
	for _, i := range matched {
		step := p.grid.at(t.spans[i].StartNanos)
		if step < 0 {
			continue
		}
		f.setRow(i)
		if err := o.span(f, int32(step)); err != nil { //nolint:gosec // below the number of steps
			return err
		}
	}
	return nil
}

// startsWithin reports whether a span starts in the grid.
func (t *traceFacts) startsWithin(g *grid) bool {
	return slices.ContainsFunc(t.spans, func(s schema.Span) bool { return g.at(s.StartNanos) >= 0 })
}

// read returns the rows of traces from all sources that may have any.
func (p *gathering) read(ctx context.Context, ids []schema.TraceID, columns vec.Columns) (map[schema.TraceID][]schema.Span, error) {
	return readTraces(ctx, p.sources, ids, columns)
}

func readTraces(ctx context.Context, sources []Source, ids []schema.TraceID, columns vec.Columns) (map[schema.TraceID][]schema.Span, error) {
	rows := make(map[schema.TraceID][]schema.Span, len(ids))
	if len(ids) == 0 {
		return rows, nil
	}
	for _, source := range sources {
		var held []schema.TraceID
		for _, id := range ids {
			ok, err := source.MayHold(ctx, id)
			if err != nil {
				return nil, fmt.Errorf("look up traces: %w", err)
			}
			if ok {
				held = append(held, id)
			}
		}
		if len(held) == 0 {
			continue
		}
		spans, err := source.Traces(ctx, held, columns)
		if err != nil {
			return nil, fmt.Errorf("read %d traces: %w", len(held), err)
		}
		for spans := range runs(spans) {
			id := spans[0].TraceID
			if before, ok := rows[id]; ok {
				spans = append(before, spans...)
			}
			rows[id] = spans
		}
	}
	return rows, nil
}
