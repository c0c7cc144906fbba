package tempopb

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/internal/engine"
)

// SearchMetrics say what a query read.
type SearchMetrics struct {
	InspectedTraces uint32
	InspectedBytes  uint64
	TotalBlocks     uint32
	CompletedJobs   uint32
	TotalJobs       uint32
	TotalBlockBytes uint64
	InspectedSpans  uint64
}

func (m *SearchMetrics) write(e *encoder) {
	start := e.open(2, "metrics")
	e.uint32(1, "inspectedTraces", m.InspectedTraces)
	e.uint64(2, "inspectedBytes", m.InspectedBytes)
	e.uint32(3, "totalBlocks", m.TotalBlocks)
	e.uint32(4, "completedJobs", m.CompletedJobs)
	e.uint32(5, "totalJobs", m.TotalJobs)
	e.uint64(6, "totalBlockBytes", m.TotalBlockBytes)
	e.uint64(7, "inspectedSpans", m.InspectedSpans)
	e.close(start)
}

// SearchResponse is the answer to a search.
type SearchResponse struct {
	Traces []engine.TraceResult
	// Bare leaves out spansets and statistics of services, as without a query.
	Bare    bool
	Metrics SearchMetrics
}

func (r *SearchResponse) elements() int { return len(r.Traces) }

func (r *SearchResponse) list() (string, bool) { return "traces", true }

func (r *SearchResponse) rest(e *encoder) { r.Metrics.write(e) }

// element writes a TraceSearchMetadata. A cut leaves out first the copy of the
// first spanset, then half of what is left of the spans again and again, then
// of the spansets. The number of matches stays.
func (r *SearchResponse) element(e *encoder, i, cut int) bool {
	t := &r.Traces[i]
	start := e.item(1)
	e.text(1, "traceID", t.TraceID.String())
	e.text(2, "rootServiceName", t.RootServiceName)
	e.text(3, "rootTraceName", t.RootTraceName)
	e.uint64(4, "startTimeUnixNano", t.StartNanos)
	e.uint32(5, "durationMs", t.DurationMs)
	more := false
	if !r.Bare {
		more = e.spanSets(t.SpanSets, cut)
		e.services(t.ServiceStats)
	}
	e.close(start)
	return more
}

// setCut is the cut from which on spansets are left out: no spans are left then.
const setCut = 9

// spanSets writes the first one twice: older clients know only one.
func (e *encoder) spanSets(sets []engine.SpanSet, cut int) (more bool) {
	spans := int(^uint(0) >> 1)
	if cut > 1 {
		spans = 100 >> (cut - 1)
	}
	if cut >= setCut {
		sets = sets[:len(sets)>>min(cut-setCut+1, 32)]
	}
	if len(sets) == 0 {
		return false
	}
	var first []byte // as it was written, to be copied
	if cut == 0 {
		e.key(6, protowire.BytesType, "spanSet")
		begin := len(e.out)
		e.spanSet(&sets[0], spans)
		first = e.out[begin:]
	}
	e.list(7, "spanSets")
	for i := range sets {
		e.element(7)
		if i == 0 && cut == 0 {
			e.out = append(e.out, first...)
		} else {
			e.spanSet(&sets[i], spans)
		}
	}
	e.endList()
	return true
}

// spanSet writes a spanset behind its key, with so many spans at most.
func (e *encoder) spanSet(s *engine.SpanSet, most int) {
	start := e.begin()
	if n := min(len(s.Spans), most); n > 0 {
		e.list(1, "spans")
		for i := range s.Spans[:n] {
			e.span(&s.Spans[i])
		}
		e.endList()
	}
	e.uint32(2, "matched", s.Matched)
	e.attributes(3, "attributes", s.Attributes)
	e.close(start)
}

func (e *encoder) span(s *engine.SpanResult) {
	start := e.item(1)
	e.text(1, "spanID", s.SpanID.String())
	e.text(2, "name", s.Name)
	e.uint64(3, "startTimeUnixNano", s.StartNanos)
	e.uint64(4, "durationNanos", s.DurationNanos)
	e.attributes(5, "attributes", s.Attributes)
	e.close(start)
}

// services writes a map, which in protobuf is a list of keys and values.
func (e *encoder) services(stats []engine.ServiceStats) {
	if len(stats) == 0 {
		return
	}
	const num = 8
	if e.json {
		e.key(num, 2, "serviceStats")
		e.raw("{")
		e.next = false
	}
	for i := range stats {
		s := &stats[i]
		var entry, value int
		if e.json {
			e.comma()
			e.string(s.Service)
			e.raw(":")
			value = e.begin()
		} else {
			entry = e.item(num)
			e.text(1, "", s.Service)
			value = e.open(2, "")
		}
		e.uint32(1, "spanCount", s.SpanCount)
		e.uint32(2, "errorCount", s.ErrorCount)
		e.close(value)
		if !e.json {
			e.close(entry)
		}
	}
	if e.json {
		e.raw("}")
		e.next = true
	}
}
