package ingester

import (
	"context"
	"fmt"
	"time"

	"github.com/spanlake/spanlake/schema"
)

// Spans finds spans that are stored, for protocols whose clients speak of a span
// without its trace.
type Spans interface {
	// TraceOf is the trace of a span, if there is such a span.
	TraceOf(ctx context.Context, project schema.ProjectID, span schema.SpanID) (trace schema.TraceID, found bool, err error)
	// LastOf is the start of the newest trace with a span of a service, Unix
	// nanoseconds, if there is one.
	LastOf(ctx context.Context, project schema.ProjectID, service string) (startNanos uint64, found bool, err error)
}

// maxLookups bounds how many spans are looked for in one request, each by a query:
// clients speak of a few at once.
const maxLookups = 100

// Lookup finds the traces of spans within one request, and asks for each once.
type Lookup struct {
	project schema.ProjectID
	spans   Spans
	known   map[schema.SpanID]schema.TraceID // zero for those that are not stored
	err     error
}

// NewLookup returns what looks for spans of a project. Spans may be nil, and then
// nothing is found.
func NewLookup(project schema.ProjectID, spans Spans) *Lookup {
	return &Lookup{project: project, spans: spans, known: make(map[schema.SpanID]schema.TraceID)}
}

// Trace is the trace of a span, if there is such a span. After a failure, which Err
// tells, nothing is found.
func (l *Lookup) Trace(ctx context.Context, span schema.SpanID) (schema.TraceID, bool) {
	if l.spans == nil || l.err != nil {
		return schema.TraceID{}, false
	}
	trace, asked := l.known[span]
	if asked {
		return trace, !trace.IsZero()
	}
	if len(l.known) == maxLookups {
		l.err = fmt.Errorf("%w: it speaks of more than %d spans without their traces: send less at once", ErrTooLarge, maxLookups)
		return trace, false
	}
	trace, found, err := l.spans.TraceOf(ctx, l.project, span)
	if err != nil {
		l.err = &RefusedError{Err: fmt.Errorf("look for span %s: %w", span, err), RetryAfter: time.Second}
		return trace, false
	}
	if !found {
		trace = schema.TraceID{}
	}
	l.known[span] = trace
	return trace, found
}

// Err is why something could not be looked for. Nothing of the request may be stored
// then: it would be in the wrong trace.
func (l *Lookup) Err() error { return l.err }
