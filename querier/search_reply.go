package querier

import (
	"encoding/base64"
	"math"
	"strconv"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
)

// The reply of a search in proto3 JSON: zero values are left out and 64-bit
// integers are text. The data source decodes strictly, so no field may be
// added here.
type (
	searchResponse struct {
		Traces  []traceMetadata `json:"traces"`
		Metrics searchMetrics   `json:"metrics"`
	}
	traceMetadata struct {
		TraceID           string                  `json:"traceID"`
		RootServiceName   string                  `json:"rootServiceName,omitempty"`
		RootTraceName     string                  `json:"rootTraceName,omitempty"`
		StartTimeUnixNano uint64                  `json:"startTimeUnixNano,string,omitempty"`
		DurationMs        uint32                  `json:"durationMs,omitempty"`
		SpanSet           *spanSet                `json:"spanSet,omitempty"`
		SpanSets          []spanSet               `json:"spanSets,omitempty"`
		ServiceStats      map[string]serviceStats `json:"serviceStats,omitempty"`
	}
	spanSet struct {
		Spans   []spanReply `json:"spans,omitempty"`
		Matched uint32      `json:"matched,omitempty"`
	}
	spanReply struct {
		SpanID            string      `json:"spanID"`
		Name              string      `json:"name,omitempty"`
		StartTimeUnixNano uint64      `json:"startTimeUnixNano,string,omitempty"`
		DurationNanos     uint64      `json:"durationNanos,string,omitempty"`
		Attributes        []attribute `json:"attributes,omitempty"`
	}
	attribute struct {
		Key   string `json:"key,omitempty"`
		Value any    `json:"value"`
	}
	serviceStats struct {
		SpanCount  uint32 `json:"spanCount,omitempty"`
		ErrorCount uint32 `json:"errorCount,omitempty"`
	}
	searchMetrics struct {
		InspectedTraces uint32 `json:"inspectedTraces,omitempty"`
		TotalBlocks     uint32 `json:"totalBlocks,omitempty"`
		CompletedJobs   uint32 `json:"completedJobs,omitempty"`
		TotalJobs       uint32 `json:"totalJobs,omitempty"`
		InspectedSpans  uint64 `json:"inspectedSpans,string,omitempty"`
	}
)

// searchReply renders a result. Without a query there are no spansets but the
// number of traces that were looked at, as with Tempo.
func searchReply(result *engine.SearchResult, blocks int, hasQuery bool) searchResponse {
	r := searchResponse{
		Traces: make([]traceMetadata, len(result.Traces)),
		Metrics: searchMetrics{
			TotalBlocks: uint32(blocks), CompletedJobs: 1, TotalJobs: 1, //nolint:gosec // a count of blocks
			InspectedSpans: result.InspectedSpans,
		},
	}
	if !hasQuery {
		r.Metrics.InspectedTraces = uint32(min(result.InspectedTraces, math.MaxUint32)) //nolint:gosec // bounded on this line
	}
	for i := range result.Traces {
		r.Traces[i] = traceReply(&result.Traces[i], hasQuery)
	}
	return r
}

func traceReply(t *engine.TraceResult, hasQuery bool) traceMetadata {
	m := traceMetadata{
		TraceID: t.TraceID.String(), RootServiceName: t.RootServiceName, RootTraceName: t.RootTraceName,
		StartTimeUnixNano: t.StartNanos, DurationMs: t.DurationMs,
	}
	if !hasQuery {
		return m
	}
	for _, s := range t.SpanSets {
		m.SpanSets = append(m.SpanSets, spanSetReply(s))
	}
	if len(m.SpanSets) > 0 {
		m.SpanSet = &m.SpanSets[0]
	}
	m.ServiceStats = make(map[string]serviceStats, len(t.ServiceStats))
	for service, s := range t.ServiceStats {
		m.ServiceStats[service] = serviceStats(s)
	}
	return m
}

func spanSetReply(s engine.SpanSet) spanSet {
	set := spanSet{Matched: s.Matched}
	for _, span := range s.Spans {
		r := spanReply{
			SpanID: span.SpanID.String(), Name: span.Name,
			StartTimeUnixNano: span.StartNanos, DurationNanos: span.DurationNanos,
		}
		for _, a := range span.Attributes {
			r.Attributes = append(r.Attributes, attribute{a.Key, valueReply(a.Value)})
		}
		set.Spans = append(set.Spans, r)
	}
	return set
}

// valueReply is an AnyValue in proto3 JSON.
func valueReply(v schema.Value) map[string]any {
	switch v.Kind {
	case schema.KindString:
		return map[string]any{"stringValue": v.Str}
	case schema.KindBool:
		return map[string]any{"boolValue": v.Bool}
	case schema.KindInt:
		return map[string]any{"intValue": strconv.FormatInt(v.Int, 10)}
	case schema.KindDouble:
		return map[string]any{"doubleValue": doubleReply(v.Double)}
	case schema.KindBytes:
		return map[string]any{"bytesValue": base64.StdEncoding.EncodeToString([]byte(v.Str))}
	case schema.KindArray:
		values := make([]any, len(v.Array))
		for i := range v.Array {
			values[i] = valueReply(v.Array[i])
		}
		return map[string]any{"arrayValue": map[string]any{"values": values}}
	case schema.KindMap:
		values := make([]attribute, len(v.Map))
		for i := range v.Map {
			values[i] = attribute{v.Map[i].Key, valueReply(v.Map[i].Value)}
		}
		return map[string]any{"kvlistValue": map[string]any{"values": values}}
	case schema.KindEmpty:
	}
	return map[string]any{}
}

// doubleReply writes what JSON numbers cannot hold the way proto3 JSON does.
func doubleReply(f float64) any {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return f
}
