package tempopb

import (
	"math"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// partial is PartialStatus.PARTIAL.
const partial = 1

// status writes the status and message of an answer that is not whole, if
// there is a message.
func (e *encoder) status(message string) {
	if message == "" {
		return
	}
	if e.json {
		e.text(3, "status", "PARTIAL")
	} else {
		e.uint32(3, "status", partial)
	}
	e.text(4, "message", message)
}

// QueryRangeResponse is the answer to a metrics query with samples. Samples
// without a value are left out.
type QueryRangeResponse struct {
	Times   []uint64 // of the samples, Unix nanoseconds
	Series  []engine.Series
	Metrics SearchMetrics
	Message string // why the answer is not whole, "" if it is
	// Windows lets a long series be several elements, each with some of its
	// samples: for a stream, whose clients put them together.
	Windows bool
}

// window is how many samples of a series are in one element of a stream: some
// 20 bytes each.
const window = 1 << 14

// windows is how many elements a series takes.
func (r *QueryRangeResponse) windows() int {
	if !r.Windows {
		return 1
	}
	return max((len(r.Times)+window-1)/window, 1)
}

// Size is about how many bytes the answer takes, so that its memory is
// allocated once.
func (r *QueryRangeResponse) Size() int {
	const sampleBytes, seriesBytes, exemplarBytes = 46, 256, 512
	size := 0
	for i := range r.Series {
		size += seriesBytes + sampleBytes*len(r.Series[i].Values) + exemplarBytes*len(r.Series[i].Exemplars)
	}
	return size
}

func (r *QueryRangeResponse) elements() int { return len(r.Series) * r.windows() }

func (r *QueryRangeResponse) list() (string, bool) { return "series", true }

func (r *QueryRangeResponse) rest(e *encoder) {
	r.Metrics.write(e)
	e.status(r.Message)
}

// element writes a part of a series; the exemplars are with the first one. A
// cut leaves out the labels of exemplars but their trace, then the exemplars.
func (r *QueryRangeResponse) element(e *encoder, i, cut int) bool {
	s, part := &r.Series[i/r.windows()], i%r.windows()
	start := e.item(1)
	e.attributes(1, "labels", s.Labels)
	e.list(2, "samples")
	first, end := part*window, len(s.Values)
	if r.Windows {
		end = min(first+window, end)
	}
	for j := first; j < end; j++ {
		if math.IsNaN(s.Values[j]) {
			continue
		}
		e.sample(r.Times[j]/uint64(time.Millisecond), s.Values[j])
	}
	e.endList()
	if len(s.Exemplars) > 0 && part == 0 && cut < 2 {
		e.list(4, "exemplars")
		for j := range s.Exemplars {
			e.exemplar(&s.Exemplars[j], cut == 0)
		}
		e.endList()
	}
	e.close(start)
	return cut < 2
}

// sample writes a sample. Of these an answer has so many that JSON is written
// without the help of others.
func (e *encoder) sample(millis uint64, v float64) {
	if !e.json || millis == 0 {
		sample := e.item(2)
		e.uint64(2, "timestampMs", millis)
		e.double(1, "value", v)
		e.close(sample)
		return
	}
	if e.next {
		e.out = append(e.out, ',')
	}
	e.out = strconv.AppendUint(append(e.out, `{"timestampMs":"`...), millis, 10)
	e.out = append(e.out, '"')
	if v != 0 {
		e.out = otlp.AppendJSONDouble(append(e.out, `,"value":`...), v)
	}
	e.out, e.next = append(e.out, '}'), true
}

func (e *encoder) exemplar(x *engine.Exemplar, labels bool) {
	start := e.item(4)
	e.list(1, "labels")
	e.attributeItems(1, []schema.Attribute{{Key: "trace:id", Value: schema.Value{Kind: schema.KindString, Str: x.TraceID.String()}}})
	if labels {
		e.attributeItems(1, x.Labels)
	}
	e.endList()
	e.double(2, "value", x.Value)
	e.uint64(3, "timestampMs", x.StartNanos/uint64(time.Millisecond))
	e.close(start)
}

// QueryInstantResponse is the answer to a metrics query with one value for each
// series.
type QueryInstantResponse struct {
	Series  []engine.Series // of one value
	Metrics SearchMetrics
	Message string // why the answer is not whole, "" if it is
}

func (r *QueryInstantResponse) elements() int        { return len(r.Series) }
func (r *QueryInstantResponse) list() (string, bool) { return "series", false }

func (r *QueryInstantResponse) rest(e *encoder) {
	r.Metrics.write(e)
	e.status(r.Message)
}

func (r *QueryInstantResponse) element(e *encoder, i, _ int) bool {
	start := e.item(1)
	e.attributes(1, "labels", r.Series[i].Labels)
	e.double(2, "value", r.Series[i].Values[0])
	e.close(start)
	return false
}
