package schema

import (
	"bytes"
	"cmp"
	"strings"
)

// Span is one row: a span as a client sent it, with its place in the log.
//
// Attributes, Events, Links and Rest are fragments of an OTLP Span message
// (opentelemetry.proto.trace.v1): whole fields with their tags, in the order
// in which they arrived. Setting the columns' fields first and then applying
// the fragments, Rest last, gives back the message that the client sent: a
// value that a column cannot hold exactly (text that is not UTF-8, a parent id
// of zero bytes, unknown fields) stays in Rest as well and wins there.
//
// The byte slices and strings may share memory with the message they were
// decoded from: keep or copy the whole, never write to them.
type Span struct {
	TraceID      TraceID
	SpanID       SpanID
	ParentSpanID SpanID // zero: no parent

	StartNanos uint64 // Unix nanoseconds
	EndNanos   uint64 // Unix nanoseconds; may lie before StartNanos

	Name          string
	Kind          int32 // OTLP SpanKind
	StatusCode    int32 // OTLP StatusCode
	StatusMessage string
	TraceState    string
	Flags         uint32

	Resource *Resource // never nil, shared between rows
	Scope    *Scope    // never nil, shared between rows

	Attributes []byte // Span.attributes, field 9, repeated
	Events     []byte // Span.events, field 11, repeated
	Links      []byte // Span.links, field 13, repeated
	Rest       []byte // every other field

	// Derived are attributes that were computed, not sent, in the form of
	// Attributes. Searches look at them before Attributes; the trace as it was
	// sent does not have them.
	Derived []byte

	// Fragment says whether the row is a whole span, as OTLP rows are, or a
	// piece of one; FragmentNanos orders the pieces, Unix nanoseconds.
	Fragment      Fragment
	FragmentNanos uint64

	Position uint64 // of the message in the log; 0 is never a message's
}

// Fragment says which part of a span a row is.
type Fragment int32

// The kinds of rows. Pieces of one (trace id, span id) fold into one span:
// by kind, then by FragmentNanos.
const (
	FragmentNone   Fragment = iota // a whole span
	FragmentCreate                 // what began a span
	FragmentUpdate                 // a later piece
	FragmentTrace                  // a trace's own row, as of Langfuse: it ends when the last of its spans does
	FragmentScore                  // what was said of a trace later on: it is not among its spans

	// MaxFragment is the last of them.
	MaxFragment = FragmentScore
)

// Resource is what a ResourceSpans message says besides its spans.
type Resource struct {
	// Wire is the OTLP ResourceSpans message without its scope_spans:
	// the resource, its schema URL and unknown fields, as they arrived.
	Wire []byte
	// ServiceName is the string attribute service.name, "" when absent.
	ServiceName string
}

// Scope is what a ScopeSpans message says besides its spans.
type Scope struct {
	// Wire is the OTLP ScopeSpans message without its spans.
	Wire []byte
	// Name and Version are those of the instrumentation scope, "" when absent.
	Name, Version string
}

// DurationNanos is end minus start. It is negative when a client's clock
// stepped back within the span.
func (s *Span) DurationNanos() int64 {
	return int64(s.EndNanos - s.StartNanos) //nolint:gosec // wraps on purpose: start + duration gives the end back
}

// LastNanos is the time by which a row is as old as it is: the later of its start
// and its end. A piece of a span that has neither is as old as the piece.
func (s *Span) LastNanos() uint64 {
	last := max(s.StartNanos, s.EndNanos)
	if last == 0 && s.Fragment != FragmentNone {
		return s.FragmentNanos
	}
	return last
}

// FirstNanos is the time from which on a row counts: its start. A piece of a span
// that does not say it counts when LastNanos does: when the span began another piece
// says, or nobody.
func (s *Span) FirstNanos() uint64 {
	if s.StartNanos == 0 && s.Fragment != FragmentNone {
		return s.LastNanos()
	}
	return s.StartNanos
}

// Detached returns a copy that shares no text or bytes with s, so that it does
// not keep what s was read from in memory. Resource and Scope stay shared.
func (s *Span) Detached() Span {
	d := *s
	for _, text := range []*string{&d.Name, &d.StatusMessage, &d.TraceState} {
		*text = strings.Clone(*text)
	}
	for _, field := range []*[]byte{&d.Attributes, &d.Events, &d.Links, &d.Rest, &d.Derived} {
		*field = bytes.Clone(*field)
	}
	return d
}

// Compare orders rows as blocks store them: by trace id, start, span id, kind,
// position in the log. Rows that are equal here keep the order of the log.
func Compare(a, b *Span) int {
	if c := bytes.Compare(a.TraceID[:], b.TraceID[:]); c != 0 {
		return c
	}
	if c := cmp.Compare(a.StartNanos, b.StartNanos); c != 0 {
		return c
	}
	if c := bytes.Compare(a.SpanID[:], b.SpanID[:]); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	return cmp.Compare(a.Position, b.Position)
}
