package querier

import (
	"context"
	"fmt"
	"net/url"
	"slices"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/erasure"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// TracesWhere returns the ids of all traces of a project that a search for a query
// would find if it looked at all times without a limit, in ascending order. Memory
// is that of the largest of its jobs' answers. More than erasure.MaxTraces are
// refused.
func (q *Querier) TracesWhere(ctx context.Context, id schema.ProjectID, query string) (ids []schema.TraceID, err error) {
	values := url.Values{"q": {query}}
	plan, parsed, err := searchPlan(values)
	switch {
	case err != nil:
		return nil, err
	case parsed == nil || parsed.Metrics != nil:
		return nil, badRequest("invalid TraceQL query: want one that finds spans, such as { span.user.id = \"u1\" }")
	}
	projects := []schema.ProjectID{id}
	ctx = context.WithValue(ctx, usageKey{}, new(usage))
	ask := &searchQuestion{
		plan: plan, query: planValues(values), margin: q.cfg.SearchMargin, opts: q.searchOptions(timeRange{}, q.maxErased+1, 1),
	}
	found := make(map[schema.TraceID]struct{})
	err = q.permitted(ctx, projects, func() error {
		r, err := q.begin(ctx, projects)
		if err != nil {
			return err
		}
		return q.inParts(ctx, r, ask, q.split(r, ask), func(answers []answer) error {
			for _, a := range answers {
				result, ok := a.(*engine.SearchResult)
				if !ok {
					return fmt.Errorf("a search was answered with %T", a)
				}
				for i := range result.Traces {
					found[result.Traces[i].TraceID] = struct{}{}
				}
			}
			if len(found) > q.maxErased {
				return badRequest("more than %d traces match, which is what one erasure may be about: add a condition, such as "+
					"a service or a part of the day, and erase the rest with others", q.maxErased)
			}
			return nil
		})
	})
	for trace := range found {
		ids = append(ids, trace)
	}
	return erasure.Sorted(ids), err
}

// Left is what there is of the traces of an erasure, of the rows that it is about.
type Left struct {
	Traces int `json:"traces"` // with spans that queries show
	Spans  int `json:"spans"`  // that queries show
	Stored int `json:"stored"` // rows in objects and in the log, hidden ones too
}

// LeftOf looks for what there is of the traces of an erasure.
func (q *Querier) LeftOf(ctx context.Context, r *erasure.Request) (left Left, err error) {
	shown, err := q.rowsOf(ctx, r, false)
	if err != nil {
		return left, err
	}
	stored, err := q.rowsOf(ctx, r, true)
	return Left{Traces: shown.traces, Spans: shown.spans, Stored: stored.rows}, err
}

// countedRows are rows of the traces of an erasure.
type countedRows struct{ traces, spans, rows int }

// rowsOf counts the rows that an erasure is about: those that queries show, or all
// that are there.
func (q *Querier) rowsOf(ctx context.Context, r *erasure.Request, hidden bool) (n countedRows, err error) {
	projects := []schema.ProjectID{r.Project}
	ctx = context.WithValue(ctx, usageKey{}, &usage{hidden: hidden})
	byPartition := make([][]schema.TraceID, q.partitions)
	for _, id := range r.Traces {
		p := id.Partition(q.partitions)
		byPartition[p] = append(byPartition[p], id)
	}
	err = q.permitted(ctx, projects, func() error {
		for partition, ids := range byPartition {
			for few := range slices.Chunk(ids, erasedTraces) {
				var more countedRows
				if err := q.read(ctx, projects, []int{partition}, func(joined *catalog.Joined) (err error) {
					more, err = q.countRows(ctx, joined, r, few)
					return err
				}); err != nil {
					return err
				}
				n.traces, n.spans, n.rows = n.traces+more.traces, n.spans+more.spans, n.rows+more.rows
			}
		}
		return nil
	})
	return n, err
}

// erasedTraces is of how many traces rows are in memory at once.
const erasedTraces = 256

func (q *Querier) countRows(ctx context.Context, joined *catalog.Joined, r *erasure.Request, ids []schema.TraceID) (n countedRows, err error) {
	type key struct {
		trace schema.TraceID
		span  schema.SpanID
		kind  int32
	}
	traces, spans := make(map[schema.TraceID]struct{}), make(map[key]struct{})
	count := func(s engine.Source, upTo uint64) error {
		var maybe []schema.TraceID
		for _, id := range ids {
			holds, err := s.MayHold(ctx, id)
			if err != nil {
				return err
			}
			if holds {
				maybe = append(maybe, id)
			}
		}
		if len(maybe) == 0 {
			return nil
		}
		rows, err := s.Traces(ctx, maybe, vec.Columns{Rest: true})
		for i := range rows {
			if row := &rows[i]; row.Position <= upTo {
				n.rows++
				traces[row.TraceID] = struct{}{}
				spans[key{row.TraceID, row.SpanID, row.Kind}] = struct{}{}
			}
		}
		return err
	}
	held, err := q.erasedIn(ctx, joined, func(schema.BlockName) bool { return true })
	if err != nil {
		return n, err
	}
	for _, name := range joined.Blocks {
		if upTo := r.UpTo(erasure.PlaceOf(&name)); upTo >= name.First {
			if err := count(q.blockOf(name, schema.AllTraces(), joined.Oldest[name.Project], held[name]), upTo); err != nil {
				return n, err
			}
		}
	}
	for _, part := range joined.Parts {
		upTo := r.UpTo(erasure.Place{Partition: part.Partition, Partitions: q.partitions, Epoch: part.Floor.Epoch})
		for _, s := range part.Segments {
			if first, _ := s.Range(); upTo >= first {
				if err := count(s, upTo); err != nil {
					return n, err
				}
			}
		}
	}
	n.traces, n.spans = len(traces), len(spans)
	return n, nil
}
