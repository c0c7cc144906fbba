package engine

import (
	"context"
	"iter"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Sieve is a source without some of its rows. It can do no more than a Source has
// to: wrap only sources that have rows of both kinds. What an answer says of traces
// is then true of the spans that are left, since no other row of them is ever seen.
type Sieve struct {
	source Source
	keeps  func(*schema.Span) bool
	rest   bool // of all rows: vec.Columns.Rest decides, not only of pieces
}

var _ FragmentSource = (*Sieve)(nil)

// NewUnexpired leaves out of s the rows that end before oldest, Unix nanoseconds. A
// row ends at the later of its start and its end: a span that has no end, or one
// before its start, is as old as its start. A piece of a span that has no times at
// all is as old as the piece.
func NewUnexpired(s Source, oldest uint64) *Sieve {
	return &Sieve{s, func(row *schema.Span) bool { return row.LastNanos() >= oldest }, false}
}

// NewUnerased leaves out of s the rows of each trace up to a position of the log, 0
// for none.
func NewUnerased(s Source, upTo func(schema.TraceID) uint64) *Sieve {
	return &Sieve{s, func(row *schema.Span) bool {
		last := upTo(row.TraceID)
		return last == 0 || row.Position > last
	}, true}
}

// Source is the source with all its rows.
func (s *Sieve) Source() Source { return s.source }

// Left leaves out of rows of the source, of which all columns were read, those that
// the sieve does.
func (s *Sieve) Left(pages iter.Seq2[[]schema.Span, error]) iter.Seq2[[]schema.Span, error] {
	return keepOnly(pages, s.keeps)
}

// Scan yields the source's rows that are left.
func (s *Sieve) Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		columns, err := s.withRest(ctx, columns)
		if err != nil {
			yield(nil, err)
			return
		}
		for rows, err := range keepOnly(s.source.Scan(ctx, filter, columns), s.keeps) {
			if !yield(rows, err) {
				return
			}
		}
	}
}

// Find yields the traces that have rows left for which the filter may hold. Of
// their times only the latest start is known.
func (s *Sieve) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		places := make(map[schema.TraceID]int)
		var hits []vec.Hit
		for rows, err := range s.Scan(ctx, filter, vec.Columns{Bare: true}) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range rows {
				at, ok := places[rows[i].TraceID]
				if !ok {
					at = len(hits)
					places[rows[i].TraceID] = at
					hits = append(hits, vec.Hit{ID: rows[i].TraceID})
				}
				hits[at].LastNanos = max(hits[at].LastNanos, rows[i].StartNanos)
				hits[at].Matched++
			}
		}
		yieldInOrder(hits, yield)
	}
}

// MayHold is the source's: that a trace has no row left is not known.
func (s *Sieve) MayHold(ctx context.Context, id schema.TraceID) (bool, error) {
	return s.source.MayHold(ctx, id)
}

// Traces returns the rows that are left.
func (s *Sieve) Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) ([]schema.Span, error) {
	columns, err := s.withRest(ctx, columns)
	if err != nil {
		return nil, err
	}
	rows, err := s.source.Traces(ctx, ids, columns)
	kept := rows[:0]
	for i := range rows {
		if s.keeps(&rows[i]) {
			kept = append(kept, rows[i])
		}
	}
	return kept, err
}

// withRest adds to columns what rows are judged by.
func (s *Sieve) withRest(ctx context.Context, columns vec.Columns) (vec.Columns, error) {
	if s.rest || columns.Rest {
		columns.Rest = true
		return columns, nil
	}
	open, err := s.OpenTraces(ctx)
	columns.Rest = len(open) > 0 // of pieces their times count
	return columns, err
}

// OpenTraces are the source's.
func (s *Sieve) OpenTraces(ctx context.Context) ([]schema.TraceID, error) {
	return openTraces(ctx, s.source)
}

// Derive is the source's.
func (s *Sieve) Derive(span *schema.Span) []byte { return deriveOf(s.source, span) }

// Spans is the source's.
func (s *Sieve) Spans() int { return s.source.Spans() }

// fixedSieve is a sieve that always leaves out the same.
type fixedSieve struct {
	*Sieve

	identity func() string
}

// Identity tells the sieve from its source, and from others.
func (s fixedSieve) Identity() string { return s.identity() }

// LookupUnerased is LookupOnly of NewUnerased, of which it is known what it leaves
// out: name stands for it, as long as s never changes.
func LookupUnerased(s Source, upTo func(schema.TraceID) uint64, name string) Source {
	sieve := NewUnerased(s, upTo)
	if f, ok := s.(Fixed); ok {
		return LookupOnly(fixedSieve{sieve, func() string { return f.Identity() + " without " + name }})
	}
	return LookupOnly(sieve)
}
