package corpus

import "strconv"

// Kinds of spans.
const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
	kindProducer = 4
	kindConsumer = 5
)

// trace is a trace in the making.
type trace struct {
	world *workload
	id    [16]byte
	spans []*traceSpan // parents before children
}

// traceSpan is a span with what its children need to know.
type traceSpan struct {
	id         [8]byte
	parent     *traceSpan
	name       string
	kind       int
	start, end uint64 // Unix nanoseconds
	attrs      attributes
	events     []byte // encoded, as fields of the span
	links      []byte
	failed     bool
	message    string // of the status

	pod   *pod
	scope scope
	next  uint64 // when the span can begin its next child
}

// span adds a span. With a parent it begins when that is free for it, ends
// before that does, and keeps it busy, except if it runs beside its siblings.
func (t *trace) span(p *pod, sc scope, parent *traceSpan, name string, kind int, duration uint64) *traceSpan {
	w := t.world
	s := &traceSpan{id: w.bytes8(), parent: parent, name: name, kind: kind, pod: p, scope: sc, attrs: attributes{field: spanAttributes}}
	s.start = w.now
	if parent != nil {
		s.start = parent.next
		duration = min(duration, parent.end-s.start)
		if !w.chance(0.25) {
			parent.next = s.start + duration
		}
	}
	s.end = s.start + duration
	s.next = s.start + min(duration/50, millisecond)
	t.spans = append(t.spans, s)
	return s
}

// fail marks the span and often records why.
func (t *trace) fail(s *traceSpan, kind, message string) {
	s.failed, s.message = true, message
	if !t.world.chance(0.7) {
		return
	}
	e := attributes{field: eventAttributes}
	e.str("exception.type", kind)
	e.str("exception.message", message)
	e.str("exception.stacktrace", t.stack(kind, message))
	t.event(s, s.end, "exception", e)
}

// stack looks like a stack trace.
func (t *trace) stack(kind, message string) string {
	w := t.world
	b := append([]byte(kind), ": "+message...)
	for range 6 + w.rng.IntN(12) {
		class := w.word(300)
		b = append(b, "\n\tat com.example."+w.word(40)+"."+class+".handle("+class+".java:"...)
		b = append(strconv.AppendInt(b, int64(10+w.rng.IntN(400)), 10), ')')
	}
	return string(b)
}

// event adds an event.
func (t *trace) event(s *traceSpan, at uint64, name string, attrs attributes) {
	e := appendString(appendFixed64(nil, 1, at), 2, name)
	s.events = appendMessage(s.events, 11, append(e, attrs.wire...))
}

// link adds a link to a span.
func (t *trace) link(s *traceSpan, id [16]byte, span [8]byte, kind string) {
	attrs := attributes{field: linkAttributes}
	attrs.str("link.kind", kind)
	l := appendMessage(appendMessage(nil, 1, id[:]), 2, span[:])
	s.links = appendMessage(s.links, 13, append(l, attrs.wire...))
}
