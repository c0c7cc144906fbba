package querier

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
)

// metricsWriter writes the reply of a metrics query in proto3 JSON. The data
// source decodes strictly, so no member may be added here.
type metricsWriter struct {
	searchWriter

	result    *engine.MetricsResult
	blocks    int
	maxSeries int      // 0: no limit
	times     []string // samples up to their values
}

// sampleBytes is about what a sample takes in a reply.
const sampleBytes = 48

// appendRange writes a QueryRangeResponse.
func (w *metricsWriter) appendRange() []byte {
	w.out = make([]byte, 0, replyBytes+w.shown()*(replyBytes/8+sampleBytes*len(w.result.Times)))
	w.times = make([]string, len(w.result.Times))
	for i, nanos := range w.result.Times {
		w.times[i] = `{"timestampMs":"` + strconv.FormatUint(nanos/uint64(time.Millisecond), 10) + `"`
	}
	w.raw(`{"series":[`)
	for i := range w.shown() {
		w.comma(i)
		w.rangeSeries(&w.result.Series[i])
	}
	w.raw(`],`)
	w.end()
	return w.out
}

// appendInstant writes a QueryInstantResponse.
func (w *metricsWriter) appendInstant() []byte {
	w.raw(`{`)
	for i := range w.shown() {
		if i == 0 {
			w.raw(`"series":[`)
		}
		w.comma(i)
		s := &w.result.Series[i]
		w.raw(`{"labels":`)
		w.attributes(s.Labels)
		w.value0(s.Values[0])
		w.raw(`}`)
	}
	if w.shown() > 0 {
		w.raw(`],`)
	}
	w.end()
	return w.out
}

// shown is the number of series in the reply.
func (w *metricsWriter) shown() int {
	if w.maxSeries == 0 {
		return len(w.result.Series)
	}
	return min(len(w.result.Series), w.maxSeries)
}

func (w *metricsWriter) rangeSeries(s *engine.Series) {
	w.raw(`{"labels":`)
	w.attributes(s.Labels)
	w.raw(`,"samples":[`)
	n := 0
	for i, v := range s.Values {
		if math.IsNaN(v) {
			continue
		}
		w.comma(n)
		n++
		w.raw(w.times[i])
		w.value0(v)
		w.raw(`}`)
	}
	w.raw(`]`)
	if len(s.Exemplars) > 0 {
		w.raw(`,"exemplars":[`)
		for i := range s.Exemplars {
			w.comma(i)
			w.exemplar(&s.Exemplars[i])
		}
		w.raw(`]`)
	}
	w.raw(`}`)
}

func (w *metricsWriter) exemplar(e *engine.Exemplar) {
	w.raw(`{"labels":[{"key":"trace:id","value":{"stringValue":"`)
	w.raw(e.TraceID.String())
	w.raw(`"}}`)
	if len(e.Labels) > 0 {
		w.raw(`,`)
		begin := len(w.out)
		w.attributes(e.Labels)
		w.out = append(w.out[:begin], w.out[begin+1:]...) // one list with the trace
	} else {
		w.raw(`]`)
	}
	w.value0(e.Value)
	w.raw(`,"timestampMs":"`)
	w.uint(e.StartNanos / uint64(time.Millisecond))
	w.raw(`"}`)
}

// value0 writes a value that is left out when it is zero.
func (w *metricsWriter) value0(v float64) {
	if v != 0 {
		w.raw(`,"value":`)
		w.out = otlp.AppendJSONDouble(w.out, v)
	}
}

// end writes what follows the series.
func (w *metricsWriter) end() {
	w.raw(`"metrics":{`)
	if w.blocks > 0 {
		w.raw(`"totalBlocks":`)
		w.uint(uint64(w.blocks)) //nolint:gosec // a count of blocks
		w.raw(`,`)
	}
	w.raw(`"completedJobs":1,"totalJobs":1`)
	w.nonzero(`,"inspectedSpans":"`, w.result.InspectedSpans, `"`)
	w.raw(`}`)
	if all := len(w.result.Series); w.shown() < all {
		w.raw(`,"status":"PARTIAL","message":`)
		w.text(fmt.Sprintf("%d of %d series are shown: raise maxSeries or querier.max-metrics-series, or use topk(%d)",
			w.shown(), all, w.shown()))
	}
	w.raw(`}`)
}
