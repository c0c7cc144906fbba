package jaeger

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// trace answers with the trace of a path. The time that clients may name does not
// matter: the trace is found wherever it is.
func (h *Handler) trace(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	wanted, err := traceID(req.PathValue("id"))
	if err != nil {
		return nil, err
	}
	answer, err := h.read(ctx, id, []schema.TraceID{wanted})
	if err == nil && len(answer.Errors) > 0 {
		err = fmt.Errorf("%w: there is no trace with the id %s", querier.ErrNotFound, wanted)
	}
	return answer, err
}

// traces answers with the traces of some ids, or with the newest ones that a search
// finds.
func (h *Handler) traces(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values := req.URL.Query()
	limit, err := limitOf(values)
	if err != nil {
		return nil, err
	}
	if names := values["traceID"]; len(names) > 0 {
		wanted, err := traceIDs(names)
		if err != nil {
			return nil, err
		}
		return h.read(ctx, id, wanted)
	}
	filter, err := query(values)
	if err != nil {
		return nil, err
	}
	from, to, err := h.between(values, time.Now())
	if err != nil {
		return nil, err
	}
	found, err := h.newest(ctx, id, filter, from, to, limit)
	if err != nil {
		return nil, err
	}
	answer, err := h.read(ctx, id, found)
	if err != nil {
		return nil, err
	}
	answer.Errors = nil // what is gone since it was found was not asked for
	return answer, nil
}

// traceID reads an id of 1 to 32 digits.
func traceID(text string) (schema.TraceID, error) {
	id, err := schema.ParseTraceID(text)
	if err == nil && id.IsZero() {
		err = fmt.Errorf("%w: it is zero", schema.ErrBadID)
	}
	if err != nil {
		return id, querier.BadRequest("invalid trace id %.100q: want up to 32 hexadecimal digits", text)
	}
	return id, nil
}

// traceIDs reads several, each of which is wanted once.
func traceIDs(names []string) ([]schema.TraceID, error) {
	if len(names) > maxLimit {
		return nil, querier.BadRequest("%d traces are asked for: ask for at most %d at once", len(names), maxLimit)
	}
	var wanted []schema.TraceID
	for _, name := range names {
		id, err := traceID(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(wanted, id) {
			wanted = append(wanted, id)
		}
	}
	return wanted, nil
}

// read reads traces in this order. Those that are not there are in the errors.
func (h *Handler) read(ctx context.Context, id schema.ProjectID, wanted []schema.TraceID) (*reply, error) {
	list := traceList{data: []json.RawMessage{}}
	there := make(map[schema.TraceID]bool, len(wanted))
	err := h.q.ReadFirst(ctx, id, wanted, func(spans []schema.Span, whole bool) error {
		there[spans[0].TraceID] = true
		shown, err := traceOf(spans, whole)
		if err != nil {
			return err
		}
		return list.add(shown)
	})
	if err != nil {
		return nil, err
	}
	answer := &reply{Data: list.data}
	for _, id := range wanted {
		if !there[id] {
			answer.Errors = append(answer.Errors, problem{Message: "trace not found", TraceID: shownTraceID(id)})
		}
	}
	return answer, nil
}

// maxReplyBytes bounds an answer: it is put together in memory.
const maxReplyBytes = 64 << 20

// traceList is the traces of an answer, as JSON: what they were made of is not held.
type traceList struct {
	data  []json.RawMessage
	bytes int
}

func (l *traceList) add(t *shownTrace) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if l.bytes += len(body); l.bytes > maxReplyBytes {
		return querier.TooMuch("the traces have more than %d bytes: ask for fewer at once with limit, or for one by its id", maxReplyBytes)
	}
	l.data = append(l.data, body)
	return nil
}
