package oracle

import (
	"cmp"
	"slices"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// comparison is compare(): how often each attribute has which value in the spans
// that are selected and in the others, and how often it has any.
func comparison(c *traceql.Compare, spans []scene, o traceqltest.MetricsOptions) (list []series) {
	var selection, baseline []scene
	for _, s := range spans {
		start := s.span().StartNanos
		inTime := c.StartNanos == 0 && c.EndNanos == 0 || start > c.StartNanos && start <= c.EndNanos
		if inTime && s.holds(c.Selection.Expr) {
			selection = append(selection, s)
		} else {
			baseline = append(baseline, s)
		}
	}
	list = counted("selection", c.TopN, selection, o)
	return append(list, counted("baseline", c.TopN, baseline, o)...)
}

// counted are the series of one half.
func counted(half string, topN int, spans []scene, o traceqltest.MetricsOptions) (list []series) {
	var groups, totals []group
	for _, s := range spans {
		for _, a := range s.everything() {
			groups = added(groups, a, s)
			totals = added(totals, schema.Attribute{Key: a.Key, Value: text("nil")}, s)
		}
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		return cmp.Or(cmp.Compare(len(b.spans), len(a.spans)), compareLabels(a.labels, b.labels))
	})
	shown := make(map[string]int)
	for _, g := range groups {
		if shown[g.labels[0].Key]++; shown[g.labels[0].Key] <= topN {
			list = append(list, countLine(half, g, o))
		}
	}
	for _, g := range totals {
		list = append(list, countLine(half+"_total", g, o))
	}
	return list
}

func added(groups []group, a schema.Attribute, s scene) []group {
	i := slices.IndexFunc(groups, func(g group) bool { return sameLabels(g.labels, []schema.Attribute{a}) })
	if i < 0 {
		i = len(groups)
		groups = append(groups, group{labels: []schema.Attribute{a}})
	}
	groups[i].spans = append(groups[i].spans, s)
	return groups
}

func countLine(kind string, g group, o traceqltest.MetricsOptions) series {
	s := line("", 0, g, o, func(spans []scene) (float64, bool) { return float64(len(spans)), true })
	s.labels = append([]schema.Attribute{{Key: "__meta_type", Value: text(kind)}}, g.labels...)
	return s
}

// everything is what compare looks at: attributes, the first of each key, of
// events and links all values; and intrinsics but durations, times, ids and
// numbers of the tree.
func (s scene) everything() (list []schema.Attribute) {
	for _, id := range []traceql.IntrinsicID{
		traceql.IntrinsicName, traceql.IntrinsicKind, traceql.IntrinsicStatus, traceql.IntrinsicStatusMessage,
		traceql.IntrinsicChildCount, traceql.IntrinsicTraceRootName, traceql.IntrinsicTraceRootService,
		traceql.IntrinsicInstrumentationName, traceql.IntrinsicInstrumentationVersion,
	} {
		list = append(list, schema.Attribute{Key: id.String(), Value: shown(s.intrinsic(id))})
	}
	add := func(scope traceql.Scope, attributes []schema.Attribute, repeat bool) {
		for _, a := range attributes {
			key := (&traceql.Attribute{Scope: scope, Name: a.Key}).String()
			v, ok := label(stored(a.Value))
			known := slices.ContainsFunc(list, func(other schema.Attribute) bool {
				return other.Key == key && (!repeat || sameLabels([]schema.Attribute{other}, []schema.Attribute{{Key: key, Value: v}}))
			})
			if !known && (ok || !repeat) {
				list = append(list, schema.Attribute{Key: key, Value: v})
			}
		}
	}
	for key, v := range otlp.Attributes(s.span().Derived) {
		add(traceql.ScopeSpan, []schema.Attribute{{Key: key, Value: v}}, false)
	}
	add(traceql.ScopeSpan, otlp.SpanAttributes(s.span()), false)
	service, _ := s.resourceAttribute("service.name")
	add(traceql.ScopeResource, []schema.Attribute{{Key: "service.name", Value: service}}, false)
	add(traceql.ScopeResource, otlp.ResourceAttributes(s.span().Resource), false)
	add(traceql.ScopeInstrumentation, otlp.ScopeAttributes(s.span().Scope), false)
	for e := range otlp.Events(s.span()) {
		name := schema.Attribute{Key: traceql.IntrinsicEventName.String(), Value: text(e.Name)}
		if !slices.ContainsFunc(list, func(a schema.Attribute) bool { return a.Key == name.Key && a.Value.Str == e.Name }) {
			list = append(list, name)
		}
		add(traceql.ScopeEvent, e.Attributes, true)
	}
	for l := range otlp.Links(s.span()) {
		add(traceql.ScopeLink, l.Attributes, true)
	}
	return slices.DeleteFunc(list, func(a schema.Attribute) bool { return a.Value.Kind == schema.KindEmpty })
}
