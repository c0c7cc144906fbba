package engine

import (
	"context"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// TagOptions say from which spans names or values are taken, and how many.
type TagOptions struct {
	// StartNanos and EndNanos are the range, Unix nanoseconds, end exclusive:
	// spans count that reach into it, with a plan that needs whole traces all
	// spans of the traces that do. An EndNanos of 0 means no end.
	StartNanos, EndNanos uint64
	Limit                int // names of each scope, or values; 0 means as many as MaxBytes allows
	MaxBytes             int // of names of each scope, or values, as text; default 1 MiB
	Concurrency          int // sources or traces read at a time, default 1
}

func (o *TagOptions) setDefaults() {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 1 << 20
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 1
	}
}

// overlaps reports whether the span reaches into the range.
func (o *TagOptions) overlaps(s *schema.Span) bool {
	return max(s.StartNanos, s.EndNanos) >= o.StartNanos && (o.EndNanos == 0 || s.StartNanos < o.EndNanos)
}

// Tags are the keys of attributes, or values of fields.
type Tags struct {
	// ByScope has the keys of each scope that has any, sorted. The empty key
	// is left out.
	ByScope        map[traceql.Scope][]string
	Values         []traceql.Static // distinct, by type, then by value
	InspectedSpans uint64           // rows that were read
}

// CollectNames returns the keys that the attributes of matching spans have in
// the given scopes: those that belong to a span, so not ScopeNone. partitions
// is as in Search. When there are more than opts allow it stops at any of
// them; sources that stand first count more.
//
// Rows are taken as they are, not folded: of a span that was delivered in
// several versions all versions count, which for a list to choose from is
// harmless and spares gathering traces. Spans in pieces are put together besides,
// of some traces (tags_pieces.go).
func CollectNames(
	ctx context.Context, plan *Plan, partitions [][]Source, scopes []traceql.Scope, opts TagOptions,
) (*Tags, error) {
	opts.setDefaults()
	sets := make(map[traceql.Scope]*distinct[string], len(scopes))
	used := parts(0)
	for _, s := range scopes {
		sets[s] = newDistinct[string](opts.Limit, opts.MaxBytes)
		used |= partsOfScope(s)
	}
	columns := vec.Columns{
		Resource: used.has(partResource), Scope: used.has(partScope), Attributes: used.has(partSpan),
		Events: used.has(partEvent), Links: used.has(partLink),
	}
	c := collector{
		plan: plan, columns: union(plan.columns, columns), opts: opts,
		newTaker: func() taker { return newNameTaker(sets) }, having: bound(modeMay),
		full: func() bool {
			for _, set := range sets {
				if !set.full() {
					return false
				}
			}
			return true
		},
	}
	rows, err := c.run(ctx, partitions)
	if err != nil {
		return nil, err
	}
	return &Tags{ByScope: sortedKeys(sets), InspectedSpans: rows}, nil
}

func sortedKeys(sets map[traceql.Scope]*distinct[string]) map[traceql.Scope][]string {
	byScope := make(map[traceql.Scope][]string)
	for scope, set := range sets {
		if keys := set.all(); len(keys) > 0 {
			slices.Sort(keys)
			byScope[scope] = keys
		}
	}
	return byScope
}

// CollectValues returns the values that any of the fields has in matching
// spans, each element of a list for itself. Maps, bytes, what no literal can
// spell (NaN) and texts of more than 16 KiB are left out: nobody picks them
// from a list. Otherwise it works as CollectNames does. Returns
// traceql.ErrUnsupported for fields that it can not evaluate.
func CollectValues(
	ctx context.Context, plan *Plan, partitions [][]Source, fields []traceql.FieldExpr, opts TagOptions,
) (*Tags, error) {
	opts.setDefaults()
	set := newDistinct[traceql.Static](opts.Limit, opts.MaxBytes)
	readers, used, err := valueReaders(fields)
	if err != nil {
		return nil, err
	}
	c := collector{
		plan: plan, columns: union(plan.columns, columnsOf(fields...)), opts: opts, full: set.full,
		ofTrace:  used.has(partTrace),
		newTaker: func() taker { return newValueTaker(readers, set) },
		having:   havingAny(readers),
	}
	if plan.row.sure && !plan.trace && !c.ofTrace {
		c.columns = shownColumns(fields...)
	}
	rows, err := c.run(ctx, partitions)
	if err != nil {
		return nil, err
	}
	return &Tags{Values: sortedValues(set), InspectedSpans: rows}, nil
}

func sortedValues(set *distinct[traceql.Static]) []traceql.Static {
	values := set.all()
	slices.SortFunc(values, traceql.Static.Order)
	return values
}

// WholeTraces reports whether which spans count, or the values of fields, depend
// on the traces that they are in. Where they do not, rows of a trace may be read in
// different places.
func WholeTraces(plan *Plan, fields []traceql.FieldExpr) bool {
	_, used, err := valueReaders(fields)
	return plan.trace || err == nil && used.has(partTrace)
}

// taker takes names or values. It serves one goroutine.
type taker interface {
	// take takes those of the frame's span.
	take(f *frame)
	// takeAll takes those of all rows of a source, and is false if the source
	// can not tell.
	takeAll(ctx context.Context, source Lister, f *frame) (bool, error)
}

// collector shows the spans that match to takers, until they have enough.
type collector struct {
	plan     *Plan
	columns  vec.Columns // that plan and takers read
	having   *vec.Filter // holds for all rows that have something to take
	ofTrace  bool        // what the takers take is known of whole traces only
	opts     TagOptions
	newTaker func() taker
	full     func() bool
}

// run returns the number of rows that were read.
func (c *collector) run(ctx context.Context, partitions [][]Source) (uint64, error) {
	if c.plan.trace || c.ofTrace {
		return c.fromTraces(ctx, partitions)
	}
	sources, joined := apartPieces(partitions)
	counts := make([]uint64, len(sources)+1)
	group, groupCtx := newGroup(ctx, c.opts.Concurrency)
	for i, s := range sources {
		group.Go(groupCtx, func(ctx context.Context) (err error) {
			counts[i], err = c.fromRows(ctx, s)
			return err
		})
	}
	err := group.Wait()
	if err == nil {
		counts[len(sources)], err = c.fromPieces(ctx, joined)
	}
	var rows uint64
	for _, n := range counts {
		rows += n
	}
	return rows, err
}

func (c *collector) fromRows(ctx context.Context, source Source) (rows uint64, err error) {
	f := c.plan.frame()
	defer c.plan.release(f)
	t := c.newTaker()
	if c.full() {
		return 0, nil
	}
	if lister, ok := source.(Lister); ok && c.takesAll(lister) {
		if done, err := t.takeAll(ctx, lister, f); done || err != nil {
			return 0, err
		}
	}
	if names, ok := t.(*nameTaker); ok && c.plan.row.sure {
		if finder, ok := source.(KeyFinder); ok {
			n, err := names.takeOf(ctx, finder, c.plan.row.filter, &c.opts)
			return uint64(n), err //nolint:gosec // a count
		}
	}
	filter := allFilters([]*vec.Filter{c.plan.row.filter, c.having})
	for chunk, err := range source.Scan(ctx, filter, c.columns) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return rows, err
		}
		rows += uint64(len(chunk))
		for i := range chunk {
			f.setSpan(&chunk[i])
			if c.opts.overlaps(&chunk[i]) && (c.plan.row.sure || c.plan.row.may(f)) {
				t.take(f)
			}
		}
		if c.full() {
			break
		}
	}
	return rows, nil
}

// takesAll reports whether something is taken from all rows of a source.
func (c *collector) takesAll(source Lister) bool {
	first, last := source.Times()
	return c.plan.row.sure && c.plan.row.filter.Op == vec.OpTrue &&
		first >= c.opts.StartNanos && (c.opts.EndNanos == 0 || last < c.opts.EndNanos)
}

// maxTagTraces bounds the traces that are put together to collect values which
// depend on whole traces: the newest ones count.
const maxTagTraces = 10_000

// fromTraces judges spans as Search does.
func (c *collector) fromTraces(ctx context.Context, partitions [][]Source) (uint64, error) {
	t := c.newTaker()
	left := maxTagTraces
	h := hunt{
		plan: c.plan, partitions: partitions, columns: c.columns, concurrency: c.opts.Concurrency,
		startNanos: c.opts.StartNanos, endNanos: c.opts.EndNanos, minRoom: maxQueue,
		missing: func() int { return 0 }, // unknown
		enough:  func(place) bool { return left <= 0 || c.full() },
		take: func(ctx context.Context, trace sighted) (bool, error) {
			left--
			return true, c.fromTrace(ctx, t, trace.traceFacts)
		},
	}
	return h.run(ctx)
}

func (c *collector) fromTrace(ctx context.Context, t taker, trace *traceFacts) error {
	matched, err := c.plan.matched(ctx, trace)
	f := c.plan.frame()
	defer c.plan.release(f)
	f.trace = trace
	for _, row := range matched {
		if f.setRow(row); c.plan.trace || c.ofTrace || c.opts.overlaps(f.span) {
			t.take(f)
		}
	}
	return err
}
