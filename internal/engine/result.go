package engine

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// TraceResult is one trace of an answer.
type TraceResult struct {
	TraceID         schema.TraceID
	RootServiceName string // a text that says so while it is not known
	RootTraceName   string // name of the root span, "" while it is missing
	StartNanos      uint64 // of the first span, Unix nanoseconds
	DurationMs      uint32 // last end minus first start, truncated, never negative
	SpanSets        []SpanSet
	// ServiceStats counts all spans of the trace by service, sorted by name. Scores
	// are none.
	ServiceStats []ServiceStats
}

// SpanSet is a group of matching spans of one trace.
type SpanSet struct {
	Spans   []SpanResult // the first ones by start
	Matched uint32       // how many match
	// Attributes are what stages said of the group, in their order: the value
	// that by(...) grouped by, and numbers such as count().
	Attributes []schema.Attribute
}

// SpanResult is one matching span.
type SpanResult struct {
	SpanID        schema.SpanID
	Name          string // "" unless the query mentions it
	StartNanos    uint64 // Unix nanoseconds
	DurationNanos uint64 // 0 for a span that ends before it starts
	// Attributes are the fields that the query mentions and the span has, in
	// the order of the query: keys without scope, canonical names of
	// intrinsics, statuses, kinds and durations as text.
	Attributes []schema.Attribute
}

// ServiceStats counts spans of one service.
type ServiceStats struct {
	Service               string
	SpanCount, ErrorCount uint32
}

// spanSets shows the groups that the plan found in a trace.
func (p *Plan) spanSets(t *traceFacts, found []spanset, spansPerSet int) []SpanSet {
	f := p.frame()
	defer p.release(f)
	f.trace = t
	sets := make([]SpanSet, len(found))
	for i, s := range found {
		sets[i] = SpanSet{Matched: uint32(len(s.rows)), Attributes: s.attributes} //nolint:gosec // a trace fits memory
		for _, row := range s.rows[:min(len(s.rows), spansPerSet)] {
			f.setRow(row)
			sets[i].Spans = append(sets[i].Spans, p.spanResult(f))
		}
	}
	return sets
}

// result writes the answer for a trace in which the plan found groups.
func (p *Plan) result(t *traceFacts, found []spanset, spansPerSet int) TraceResult {
	r := TraceResult{
		TraceID:         t.id,
		RootServiceName: t.rootService,
		RootTraceName:   t.rootName,
		StartNanos:      t.startNanos,
		DurationMs:      milliseconds(t.startNanos, t.lastEnd),
		SpanSets:        p.spanSets(t, found, spansPerSet),
		ServiceStats:    t.serviceStats(),
	}
	if r.RootServiceName == "" {
		r.RootServiceName = rootMissing
	}
	return r
}

// milliseconds is the time between two, truncated, 0 if the second is earlier.
func milliseconds(start, end uint64) uint32 {
	if end < start {
		return 0
	}
	return uint32(min((end-start)/uint64(time.Millisecond), math.MaxUint32)) //nolint:gosec // bounded on this line
}

func (t *traceFacts) serviceStats() []ServiceStats {
	var list []ServiceStats
	places := make(map[string]int)
	for i := range t.spans {
		s := &t.spans[i]
		if s.Fragment == schema.FragmentScore {
			continue
		}
		k, ok := places[s.Resource.ServiceName]
		if !ok {
			k = len(list)
			places[s.Resource.ServiceName] = k
			list = append(list, ServiceStats{Service: s.Resource.ServiceName})
		}
		list[k].SpanCount++
		if s.StatusCode == statusError {
			list[k].ErrorCount++
		}
	}
	slices.SortFunc(list, compareServices)
	return list
}

func compareServices(a, b ServiceStats) int { return cmp.Compare(a.Service, b.Service) }

// statusError is OTLP's STATUS_CODE_ERROR.
const statusError = 2

func (p *Plan) spanResult(f *frame) SpanResult {
	s := f.span
	r := SpanResult{SpanID: s.SpanID, StartNanos: s.StartNanos}
	if d := s.DurationNanos(); d > 0 {
		r.DurationNanos = uint64(d)
	}
	for _, field := range p.results {
		if field.isName {
			r.Name = s.Name
			continue
		}
		if v, ok := field.read(f); ok {
			r.Attributes = append(r.Attributes, schema.Attribute{Key: field.key, Value: v})
		}
	}
	return r
}

// resultField is a field that the query mentions.
type resultField struct {
	key    string
	isName bool // goes into SpanResult.Name
	read   func(*frame) (schema.Value, bool)
}

// resultFields lists the fields of expressions, each once.
func resultFields(list []traceql.FieldExpr) ([]resultField, error) {
	var fields []resultField
	var errs []error
	seen := make(map[string]bool)
	for _, e := range list {
		eachField(e, func(e traceql.FieldExpr) {
			if _, ok := e.(*traceql.Literal); ok || seen[e.String()] || isElsewhere(e) {
				return
			}
			seen[e.String()] = true
			field, err := resultFieldOf(e)
			fields, errs = append(fields, field), append(errs, err)
		})
	}
	return fields, errors.Join(errs...)
}

// isElsewhere reports whether an intrinsic is in the answer anyway.
func isElsewhere(e traceql.FieldExpr) bool {
	i, ok := e.(*traceql.Intrinsic)
	if !ok {
		return false
	}
	switch i.ID {
	case traceql.IntrinsicDuration, traceql.IntrinsicTraceID, traceql.IntrinsicSpanID,
		traceql.IntrinsicTraceDuration, traceql.IntrinsicTraceRootName, traceql.IntrinsicTraceRootService:
		return true
	default:
		return false
	}
}

func resultFieldOf(e traceql.FieldExpr) (resultField, error) {
	field := resultField{}
	switch e := e.(type) {
	case *traceql.Attribute:
		read, err := attributeValue(e)
		if err != nil {
			return field, err
		}
		field.key = e.Name
		field.read = func(f *frame) (schema.Value, bool) {
			v, ok := read(f)
			return v, ok && v.Kind != schema.KindEmpty
		}
	case *traceql.Intrinsic:
		if e.ID == traceql.IntrinsicName {
			return resultField{isName: true}, nil
		}
		read, err := intrinsicValue(e.ID)
		if err != nil {
			return field, err
		}
		field.key = e.String()
		field.read = func(f *frame) (schema.Value, bool) { return valueOf(read(f)), true }
	}
	field.read = ofLast(loops(e), field.read)
	return field, nil
}

// ofLast reads a field of the last event or link that has it, as the
// reference does.
func ofLast[T any](over parts, read func(*frame) (T, bool)) func(*frame) (T, bool) {
	if over == 0 {
		return read
	}
	return func(f *frame) (last T, found bool) {
		anyOf(over, func(f *frame) bool {
			if v, ok := read(f); ok {
				last, found = v, true
			}
			return false
		})(f)
		return last, found
	}
}

// valueOf is the attribute that shows v.
func valueOf(v traceql.Static) schema.Value {
	switch v.Type {
	case traceql.TypeInt:
		return schema.Value{Kind: schema.KindInt, Int: v.Int}
	case traceql.TypeFloat:
		return schema.Value{Kind: schema.KindDouble, Double: v.Float}
	case traceql.TypeBool:
		return schema.Value{Kind: schema.KindBool, Bool: v.IsTrue()}
	case traceql.TypeString:
		return schema.Value{Kind: schema.KindString, Str: v.Str}
	default:
		return schema.Value{Kind: schema.KindString, Str: v.String()}
	}
}
