package querier

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// survey says which rows of a large trace are in the answer. It has some tens of
// bytes of each row and nothing of what rows say, which is read again when it is
// sent.
type survey struct {
	id      schema.TraceID
	sources []engine.Source
	rows    []surveyedRow
	pieces  []schema.Span // rows that are fragments, then the spans they make
	wanted  [][]bool      // by source and row
	shown   int           // spans
}

// surveyedRow is what decides whether a row is in the answer.
type surveyedRow struct {
	startNanos       uint64
	spanID, parentID schema.SpanID
	kind             int32
	source, row      int32 // source ofPieces: row of survey.pieces
	matched          bool
	size             int64
	completeness     schema.Completeness
}

// spanKey is what is one span within a trace.
type spanKey struct {
	id   schema.SpanID
	kind int32
}

// ofPieces stands for the source of spans that are made of fragments.
const ofPieces = -1

// surveyTrace finds out what of a large trace is shown: of each span one row,
// if it passes the filter, the first ones by start up to the limit.
func (q *Querier) surveyTrace(ctx context.Context, sources []engine.Source, id schema.TraceID, filter *traceFilter) (*foundTrace, error) {
	s := &survey{id: id, sources: sources, wanted: make([][]bool, len(sources))}
	var bytes int64 // of pieces
	var lastEnd uint64
	for i, source := range sources {
		row := 0
		for page, err := range tracePages(ctx, source, id, nil) {
			if err != nil {
				return nil, err
			}
			for k := range page {
				if span := &page[k]; span.Fragment == schema.FragmentNone {
					s.add(span, i, row, filter)
					lastEnd = max(lastEnd, span.EndNanos)
				} else {
					s.pieces = append(s.pieces, span.Detached())
					bytes += int64(otlp.SizeHint(span))
				}
				row++
			}
			if bytes > q.traceInMemory {
				return nil, q.tooManyPieces()
			}
		}
		s.wanted[i] = make([]bool, row)
	}
	if err := s.takeWhole(ctx, q.traceInMemory-bytes); err != nil {
		if errors.Is(err, errPieces) {
			return nil, q.tooManyPieces()
		}
		return nil, err
	}
	slices.SortStableFunc(s.pieces, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	if len(s.pieces) > 0 {
		derive, err := engine.DeriveOf(ctx, sources, id)
		if err != nil {
			return nil, err
		}
		s.pieces = engine.FoldBeside(s.pieces, lastEnd, derive)
	}
	for i := range s.pieces {
		s.add(&s.pieces[i], ofPieces, i, filter)
	}
	s.fold()
	found := &foundTrace{survey: s, message: s.filter(filter)}
	s.limit(found, int64(q.cfg.MaxTraceBytes)) //nolint:gosec // Config.Validate bounds it
	return found, nil
}

func (q *Querier) tooManyPieces() error {
	return &limitError{fmt.Sprintf("the trace has more than %d bytes of spans that were sent in pieces, "+
		"which are put together in memory", q.traceInMemory)}
}

// errPieces means that there are more bytes than fit.
var errPieces = errors.New("too many bytes of pieces")

// takeWhole reads the whole rows of spans whose events came on their own, and makes
// them pieces too.
func (s *survey) takeWhole(ctx context.Context, most int64) error {
	ids := make(map[schema.SpanID]bool)
	for i := range s.pieces {
		if engine.OnlyEvents(&s.pieces[i]) {
			ids[s.pieces[i].SpanID] = true
		}
	}
	if len(ids) == 0 {
		return nil
	}
	s.rows = slices.DeleteFunc(s.rows, func(r surveyedRow) bool { return ids[r.spanID] })
	for _, source := range s.sources {
		for page, err := range tracePages(ctx, source, s.id, nil) {
			if err != nil {
				return err
			}
			for k := range page {
				if span := &page[k]; span.Fragment == schema.FragmentNone && ids[span.SpanID] {
					if most -= int64(otlp.SizeHint(span)); most < 0 {
						return errPieces
					}
					s.pieces = append(s.pieces, span.Detached())
				}
			}
		}
	}
	return nil
}

func (s *survey) add(span *schema.Span, source, row int, filter *traceFilter) {
	s.rows = append(s.rows, surveyedRow{
		startNanos: span.StartNanos, spanID: span.SpanID, parentID: span.ParentSpanID, kind: span.Kind,
		source: int32(source), row: int32(row), //nolint:gosec // counts of what fits memory
		matched: filter.plan == nil || filter.plan.Match(span),
		size:    int64(otlp.SizeHint(span)), completeness: schema.CompletenessOf(span),
	})
}

// fold keeps one row of each span, as schema.Fold does, in the order of
// schema.Compare.
func (s *survey) fold() {
	slices.SortStableFunc(s.rows, func(a, b surveyedRow) int {
		return cmp.Or(cmp.Compare(a.startNanos, b.startNanos), bytes.Compare(a.spanID[:], b.spanID[:]),
			cmp.Compare(a.kind, b.kind), cmp.Compare(a.completeness.Position, b.completeness.Position))
	})
	best := make(map[spanKey]int, len(s.rows))
	for i := range s.rows {
		r := &s.rows[i]
		if j, ok := best[spanKey{r.spanID, r.kind}]; !ok || r.completeness.Exceeds(s.rows[j].completeness) {
			best[spanKey{r.spanID, r.kind}] = i
		}
	}
	kept := s.rows[:0]
	for i, r := range s.rows {
		if best[spanKey{r.spanID, r.kind}] == i {
			kept = append(kept, r)
		}
	}
	s.rows = kept
}

// filter leaves out what the filter does, and returns what to say about it.
func (s *survey) filter(f *traceFilter) string {
	if f.plan == nil {
		return ""
	}
	list := make([]relative, len(s.rows))
	for i := range s.rows {
		list[i] = relative{s.rows[i].spanID, s.rows[i].parentID, s.rows[i].matched}
	}
	wanted := f.wanted(list)
	kept := s.rows[:0]
	for i, r := range s.rows {
		if wanted[i] {
			kept = append(kept, r)
		}
	}
	s.rows = kept
	return shownMessage(len(kept), len(list))
}

// limit marks the first rows that take no more than so many bytes, 0 for all.
func (s *survey) limit(found *foundTrace, most int64) {
	var size int64
	all, shown := len(s.rows), 0
	for i := range s.rows {
		r := &s.rows[i]
		if size += r.size; most > 0 && size > most {
			continue
		}
		shown++
		if r.source != ofPieces {
			s.wanted[r.source][r.row] = true
		}
	}
	s.shown = shown
	s.keepPieces(shown)
	if shown == all {
		return
	}
	found.cut = true
	limited := fmt.Sprintf("the trace is too large: the first %d of %d spans are shown, of about %d MB together. "+
		"Ask for fewer with q, or raise querier.max-trace-bytes", shown, all, size/1e6)
	found.message = joinMessages(found.message, limited)
}

// keepPieces leaves only the spans made of fragments that are among the first
// rows, and forgets the rows.
func (s *survey) keepPieces(first int) {
	var kept []schema.Span
	for _, r := range s.rows[:first] {
		if r.source == ofPieces {
			kept = append(kept, s.pieces[r.row])
		}
	}
	s.pieces, s.rows = kept, nil
}
