package langsmith

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/internal/jsonvalue"
	"github.com/spanlake/spanlake/schema"
)

// readBatch reads {"post": [run…], "patch": [run…]}.
func readBatch(body []byte) (*batch, error) {
	var sent struct {
		Post  jsonvalue.Value `json:"post"`
		Patch jsonvalue.Value `json:"patch"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		if wrong := new(json.UnmarshalTypeError); errors.As(err, &wrong) { // which names a type of Go
			err = fmt.Errorf("it is a JSON %s", wrong.Value)
		}
		return nil, fmt.Errorf("%w: want {\"post\": [run…], \"patch\": [run…]}: %w", ingester.ErrBadRequest, err)
	}
	b := new(batch)
	for _, part := range [...]struct {
		runs  jsonvalue.Value
		patch bool
	}{{sent.Post, false}, {sent.Patch, true}} {
		for object := range jsonvalue.Elements(part.runs) {
			r := &run{patch: part.patch}
			if r.read(object) != nil {
				b.unusable++
			} else if err := b.add(r); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// readRun reads one run, or an update of the run with the id.
func readRun(body []byte, patch bool, id string) (*batch, error) {
	r := &run{patch: patch}
	if err := r.read(body); err != nil {
		return nil, fmt.Errorf("%w: %w", ingester.ErrBadRequest, err)
	}
	if patch {
		r.ID = quoted(id)
	}
	return &batch{runs: []*run{r}}, nil
}

// spans are the rows of the runs. lookup finds the traces of spans that are stored;
// now is when the runs arrived.
func (b *batch) spans(ctx context.Context, lookup *ingester.Lookup, now time.Time) []schema.Span {
	places := make([]place, len(b.runs))
	byID := make(map[string]*place, len(b.runs))
	for i, r := range b.runs {
		places[i] = r.place()
		p := &places[i]
		if known := byID[p.id]; known == nil || known.trace == "" && (p.trace != "" || known.parent == "") {
			byID[p.id] = p // of a run and its updates what says most
		}
	}
	var spans []schema.Span
	for i, r := range b.runs {
		p := places[i]
		if p.id == "" {
			b.unusable++
			continue
		}
		s := r.span(p, now)
		if p.trace == "" {
			s.TraceID = traceOf(ctx, p, byID, lookup)
		}
		spans = append(spans, s)
	}
	return spans
}

// traceOf is the trace of a run that does not say it, as those of SDKs before 0.1:
// that of its parents in the same request, or of what is stored of it or of its parent.
// Else the topmost of them is taken for the root, of which trace and run have one id.
func traceOf(ctx context.Context, p place, byID map[string]*place, lookup *ingester.Lookup) schema.TraceID {
	top := p
	for range len(byID) { // parents may go round in circles
		known := byID[top.id]
		if known == nil {
			break
		}
		if top = *known; top.trace != "" {
			return ingester.TraceIDOf(top.trace)
		}
		if top.parent == "" || byID[top.parent] == nil {
			break
		}
		top = *byID[top.parent]
	}
	for _, id := range [...]string{top.parent, top.id} {
		if id == "" {
			continue
		}
		if trace, found := lookup.Trace(ctx, ingester.SpanIDOf(id)); found {
			return trace
		}
	}
	if top.parent != "" {
		return ingester.TraceIDOf(top.parent)
	}
	return ingester.TraceIDOf(top.id)
}
