package block_test

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// filterMaker makes random filters on rows.
type filterMaker struct {
	rng   *rand.Rand
	spans []schema.Span
}

func (m *filterMaker) filter(depth int) *vec.Filter {
	op := vec.Op(m.rng.IntN(8))
	if depth == 0 || op > vec.OpNot {
		op = vec.OpPredicate
	}
	f := &vec.Filter{Op: op}
	switch op {
	case vec.OpTrue, vec.OpFalse:
	case vec.OpPredicate:
		f.Predicate = m.predicate()
	case vec.OpNot:
		f.Args = []*vec.Filter{m.filter(depth - 1)}
	case vec.OpAnd, vec.OpOr:
		for range m.rng.IntN(4) {
			f.Args = append(f.Args, m.filter(depth-1))
		}
	}
	return f
}

func (m *filterMaker) field() vec.Field {
	key := fmt.Sprintf("key.%d", m.rng.IntN(30))
	switch m.rng.IntN(12) {
	case 0:
		key = []string{"", "key.\xff", "nowhere"}[m.rng.IntN(3)]
	case 1:
		return vec.Field{Scope: vec.ScopeEvent, Key: "level"}
	case 2:
		return vec.Field{Scope: vec.ScopeLink, Key: "order"}
	case 3:
		return vec.Field{Scope: vec.ScopeResource, Key: "service.name"}
	case 4, 5:
		return vec.Field{Key: []string{
			vec.Name, vec.Kind, vec.StatusCode, vec.StatusMessage, vec.Duration, vec.ServiceName, vec.ScopeName,
			vec.ScopeVersion, vec.EventName, "unknown",
		}[m.rng.IntN(10)]}
	case 6, 7, 8:
		return vec.Field{Scope: vec.Scope(1 + m.rng.IntN(5)), Key: key}
	}
	return vec.Field{Scope: vec.ScopeSpan, Key: key}
}

// predicate is true for a random share of all values, or for those that look
// like one in the rows.
func (m *filterMaker) predicate() *vec.Predicate {
	p := &vec.Predicate{Field: m.field(), Absent: m.rng.IntN(4) == 0}
	seed, share := m.rng.Uint64(), uint64(1+m.rng.IntN(4))
	drawn := func(v any) bool {
		h := fnv.New64a()
		_, _ = fmt.Fprint(h, seed, v) // a hash takes everything
		return h.Sum64()%share == 0
	}
	if m.rng.IntN(3) > 0 {
		p.Text = func(s string) bool { return drawn(s) }
	}
	if m.rng.IntN(3) == 0 {
		literal := []string{"e", "value 3", "\"", "\x00"}[m.rng.IntN(4)]
		p.Contains = literal
		p.Text = func(s string) bool { return strings.Contains(s, literal) && drawn(s) }
	}
	if m.rng.IntN(3) > 0 {
		p.Int = func(i int64) bool { return drawn(i) }
	}
	if m.rng.IntN(3) == 0 {
		p.Between = m.interval(p.Field)
		p.Int = func(i int64) bool { return i >= p.Between.Least && i <= p.Between.Most }
	}
	if m.rng.IntN(3) > 0 {
		p.Float = func(f float64) bool { return drawn(f) }
	}
	if m.rng.IntN(3) > 0 {
		p.Bool = func(b bool) bool { return drawn(b) }
	}
	if m.rng.IntN(3) > 0 {
		p.Other = func(v schema.Value) bool { return drawn(v) }
	}
	return p
}

// interval is around a value of the field.
func (m *filterMaker) interval(f vec.Field) *vec.Interval {
	least, most := int64(-3), int64(m.rng.IntN(5))
	if len(m.spans) > 0 {
		for _, v := range fieldValues(&m.spans[m.rng.IntN(len(m.spans))], f) {
			if v.Kind == schema.KindInt {
				least, most = v.Int, v.Int
			}
		}
	}
	switch m.rng.IntN(4) {
	case 0:
		least = math.MinInt64
	case 1:
		most = math.MaxInt64
	case 2:
		least = math.MaxInt64
	}
	return &vec.Interval{Least: least, Most: most}
}

// holds decides a filter on one row in the plainest way.
func holds(f *vec.Filter, s *schema.Span) bool {
	switch f.Op {
	case vec.OpTrue:
		return true
	case vec.OpFalse:
		return false
	case vec.OpPredicate:
		values := fieldValues(s, f.Predicate.Field)
		if len(values) == 0 {
			return f.Predicate.Absent
		}
		return slices.ContainsFunc(values, f.Predicate.Holds)
	case vec.OpNot:
		return !holds(f.Args[0], s)
	case vec.OpAnd:
		return !slices.ContainsFunc(f.Args, func(arg *vec.Filter) bool { return !holds(arg, s) })
	case vec.OpOr:
		return slices.ContainsFunc(f.Args, func(arg *vec.Filter) bool { return holds(arg, s) })
	}
	panic("no such operator")
}

// fieldValues are the values that a row has of a field.
func fieldValues(s *schema.Span, f vec.Field) []schema.Value {
	var members [][]schema.Attribute
	switch f.Scope {
	case vec.ScopeIntrinsic:
		return intrinsic(s, f.Key)
	case vec.ScopeSpan:
		v, found := otlp.Lookup(s.Derived, f.Key)
		if !found {
			v, found = otlp.Lookup(s.Attributes, f.Key)
		}
		if !found {
			return nil
		}
		return []schema.Value{v}
	case vec.ScopeResource:
		members = [][]schema.Attribute{otlp.ResourceAttributes(s.Resource)}
	case vec.ScopeInstrumentation:
		members = [][]schema.Attribute{otlp.ScopeAttributes(s.Scope)}
	case vec.ScopeEvent:
		members = eventsOf(s)
	case vec.ScopeLink:
		members = linksOf(s)
	}
	var values []schema.Value
	for _, member := range members {
		if i := slices.IndexFunc(member, func(a schema.Attribute) bool { return a.Key == f.Key }); i >= 0 {
			values = append(values, member[i].Value)
		}
	}
	return values
}

func intrinsic(s *schema.Span, key string) []schema.Value {
	text := func(v string) []schema.Value { return []schema.Value{{Kind: schema.KindString, Str: v}} }
	number := func(v int64) []schema.Value { return []schema.Value{{Kind: schema.KindInt, Int: v}} }
	switch key {
	case vec.Name:
		return text(s.Name)
	case vec.Kind:
		return number(int64(s.Kind))
	case vec.StatusCode:
		return number(int64(s.StatusCode))
	case vec.StatusMessage:
		return text(s.StatusMessage)
	case vec.Duration:
		return number(s.DurationNanos())
	case vec.ServiceName:
		return text(s.Resource.ServiceName)
	case vec.ScopeName:
		return text(s.Scope.Name)
	case vec.ScopeVersion:
		return text(s.Scope.Version)
	case vec.EventName:
		var names []schema.Value
		for e := range otlp.Events(s) {
			names = append(names, text(e.Name)...)
		}
		return names
	}
	return nil
}

// hitsOf are the hits of a filter.
func hitsOf(f *vec.Filter, spans []schema.Span) (hits []vec.Hit) {
	for id, trace := range byTrace(spans) {
		hit := vec.Hit{ID: id, StartNanos: math.MaxUint64, Folded: true}
		open := false
		seen := map[schema.SpanID]bool{}
		for i := range trace {
			s := &trace[i]
			hit.StartNanos = min(hit.StartNanos, s.StartNanos)
			hit.LastNanos = max(hit.LastNanos, s.StartNanos)
			hit.EndNanos = max(hit.EndNanos, s.StartNanos, s.EndNanos)
			hit.Folded = hit.Folded && !seen[s.SpanID] && s.Fragment == schema.FragmentNone
			if holds(f, s) {
				hit.Matched++
			}
			open = open || s.Fragment != schema.FragmentNone
			seen[s.SpanID] = true
		}
		if open {
			hit.Matched = math.MaxInt32
		}
		if hit.Matched > 0 {
			hits = append(hits, hit)
		}
	}
	slices.SortFunc(hits, func(a, b vec.Hit) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	return hits
}

// TestFiltersAreExact compares random filters over blocks of every shape with
// what they say about each row.
func TestFiltersAreExact(t *testing.T) {
	for n, tt := range blockShapes() {
		t.Run(tt.name, func(t *testing.T) {
			for seed := range uint64(3) {
				spans := withScopes(tt.spans(seed), seed)
				o, err := block.EncodeLimited(project, spans, tt.limits)
				require.NoError(t, err)
				cache := block.NewCache([]int64{0, 20 << 10, 64 << 20}[seed])
				r, err := cache.Open(t.Context(), memory(o.Data), keyOf(o))
				require.NoError(t, err)
				m := filterMaker{rand.New(rand.NewPCG(seed, uint64(n))), spans}
				for i := range 60 / thinning {
					f := m.filter(m.rng.IntN(3))
					requireFilter(t, r, f, spans)
					if i%4 == 0 {
						requireSummaries(t, r, f, spans)
						requireDistinct(t, r, m.field(), spans)
					}
				}
				requireKeys(t, r, spans)
				require.LessOrEqual(t, cache.Stats().Bytes, int64(64<<20))
			}
		})
	}
}

// withScopes gives scopes attributes.
func withScopes(spans []schema.Span, seed uint64) []schema.Span {
	m := attributeMaker{rand.New(rand.NewPCG(seed, 3)), 0.1}
	for i := range 5 {
		scope := &schema.Scope{Name: fmt.Sprint("lib ", i), Wire: append([]byte{0x0a, 0x7f}, make([]byte, 127)...)}
		if fields := m.fields(3, 3); len(fields) < 128 {
			scope.Wire = append([]byte{0x0a, byte(len(fields))}, fields...)
		}
		for j := i; j < len(spans); j += 5 {
			spans[j].Scope = scope
		}
	}
	return spans
}

func requireFilter(t *testing.T, r *block.Reader, f *vec.Filter, spans []schema.Span) {
	t.Helper()
	var want []schema.Span
	for i := range spans {
		if holds(f, &spans[i]) {
			want = append(want, spans[i])
		}
	}
	have, err := scan(t.Context(), r, f, vec.AllColumns())
	require.NoError(t, err)
	require.Len(t, have, len(want), describe(f))
	requireSame(t, want, have)
	hits, err := find(t.Context(), r, f)
	require.NoError(t, err)
	require.Equal(t, hitsOf(f, spans), hits, describe(f))
}

func describe(f *vec.Filter) string {
	var args []string
	for _, arg := range f.Args {
		args = append(args, describe(arg))
	}
	if f.Predicate != nil {
		p := f.Predicate
		args = append(args, fmt.Sprintf("%+v absent=%v between=%v contains=%q text=%v", p.Field, p.Absent, p.Between, p.Contains, p.Text != nil))
	}
	return fmt.Sprintf("%d(%s)", f.Op, strings.Join(args, ", "))
}
