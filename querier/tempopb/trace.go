package tempopb

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/otlp"
)

// TraceByIDResponse is the answer to a lookup. The trace is always there, if
// need be an empty one: clients do not expect it to be absent.
type TraceByIDResponse struct {
	Trace   []byte // OTLP TracesData
	Message string // why the trace is not whole, "" if it is
}

// Append appends the message.
func (r *TraceByIDResponse) Append(dst []byte, f Format) ([]byte, error) {
	e := newEncoder(dst, f)
	if f == Protobuf {
		e.out = protowire.AppendTag(e.out, 1, protowire.BytesType)
		e.out = protowire.AppendBytes(e.out, r.Trace)
		e.close(e.open(2, "metrics"))
		e.status(r.Message)
		return e.out, nil
	}
	e.raw(`{`)
	e.key(1, protowire.BytesType, "trace")
	if len(r.Trace) == 0 {
		e.raw(`{}`)
	} else {
		var err error
		if e.out, err = otlp.AppendTracesJSON(e.out, r.Trace, "resourceSpans"); err != nil {
			return nil, err
		}
	}
	e.close(e.open(2, "metrics"))
	e.status(r.Message)
	e.raw(`}`)
	return e.out, nil
}
