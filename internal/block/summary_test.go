package block_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// summaryOf is what should be said of a trace.
func summaryOf(f *vec.Filter, hit vec.Hit, trace []schema.Span, few int) vec.Summary {
	want := vec.Summary{Hit: hit}
	want.Matched = 0
	root := false
	for i := range trace {
		s := &trace[i]
		want.LastEnd = max(want.LastEnd, s.EndNanos)
		if !root && s.ParentSpanID.IsZero() {
			root, want.RootName, want.RootService = true, s.Name, s.Resource.ServiceName
		}
		k := slices.IndexFunc(want.Services, func(c vec.ServiceCount) bool { return c.Service == s.Resource.ServiceName })
		if k < 0 {
			k = len(want.Services)
			want.Services = append(want.Services, vec.ServiceCount{Service: s.Resource.ServiceName})
		}
		want.Services[k].Rows++
		if s.StatusCode == 2 {
			want.Services[k].Failed++
		}
		if holds(f, s) {
			if want.Matched++; len(want.Spans) < few {
				want.Spans = append(want.Spans, *s)
			}
		}
	}
	return want
}

// requireSummaries asks for every second trace, and for some that are not there.
func requireSummaries(t *testing.T, r *block.Reader, f *vec.Filter, spans []schema.Span) {
	t.Helper()
	const few = 2
	traces := byTrace(spans)
	var want []vec.Summary
	ids := []schema.TraceID{{}, {0: 0xff, 1: 0xff}}
	for i, hit := range hitsOf(always(), spans) {
		if i%2 == 0 {
			continue
		}
		if ids = append(ids, hit.ID); hit.Folded {
			want = append(want, summaryOf(f, hit, traces[hit.ID], few))
		}
	}
	slices.SortFunc(ids, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) })
	have, err := r.Summaries(t.Context(), slices.Compact(ids), f, vec.Columns{Bare: true, Intrinsics: []string{vec.Name, vec.StatusCode}}, few)
	require.NoError(t, err)
	require.Len(t, have, len(want))
	for i := range want {
		require.Len(t, have[i].Spans, len(want[i].Spans), describe(f))
		for k := range want[i].Spans {
			want, have := &want[i].Spans[k], &have[i].Spans[k]
			require.Equal(t, schema.Span{
				TraceID: want.TraceID, SpanID: want.SpanID, StartNanos: want.StartNanos, EndNanos: want.EndNanos,
				Name: want.Name, StatusCode: want.StatusCode, Resource: &schema.Resource{}, Scope: &schema.Scope{},
			}, *have)
		}
		want[i].Spans, have[i].Spans = nil, nil
		require.Equal(t, want[i], have[i], describe(f))
	}
}

// texts are values as text, each once; "absent" for none.
func texts(lists ...[]schema.Value) map[string]bool {
	set := map[string]bool{}
	for _, values := range lists {
		if len(values) == 0 {
			set["absent"] = true
		}
		for _, v := range values {
			set[fmt.Sprintf("%#v", v)] = true
		}
	}
	return set
}

// requireDistinct compares the values that dictionaries tell with those of the
// rows. That some rows have none need not be told.
func requireDistinct(t *testing.T, r *block.Reader, field vec.Field, spans []schema.Span) {
	t.Helper()
	want := map[string]bool{}
	for i := range spans {
		maps.Copy(want, texts(fieldValues(&spans[i], field)))
	}
	have := map[string]bool{}
	ok, err := r.Distinct(t.Context(), field, func(s *schema.Span) bool {
		maps.Copy(have, texts(fieldValues(s, field)))
		return true
	})
	require.NoError(t, err)
	if !ok {
		require.Empty(t, have)
		return
	}
	delete(want, "absent")
	delete(have, "absent")
	require.Equal(t, want, have, "%+v", field)
}

// requireKeys compares the keys that a block tells with those of the rows.
func requireKeys(t *testing.T, r *block.Reader, spans []schema.Span) {
	t.Helper()
	want := map[vec.Scope]map[string]bool{}
	add := func(scope vec.Scope, list ...[]schema.Attribute) {
		for _, attributes := range list {
			for _, a := range attributes {
				if want[scope] == nil {
					want[scope] = map[string]bool{}
				}
				want[scope][a.Key] = true
			}
		}
	}
	for i := range spans {
		s := &spans[i]
		add(vec.ScopeResource, otlp.ResourceAttributes(s.Resource))
		add(vec.ScopeInstrumentation, otlp.ScopeAttributes(s.Scope))
		add(vec.ScopeEvent, eventsOf(s)...)
		add(vec.ScopeLink, linksOf(s)...)
		for _, fields := range [][]byte{s.Attributes, s.Derived} {
			for key := range otlp.Attributes(fields) {
				add(vec.ScopeSpan, []schema.Attribute{{Key: key}})
			}
		}
	}
	for _, scope := range []vec.Scope{vec.ScopeResource, vec.ScopeInstrumentation, vec.ScopeSpan, vec.ScopeEvent, vec.ScopeLink} {
		keys, ok, err := r.Keys(t.Context(), scope)
		require.NoError(t, err)
		if !ok {
			continue
		}
		have := map[string]bool(nil)
		for _, key := range keys {
			if have == nil {
				have = map[string]bool{}
			}
			have[key] = true
		}
		require.Equal(t, want[scope], have, "scope %d", scope)
	}
}

// A span that has not ended has no end, and may be the last to begin.
func TestSummaryOfSpansThatHaveNotEnded(t *testing.T) {
	rows := func(id byte, times ...[2]uint64) (spans []schema.Span) {
		for i, at := range times {
			spans = append(spans, schema.Span{
				TraceID: schema.TraceID{0: id}, SpanID: schema.SpanID{0: byte(i + 1)}, StartNanos: at[0], EndNanos: at[1],
				Resource: &schema.Resource{}, Scope: &schema.Scope{},
			})
		}
		return spans
	}
	spans := slices.Concat(
		rows(1, [2]uint64{10, 50}, [2]uint64{60, 0}),
		rows(2, [2]uint64{10, 0}),
		rows(3, [2]uint64{10, 10}),
		rows(4, [2]uint64{10, 90}, [2]uint64{60, 0}),
	)
	r, _ := open(t, encode(t, spans))
	ids := []schema.TraceID{{0: 1}, {0: 2}, {0: 3}, {0: 4}}
	list, err := r.Summaries(t.Context(), ids, always(), vec.Columns{Bare: true}, 1)
	require.NoError(t, err)
	ends := make([]uint64, len(list))
	for i := range list {
		ends[i] = list[i].LastEnd
	}
	require.Equal(t, []uint64{50, 0, 10, 90}, ends)
}

// Of an attribute that was sent and derived, what was derived counts: dictionaries
// do not tell which values these are.
func TestHiddenValuesAreNotDistinct(t *testing.T) {
	const rows = 200
	spans := rowsWith(rows, func(int) []byte { return text("key", "hidden") })
	for i := range rows / 2 {
		spans[i].Derived = text("key", "derived")
	}
	never := func(*schema.Span) bool {
		require.Fail(t, "a value was yielded")
		return false
	}
	r, _ := open(t, encode(t, spans))
	ok, err := r.Distinct(t.Context(), vec.Field{Scope: vec.ScopeSpan, Key: "key"}, never)
	require.NoError(t, err)
	require.False(t, ok)

	for i := range spans {
		spans[i].Attributes = nil
	}
	r, _ = open(t, encode(t, spans))
	var values []schema.Value
	ok, err = r.Distinct(t.Context(), vec.Field{Scope: vec.ScopeSpan, Key: "key"}, func(s *schema.Span) bool {
		values = append(values, fieldValues(s, vec.Field{Scope: vec.ScopeSpan, Key: "key"})...)
		return true
	})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, []schema.Value{{Kind: schema.KindString, Str: "derived"}}, values)
}
