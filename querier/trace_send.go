package querier

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// pages yields the spans of the answer, each once, in slices that are valid until
// the next iteration. When a part of them is gone meanwhile, a block that was merged
// away or messages that were stored, the trace is found anew and what was not sent
// yet comes from there. What is to be said of the trace is known afterwards.
func (t *foundTrace) pages(ctx context.Context) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		var sent sentSpans
		now := t
		for try := 0; ; try++ {
			gone, stopped := now.send(ctx, &sent, yield)
			if stopped {
				return
			}
			if gone == nil {
				t.message = joinMessages(now.message, sent.lacking(t.survey.shown))
				return
			}
			if try == maxRetries {
				yield(nil, gone)
				return
			}
			var err error
			if now, err = t.again(ctx); err != nil {
				yield(nil, err)
				return
			}
			sent.resume()
		}
	}
}

// send yields what was not sent. It is stopped by its receiver, or by an error that
// this was given, or finds something gone.
func (t *foundTrace) send(ctx context.Context, sent *sentSpans, yield func([]schema.Span, error) bool) (gone error, stopped bool) {
	if t.survey == nil { // there is less of it than before
		left := sent.add(t.spans)
		return nil, len(left) > 0 && !yield(left, nil)
	}
	for page, err := range t.survey.pages(ctx) {
		if isGone(err) {
			return err, false
		}
		if err != nil {
			yield(nil, err)
			return nil, true
		}
		if page = sent.add(page); len(page) > 0 && !yield(page, nil) {
			return nil, true
		}
	}
	return nil, false
}

// sentSpans are the spans of a trace that were sent.
type sentSpans struct {
	keys  []spanKey
	known map[spanKey]struct{} // nil before anything is sent that may be among them
}

// resume says that what comes next may have been sent.
func (s *sentSpans) resume() {
	s.known = make(map[spanKey]struct{}, len(s.keys))
	for _, key := range s.keys {
		s.known[key] = struct{}{}
	}
}

// add leaves only spans that were not sent, and takes them to be.
func (s *sentSpans) add(page []schema.Span) []schema.Span {
	if s.known != nil {
		page = slices.DeleteFunc(page, func(span schema.Span) bool {
			_, ok := s.known[spanKey{span.SpanID, span.Kind}]
			return ok
		})
	}
	for i := range page {
		s.keys = append(s.keys, spanKey{page[i].SpanID, page[i].Kind})
	}
	return page
}

// lacking says that fewer spans were sent than there were to send.
func (s *sentSpans) lacking(want int) string {
	if len(s.keys) >= want {
		return ""
	}
	return fmt.Sprintf("%d of %d spans were deleted while they were sent", want-len(s.keys), want)
}

// joinMessages puts together what is to be said, "" for nothing.
func joinMessages(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// pages yields the spans of the answer, in slices that are valid until the next
// iteration.
func (s *survey) pages(ctx context.Context) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		var kept []schema.Span
		for i, source := range s.sources {
			if !slices.Contains(s.wanted[i], true) {
				continue
			}
			row := 0
			for page, err := range tracePages(ctx, source, s.id, nil) {
				if err == nil && row+len(page) > len(s.wanted[i]) {
					err = fmt.Errorf("read trace %s: a source has other rows than before", s.id)
				}
				if err != nil {
					yield(nil, err)
					return
				}
				kept = kept[:0]
				for k := range page {
					if s.wanted[i][row+k] {
						kept = append(kept, page[k])
					}
				}
				row += len(page)
				if len(kept) > 0 && !yield(kept, nil) {
					return
				}
			}
		}
		if len(s.pieces) > 0 {
			yield(s.pieces, nil)
		}
	}
}
