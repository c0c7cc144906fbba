package querier

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"net/url"
	"slices"
	"time"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// tagsQuestion asks for the names of attributes, or for the values of fields.
type tagsQuestion struct {
	plan   *engine.Plan
	query  string // the parameters that it was made of
	scopes []traceql.Scope
	fields []traceql.FieldExpr // nil: names are asked for
	whole  bool                // it puts traces together
	within timeRange
	opts   engine.TagOptions
}

// The parameters that say what is asked for: one of them.
const (
	tagsOfScope  = "scope" // names, "" for all scopes
	tagsOfName   = "tag"   // values of an attribute of any scope, or of the span's name
	tagsOfField  = "field" // values of a field as TraceQL names it
	tagsOfFilter = "q"     // of the spans that this finds, in any case
)

// maxTagBytes bounds the names of a scope, or the values, in a reply.
const maxTagBytes = 1 << 20

// askTags reads the parameters of a list of names or values.
func (q *Querier) askTags(values url.Values, of, name string, now time.Time) (*tagsQuestion, error) {
	within, err := q.searchRange(values, now)
	if err != nil {
		return nil, err
	}
	limit, err := intParam(values, "limit", 0, 0, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	// Asks to stop after values that bring nothing new, which is not needed.
	if _, err := intParam(values, "maxStaleValues", 0, 0, math.MaxInt32); err != nil {
		return nil, err
	}
	return q.newTagsQuestion(url.Values{tagsOfFilter: {values.Get(tagsOfFilter)}, of: {name}}, within, limit)
}

func (q *Querier) newTagsQuestion(values url.Values, within timeRange, limit int) (*tagsQuestion, error) {
	t := &tagsQuestion{
		query: values.Encode(), within: within,
		opts: engine.TagOptions{
			StartNanos: within.start, EndNanos: within.end, Limit: limit, MaxBytes: maxTagBytes, Concurrency: q.cfg.Concurrency,
		},
	}
	var err error
	switch {
	case values.Has(tagsOfField):
		t.fields, err = fieldOf(values.Get(tagsOfField))
	case values.Has(tagsOfName):
		t.fields, err = fieldsOf(values.Get(tagsOfName))
	default:
		t.scopes, err = scopesOf(values.Get(tagsOfScope))
	}
	if err != nil {
		return nil, err
	}
	// What is typed so far need not be a query, so no error is one here.
	if t.plan, err = engine.Compile(traceql.ParseLenient(values.Get(tagsOfFilter))); err != nil {
		if t.plan, err = engine.Compile(nil); err != nil {
			return nil, err
		}
	}
	t.whole = engine.WholeTraces(t.plan, t.fields)
	return t, nil
}

// fieldOf reads a field as TraceQL names it.
func fieldOf(name string) ([]traceql.FieldExpr, error) {
	field, err := traceql.ParseField(name)
	if err != nil {
		return nil, badRequest("invalid tag name %q: %s", name, err)
	}
	return []traceql.FieldExpr{field}, nil
}

// fieldsOf are the attributes of that name of all scopes. The name of the span is
// called name.
func fieldsOf(name string) (fields []traceql.FieldExpr, err error) {
	switch name {
	case "":
		return nil, badRequest("invalid tag name: it is empty")
	case "name":
		return []traceql.FieldExpr{&traceql.Intrinsic{ID: traceql.IntrinsicName}}, nil
	}
	for _, s := range tagScopes {
		fields = append(fields, &traceql.Attribute{Scope: s.scope, Name: name})
	}
	return fields, nil
}

func (t *tagsQuestion) searched() timeRange { return t.within }

// sources are those with the newest rows first: when there are more names than may
// be shown, these count. Where each row is taken for itself a block is read as a whole, in
// one of the parts.
func (t *tagsQuestion) sources(ctx context.Context, q *Querier, p *part) ([]engine.Source, error) {
	joined := p.joined.Empty()
	joined.Segments = p.joined.Segments
	for _, b := range p.joined.Blocks {
		if t.whole || isHome(p.traces, b) {
			joined.Blocks = append(joined.Blocks, b)
		}
	}
	slices.SortStableFunc(joined.Blocks, func(a, b schema.BlockName) int { return cmp.Compare(b.MaxEnd, a.MaxEnd) })
	if t.whole {
		return q.sourcesBeside(ctx, joined, p.traces, t.within, t.within, 0)
	}
	segments := joined.Segments
	if p.traces.First != (schema.TraceID{}) {
		joined.Segments = nil
	}
	sources, err := q.sources(ctx, joined, t.within)
	if err != nil {
		return nil, err
	}
	pieces, err := q.pieces(ctx, p, segments)
	return append(sources, pieces...), err
}

// pieces are the sources with pieces of the spans of a part, for what follows from
// these together: there may be some in blocks of any time.
func (q *Querier) pieces(ctx context.Context, p *part, segments []catalog.Segment) (sources []engine.Source, err error) {
	open := p.joined.Empty()
	for _, b := range p.joined.Blocks {
		if b.Open {
			open.Blocks = append(open.Blocks, b)
		}
	}
	held, err := q.erasedIn(ctx, open, timeRange{}.overlaps)
	if err != nil {
		return nil, err
	}
	open.Segments = segments
	for _, s := range q.sourcesOf(open, held, p.traces, timeRange{}) {
		sources = append(sources, engine.Pieces(s))
	}
	return sources, nil
}

// isHome reports whether traces are the one part, of all that may have traces of a
// block, in which the block is read as a whole.
func isHome(traces schema.Traces, b schema.BlockName) bool {
	if b.Partitions < traces.Partitions && b.Partition != traces.Partition {
		return false // the first of the partitions that it has traces of does
	}
	place := sha256.Sum256([]byte(b.Key()))
	id := schema.TraceID(place[:len(schema.TraceID{})])
	traces.Partition, traces.Partitions = 0, 1
	return traces.Has(id)
}

func (t *tagsQuestion) run(ctx context.Context, sources []engine.Source) (answer, error) {
	groups := [][]engine.Source{sources}
	if t.fields != nil {
		return notNil(engine.CollectValues(ctx, t.plan, groups, t.fields, t.opts))
	}
	return notNil(engine.CollectNames(ctx, t.plan, groups, t.scopes, t.opts))
}

func (t *tagsQuestion) parse(encoded []byte) (answer, error) {
	return notNil(engine.ParseTags(encoded))
}

func (t *tagsQuestion) fill(j *wire.Job) {
	j.Kind, j.Query, j.Limit = wire.KindTags, t.query, t.opts.Limit
	j.Within = [2]uint64{t.within.start, t.within.end}
}

// collectTags answers a question.
func (q *Querier) collectTags(ctx context.Context, projects []schema.ProjectID, ask *tagsQuestion) (*engine.Tags, tempopb.MetadataMetrics, error) {
	var metrics tempopb.MetadataMetrics
	r, err := q.begin(ctx, projects)
	if err != nil {
		return nil, metrics, err
	}
	var all *engine.Tags
	err = q.inParts(ctx, r, ask, q.split(r, ask), func(answers []answer) error {
		for _, a := range answers {
			found, ok := a.(*engine.Tags)
			if !ok {
				return fmt.Errorf("a list of tags was answered with %T", a)
			}
			if metrics.CompletedJobs++; all == nil {
				all = found
			} else {
				all = engine.MergeTags(ask.opts, all, found)
			}
		}
		return nil
	})
	metrics.TotalJobs, metrics.TotalBlocks = metrics.CompletedJobs, clip(uint64(len(r.joined.Blocks)))
	return all, metrics, err
}
