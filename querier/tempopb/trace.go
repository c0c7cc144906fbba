package tempopb

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
)

// TraceWriter writes the answer to a lookup from the parts of a trace, so that
// the whole need not be in memory. In protobuf the parts are one message once
// more for each, which is the message of all of them together: a field that
// stands there several times is merged, and lists are appended.
//
// The zero value writes JSON.
type TraceWriter struct {
	Format Format
	Bare   bool // the trace alone, as /api/traces/{id} answers

	began bool
}

// Append appends a part: an OTLP TracesData message with spans.
func (w *TraceWriter) Append(dst, traces []byte) ([]byte, error) {
	if w.Format == JSON {
		if w.began {
			dst = append(dst, ',')
		} else {
			dst = append(dst, w.head()...)
		}
		w.began = true
		return otlp.AppendResourceSpansJSON(dst, traces)
	}
	w.began = true
	if w.Bare {
		return append(dst, traces...), nil
	}
	return protowire.AppendBytes(protowire.AppendTag(dst, 1, protowire.BytesType), traces), nil
}

func (w *TraceWriter) head() string {
	if w.Bare {
		return `{"batches":[`
	}
	return `{"trace":{"resourceSpans":[`
}

// End appends what follows the last part. message says why the trace is not
// whole, "" if it is. The trace is there even if it has no part: clients do not
// expect it to be absent.
func (w *TraceWriter) End(dst []byte, message string) []byte {
	if w.Format == Protobuf {
		return w.endProtobuf(dst, message)
	}
	switch {
	case w.began:
		dst = append(dst, `]}`...)
	case w.Bare:
		dst = append(dst, `{}`...)
	default:
		dst = append(dst, `{"trace":{}`...)
	}
	if w.Bare {
		return dst
	}
	e := newEncoder(dst, JSON)
	e.next = true
	e.close(e.open(2, "metrics"))
	e.status(message)
	e.raw(`}`)
	return e.out
}

func (w *TraceWriter) endProtobuf(dst []byte, message string) []byte {
	if w.Bare {
		return dst
	}
	e := newEncoder(dst, Protobuf)
	if !w.began {
		e.close(e.open(1, "trace"))
	}
	e.close(e.open(2, "metrics"))
	e.status(message)
	return e.out
}
