package engine

import (
	"context"
	"encoding/binary"
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Held lists the traces.
func (m *Memory) Held(ctx context.Context) (*vec.Held, error) {
	m.once.Do(func() { m.held = m.list() })
	return m.held, ctx.Err()
}

func (m *Memory) list() *vec.Held {
	held := &vec.Held{}
	seen := make(map[schema.TraceID]struct{})
	for _, page := range m.pages {
		for i := range page {
			id := page[i].TraceID
			if i > 0 && page[i-1].TraceID == id {
				continue
			}
			if _, ok := seen[id]; ok {
				continue
			}
			seen[id] = struct{}{}
			held.IDs = append(held.IDs, id)
			if !m.folded(id) {
				held.Unfolded = append(held.Unfolded, id)
			}
		}
	}
	for _, list := range [][]schema.TraceID{held.IDs, held.Unfolded} {
		slices.SortFunc(list, compareTraceIDs)
	}
	return held
}

// folded reports whether a trace has no row that must be folded.
func (m *Memory) folded(id schema.TraceID) bool {
	var repeated repeats
	for _, i := range m.rowsOf(id) {
		if s := m.row(i); s.Fragment != schema.FragmentNone || repeated.seen(s) {
			return false
		}
	}
	return true
}

// Sample yields the rows for which the filter of a sampling holds, but not those
// of traces that are to be left out or whose rows have to be folded: it returns
// which of these have a row for which the filter holds.
func (m *Memory) Sample(ctx context.Context, sampling *vec.Sampling, yield func(*vec.Samples) error) ([]schema.TraceID, error) {
	held, err := m.Held(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[schema.TraceID]bool, len(held.Unfolded)+len(sampling.Except))
	for _, id := range held.Unfolded {
		out[id] = true
	}
	gone := m.foldedAway(sampling.Folded, out)
	for _, id := range sampling.Except {
		out[id] = true
	}
	var left []schema.TraceID
	s := newMemorySampler(sampling)
	for chunk, err := range m.chunks(ctx, sampling.Filter) {
		if err != nil {
			return nil, err
		}
		s.begin()
		for i := chunk.selected.Next(0); i < len(chunk.spans); i = chunk.selected.Next(i + 1) {
			span := &chunk.spans[i]
			if len(out) > 0 && out[span.TraceID] {
				left = append(left, span.TraceID)
				continue
			}
			if !gone[span] {
				s.take(span)
			}
		}
		if len(s.spans) == 0 {
			continue
		}
		if err := yield(&s.samples); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(left, compareTraceIDs)
	return slices.Compact(left), nil
}

// foldedAway are the rows that do not stay of traces which need not be left out
// any more.
func (m *Memory) foldedAway(list []vec.Folded, out map[schema.TraceID]bool) map[*schema.Span]bool {
	gone := make(map[*schema.Span]bool)
	for _, f := range list {
		out[f.ID] = false
		var rows []*schema.Span
		for _, i := range m.rowsOf(f.ID) {
			rows = append(rows, m.row(i))
		}
		slices.SortStableFunc(rows, schema.Compare)
		for _, i := range f.Out {
			if int(i) < len(rows) {
				gone[rows[i]] = true
			}
		}
	}
	return gone
}

// memorySampler reads columns of rows.
type memorySampler struct {
	sampling  *vec.Sampling
	groups    [][]lookupField // by column
	number    []lookupField
	shown     [][]lookupField
	resources map[*schema.Resource][]schema.Attribute
	scopes    map[*schema.Scope][]schema.Attribute

	spans   []*schema.Span
	samples vec.Samples
}

// lookupField reads a field. It is false if the row lacks it.
type lookupField func(*schema.Span) (schema.Value, bool)

func newMemorySampler(sampling *vec.Sampling) *memorySampler {
	s := &memorySampler{
		sampling:  sampling,
		resources: make(map[*schema.Resource][]schema.Attribute),
		scopes:    make(map[*schema.Scope][]schema.Attribute),
	}
	for _, c := range sampling.Groups {
		s.groups = append(s.groups, s.fields(c))
		s.samples.Groups = append(s.samples.Groups, vec.Codes{Dictionary: vec.NewDictionary()})
	}
	s.number = s.fields(sampling.Number)
	for _, c := range sampling.Shown {
		s.shown = append(s.shown, s.fields(c))
	}
	s.samples.Trace = func(i int) (schema.TraceID, error) { return s.spans[i].TraceID, nil }
	s.samples.Show = func(i int) ([]schema.Value, error) {
		values := make([]schema.Value, len(s.shown))
		for k, fields := range s.shown {
			values[k] = firstOf(fields, s.spans[i])
		}
		return values, nil
	}
	return s
}

func (s *memorySampler) fields(column vec.Column) (list []lookupField) {
	for _, field := range column {
		key := field.Key
		switch field.Scope {
		case vec.ScopeIntrinsic:
			list = append(list, lookupIntrinsic(key))
		case vec.ScopeSpan:
			list = append(list, func(span *schema.Span) (schema.Value, bool) { return lookupSpan(span, key) })
		case vec.ScopeResource:
			list = append(list, func(span *schema.Span) (schema.Value, bool) {
				return lookup(known(s.resources, span.Resource, otlp.ResourceAttributes), key)
			})
		case vec.ScopeInstrumentation:
			list = append(list, func(span *schema.Span) (schema.Value, bool) {
				return lookup(known(s.scopes, span.Scope, otlp.ScopeAttributes), key)
			})
		case vec.ScopeEvent, vec.ScopeLink: // are no columns
		}
	}
	return list
}

// known remembers the attributes of what rows share.
func known[T any](all map[*T][]schema.Attribute, shared *T, attributes func(*T) []schema.Attribute) []schema.Attribute {
	list, ok := all[shared]
	if !ok {
		if len(all) >= maxCached {
			clear(all)
		}
		list = attributes(shared)
		all[shared] = list
	}
	return list
}

func lookupIntrinsic(key string) lookupField {
	text := func(text string) (schema.Value, bool) { return schema.Value{Kind: schema.KindString, Str: text}, true }
	number := func(n int64) (schema.Value, bool) { return schema.Value{Kind: schema.KindInt, Int: n}, true }
	switch key {
	case vec.Name:
		return func(s *schema.Span) (schema.Value, bool) { return text(s.Name) }
	case vec.Kind:
		return func(s *schema.Span) (schema.Value, bool) { return number(int64(s.Kind)) }
	case vec.StatusCode:
		return func(s *schema.Span) (schema.Value, bool) { return number(int64(s.StatusCode)) }
	case vec.StatusMessage:
		return func(s *schema.Span) (schema.Value, bool) { return text(s.StatusMessage) }
	case vec.Duration:
		return func(s *schema.Span) (schema.Value, bool) { return number(s.DurationNanos()) }
	case vec.ScopeName:
		return func(s *schema.Span) (schema.Value, bool) { return text(s.Scope.Name) }
	case vec.ScopeVersion:
		return func(s *schema.Span) (schema.Value, bool) { return text(s.Scope.Version) }
	}
	return func(*schema.Span) (schema.Value, bool) { return schema.Value{}, false }
}

// firstOf is the first value that is not empty.
func firstOf(fields []lookupField, span *schema.Span) schema.Value {
	for _, field := range fields {
		if v, ok := field(span); ok && v.Kind != schema.KindEmpty {
			return v
		}
	}
	return schema.Value{}
}

// begin forgets the rows of the last chunk.
func (s *memorySampler) begin() {
	s.spans, s.samples.Starts = s.spans[:0], s.samples.Starts[:0]
	for i := range s.samples.Groups {
		s.samples.Groups[i].Codes = s.samples.Groups[i].Codes[:0]
	}
	s.samples.Numbers.Kinds, s.samples.Numbers.Words = s.samples.Numbers.Kinds[:0], s.samples.Numbers.Words[:0]
}

func (s *memorySampler) take(span *schema.Span) {
	s.spans = append(s.spans, span)
	s.samples.Starts = append(s.samples.Starts, span.StartNanos)
	for i, fields := range s.groups {
		g := &s.samples.Groups[i]
		g.Codes = append(g.Codes, g.Dictionary.Value(firstOf(fields, span)))
	}
	if s.sampling.Number == nil {
		return
	}
	kind, word := vec.NoNumber, uint64(0)
	switch v := firstOf(s.number, span); v.Kind {
	case schema.KindInt:
		kind, word = vec.Int, uint64(v.Int) //nolint:gosec // its bits
	case schema.KindDouble:
		kind, word = vec.Float, math.Float64bits(v.Double)
	default:
	}
	s.samples.Numbers.Kinds = append(s.samples.Numbers.Kinds, kind)
	s.samples.Numbers.Words = append(s.samples.Numbers.Words, word)
}

// SpanIDs returns the span ids of all rows of traces.
func (m *Memory) SpanIDs(_ context.Context, ids []schema.TraceID) (*vec.SpanIDs, error) {
	list := &vec.SpanIDs{Counts: make([]int32, len(ids))}
	for i, id := range ids {
		rows := m.rowsOf(id)
		list.Counts[i] = int32(len(rows)) //nolint:gosec // a trace fits memory
		for _, row := range rows {
			list.IDs = append(list.IDs, binary.BigEndian.Uint64(m.row(row).SpanID[:]))
		}
	}
	return list, nil
}
