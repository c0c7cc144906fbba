package engine

import (
	"slices"

	"github.com/spanlake/spanlake/internal/wire"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// MergeResults is the answer to a search of what several searches have read, by
// the plan that they followed: the first traces in its order, up to the limit,
// each once. Every result is one of as many traces at least, and all parts of a
// trace are in each of those that have it; of those the first counts.
func MergeResults(plan *Plan, limit int, results ...*SearchResult) *SearchResult {
	merged := &SearchResult{}
	type ranked struct {
		rank
		trace *TraceResult
	}
	var all []ranked
	seen := make(map[schema.TraceID]struct{})
	for _, r := range results {
		merged.InspectedSpans += r.InspectedSpans
		merged.InspectedTraces += r.InspectedTraces
		for i := range r.Traces {
			t := &r.Traces[i]
			if _, ok := seen[t.TraceID]; ok {
				continue
			}
			seen[t.TraceID] = struct{}{}
			all = append(all, ranked{rank{r.valueOf(i), place{t.StartNanos, t.TraceID}}, t})
		}
	}
	slices.SortFunc(all, func(a, b ranked) int { return plan.order.compare(a.rank, b.rank) })
	for _, r := range all[:min(len(all), limit)] {
		merged.Traces = append(merged.Traces, *r.trace)
		if plan.order != nil {
			merged.values = append(merged.values, r.value)
		}
	}
	return merged
}

// valueOf is what a trace of the result ranks by.
func (r *SearchResult) valueOf(i int) traceql.Static {
	if len(r.values) == 0 {
		return traceql.Static{}
	}
	return r.values[i]
}

// Take takes the first traces out of the result.
func (r *SearchResult) Take(n int) []TraceResult {
	taken := r.Traces[:n:n]
	r.Traces = r.Traces[n:]
	if len(r.values) > 0 {
		r.values = r.values[n:]
	}
	return taken
}

// Drop takes some traces out of the result.
func (r *SearchResult) Drop(traces map[schema.TraceID]struct{}) {
	if len(traces) == 0 {
		return
	}
	n := 0
	for i := range r.Traces {
		if _, ok := traces[r.Traces[i].TraceID]; ok {
			continue
		}
		if r.Traces[n] = r.Traces[i]; len(r.values) > 0 {
			r.values[n] = r.values[i]
		}
		n++
	}
	r.Traces = r.Traces[:n]
	r.values = r.values[:min(n, len(r.values))]
}

// Append encodes the result for ParseSearchResult.
func (r *SearchResult) Append(dst []byte) []byte {
	dst = wire.AppendUint(wire.AppendUint(dst, r.InspectedSpans), r.InspectedTraces)
	dst = wire.AppendUint(dst, len(r.Traces))
	for i := range r.Traces {
		dst = appendTrace(dst, &r.Traces[i])
	}
	dst = wire.AppendUint(dst, len(r.values))
	for _, v := range r.values {
		dst = appendStatic(dst, v)
	}
	return dst
}

// ParseSearchResult reads an encoded result. Returns wire.ErrMessage for what is
// none.
func ParseSearchResult(data []byte) (*SearchResult, error) {
	r := wire.NewReader(data)
	result := &SearchResult{InspectedSpans: r.Uint(), InspectedTraces: r.Uint()}
	for range r.Count(minTraceBytes) {
		result.Traces = append(result.Traces, readTrace(r))
	}
	n := r.Count(1)
	if n > 0 && n != len(result.Traces) {
		r.Fail("%d traces have %d ranks", len(result.Traces), n)
	}
	for range n {
		result.values = append(result.values, readStatic(r))
	}
	return result, r.Done()
}

// The least bytes of a trace and of a span of one.
const (
	minTraceBytes = len(schema.TraceID{}) + 6
	minSpanBytes  = len(schema.SpanID{}) + 4
)

func appendTrace(dst []byte, t *TraceResult) []byte {
	dst = append(dst, t.TraceID[:]...)
	dst = wire.AppendText(wire.AppendText(dst, t.RootServiceName), t.RootTraceName)
	dst = wire.AppendUint(wire.AppendUint(dst, t.StartNanos), t.DurationMs)
	dst = wire.AppendUint(dst, len(t.SpanSets))
	for i := range t.SpanSets {
		s := &t.SpanSets[i]
		dst = wire.AppendAttributes(wire.AppendUint(dst, s.Matched), s.Attributes)
		dst = wire.AppendUint(dst, len(s.Spans))
		for k := range s.Spans {
			span := &s.Spans[k]
			dst = append(dst, span.SpanID[:]...)
			dst = wire.AppendUint(wire.AppendUint(wire.AppendText(dst, span.Name), span.StartNanos), span.DurationNanos)
			dst = wire.AppendAttributes(dst, span.Attributes)
		}
	}
	dst = wire.AppendUint(dst, len(t.ServiceStats))
	for i := range t.ServiceStats {
		s := &t.ServiceStats[i]
		dst = wire.AppendUint(wire.AppendUint(wire.AppendText(dst, s.Service), s.SpanCount), s.ErrorCount)
	}
	return dst
}

func readTrace(r *wire.Reader) (t TraceResult) {
	r.Fixed(t.TraceID[:])
	t.RootServiceName, t.RootTraceName = r.Text(), r.Text()
	t.StartNanos, t.DurationMs = r.Uint(), readCount(r)
	for range r.Count(3) {
		s := SpanSet{Matched: readCount(r), Attributes: r.Attributes()}
		for range r.Count(minSpanBytes) {
			var span SpanResult
			r.Fixed(span.SpanID[:])
			span.Name, span.StartNanos, span.DurationNanos = r.Text(), r.Uint(), r.Uint()
			span.Attributes = r.Attributes()
			s.Spans = append(s.Spans, span)
		}
		t.SpanSets = append(t.SpanSets, s)
	}
	for range r.Count(3) {
		t.ServiceStats = append(t.ServiceStats, ServiceStats{Service: r.Text(), SpanCount: readCount(r), ErrorCount: readCount(r)})
	}
	return t
}

func readCount(r *wire.Reader) uint32 {
	return uint32(r.Small(1<<32 - 1)) //nolint:gosec // bounded on this line
}

func appendStatic(dst []byte, v traceql.Static) []byte {
	dst = wire.AppendInt(wire.AppendUint(dst, int(v.Type)), v.Int)
	return wire.AppendText(wire.AppendFloat(dst, v.Float), v.Str)
}

func readStatic(r *wire.Reader) traceql.Static {
	v := traceql.Static{Type: traceql.Type(r.Small(255)), Int: r.Int(), Float: r.Float(), Str: r.Text()} //nolint:gosec // bounded on this line
	return v
}
