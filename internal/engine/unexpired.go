package engine

import (
	"context"
	"iter"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Unexpired is a source without the rows that ended too long ago. It can do no
// more than a Source has to: wrap only sources that have both older and newer
// rows. What an answer says of traces is then true of the spans that are left,
// since no other row of them is ever seen.
//
// A row ends at the later of its start and its end: a span that has no end, or
// one before its start, is as old as its start. A piece of a span that has no
// times at all is as old as the piece.
type Unexpired struct {
	source Source
	oldest uint64
}

var _ FragmentSource = (*Unexpired)(nil)

// NewUnexpired leaves out of s the rows that end before oldest, Unix
// nanoseconds.
func NewUnexpired(s Source, oldest uint64) *Unexpired { return &Unexpired{s, oldest} }

// ExpiryNanos is the time by which a row is judged.
func ExpiryNanos(s *schema.Span) uint64 {
	end := max(s.StartNanos, s.EndNanos)
	if end == 0 && s.Fragment != schema.FragmentNone {
		return s.FragmentNanos
	}
	return end
}

func (u *Unexpired) keeps(s *schema.Span) bool { return ExpiryNanos(s) >= u.oldest }

// Source is the source with all its rows.
func (u *Unexpired) Source() Source { return u.source }

// Left leaves out of rows of the source, of which all columns were read, those
// that ended too long ago.
func (u *Unexpired) Left(pages iter.Seq2[[]schema.Span, error]) iter.Seq2[[]schema.Span, error] {
	return keepOnly(pages, u.keeps)
}

// Scan yields the source's rows that are left.
func (u *Unexpired) Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		open, err := u.OpenTraces(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		if len(open) > 0 {
			columns.Rest = true // of pieces their times count
		}
		for rows, err := range keepOnly(u.source.Scan(ctx, filter, columns), u.keeps) {
			if !yield(rows, err) {
				return
			}
		}
	}
}

// Find yields the traces that have rows left for which the filter may hold. Of
// their times only the latest start is known.
func (u *Unexpired) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		places := make(map[schema.TraceID]int)
		var hits []vec.Hit
		for rows, err := range u.Scan(ctx, filter, vec.Columns{Bare: true}) {
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
func (u *Unexpired) MayHold(ctx context.Context, id schema.TraceID) (bool, error) {
	return u.source.MayHold(ctx, id)
}

// Traces returns the rows that are left.
func (u *Unexpired) Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) ([]schema.Span, error) {
	open, err := u.OpenTraces(ctx)
	if err != nil {
		return nil, err
	}
	if len(open) > 0 {
		columns.Rest = true
	}
	rows, err := u.source.Traces(ctx, ids, columns)
	kept := rows[:0]
	for i := range rows {
		if u.keeps(&rows[i]) {
			kept = append(kept, rows[i])
		}
	}
	return kept, err
}

// OpenTraces are the source's.
func (u *Unexpired) OpenTraces(ctx context.Context) ([]schema.TraceID, error) {
	return openTraces(ctx, u.source)
}

// Spans is the source's.
func (u *Unexpired) Spans() int { return u.source.Spans() }
