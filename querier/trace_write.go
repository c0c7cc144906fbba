package querier

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// partBytes is about how much of a large trace is encoded at a time.
const partBytes = 1 << 20

// empty reports whether there is no span.
func (t *foundTrace) empty() bool { return t.survey == nil && len(t.spans) == 0 }

// whole returns an error if the trace is beyond the limit.
func (t *foundTrace) whole() error {
	if t.cut {
		return &limitError{t.message}
	}
	return nil
}

// reply is the answer: in memory if the trace is small, else written as it is
// read.
func (t *foundTrace) reply(ctx context.Context, contentType string, w tempopb.TraceWriter) (reply, error) {
	if t.survey != nil {
		return reply{contentType: contentType, stream: func(out io.Writer) error { return t.write(ctx, out, &w) }}, nil
	}
	var body []byte
	if len(t.spans) > 0 {
		var err error
		if body, err = w.Append(nil, otlp.AppendTraces(nil, t.shown(t.spans))); err != nil {
			return reply{}, err
		}
	}
	return reply{contentType: contentType, body: w.End(body, t.message)}, nil
}

// write writes a large trace part by part. Where what was listed is not there, again
// and again, the answer ends and says so if its form has room for that.
func (t *foundTrace) write(ctx context.Context, out io.Writer, w *tempopb.TraceWriter) error {
	var traces, body []byte
	for page, err := range t.pages(ctx) {
		if errors.Is(err, catalog.ErrUnsettled) && !w.Bare {
			t.message = joinMessages(t.message, "the rest of the trace is gone: "+err.Error())
			break
		}
		if err != nil {
			return err
		}
		for len(page) > 0 {
			n := firstPart(page)
			traces = otlp.AppendTraces(traces[:0], t.shown(page[:n]))
			if body, err = w.Append(body[:0], traces); err != nil {
				return err
			}
			if _, err = out.Write(body); err != nil {
				return fmt.Errorf("%w: %w", errClientGone, err)
			}
			page = page[n:]
		}
	}
	if _, err := out.Write(w.End(body[:0], t.message)); err != nil {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// firstPart is how many spans make a part, at least one.
func firstPart(page []schema.Span) int {
	size := 0
	for i := range page {
		if size += otlp.SizeHint(&page[i]); size > partBytes && i > 0 {
			return i
		}
	}
	return len(page)
}

// first returns the first spans of up to so many bytes, as they are read, and
// what to say if these are not all.
func (t *foundTrace) first(ctx context.Context, most int64) ([]schema.Span, string, error) {
	if t.survey == nil {
		return t.shown(t.spans), t.message, nil
	}
	var spans []schema.Span
	var size int64
	for page, err := range t.pages(ctx) {
		if err != nil {
			return nil, "", err
		}
		for i := range page {
			if size += int64(otlp.SizeHint(&page[i])); size > most {
				return t.shown(spans), fmt.Sprintf("the trace is too large for this form: %d spans are shown. Ask for fewer with q, or for JSON", len(spans)), nil
			}
			spans = append(spans, page[i].Detached())
		}
	}
	return t.shown(spans), t.message, nil
}

// shown is how spans are shown.
func (t *foundTrace) shown(spans []schema.Span) []schema.Span {
	if t.derived {
		return llm.Shown(spans)
	}
	return spans
}
