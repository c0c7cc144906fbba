package engine_test

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/schema"
)

// normalForm is that of the suite's README.
func normalForm(traces []engine.TraceResult, attrs bool) []corpus.Trace {
	var out []corpus.Trace
	for _, tr := range traces {
		n := corpus.Trace{
			ID:          tr.TraceID.String(),
			RootService: tr.RootServiceName,
			RootName:    tr.RootTraceName,
			Start:       strconv.FormatUint(tr.StartNanos, 10),
			DurationMs:  int64(tr.DurationMs),
		}
		for _, set := range tr.SpanSets {
			n.SpanSets = append(n.SpanSets, normalSet(set, attrs))
		}
		slices.SortFunc(n.SpanSets, func(a, b corpus.SpanSet) int {
			return cmp.Or(cmp.Compare(attrText(a.Attrs), attrText(b.Attrs)), slices.Compare(a.Spans, b.Spans))
		})
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b corpus.Trace) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func normalSet(set engine.SpanSet, attrs bool) corpus.SpanSet {
	s := corpus.SpanSet{Matched: int(set.Matched)}
	if attrs {
		s.Attrs = attrTexts(set.Attributes)
	}
	for _, span := range set.Spans {
		text := span.SpanID.String()
		if attrs {
			shown := span.Attributes
			if span.Name != "" {
				shown = append(slices.Clone(shown), schema.Attribute{
					Key: "name", Value: schema.Value{Kind: schema.KindString, Str: span.Name},
				})
			}
			if len(shown) > 0 {
				text += " " + attrText(attrTexts(shown))
			}
		}
		s.Spans = append(s.Spans, text)
	}
	slices.Sort(s.Spans)
	return s
}

func attrTexts(list []schema.Attribute) map[string]string {
	if len(list) == 0 {
		return nil
	}
	texts := make(map[string]string)
	for _, a := range list {
		texts[a.Key] = valueText(a.Value)
	}
	return texts
}

func attrText(texts map[string]string) string {
	var parts []string
	for key, value := range texts {
		parts = append(parts, key+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func valueText(v schema.Value) string {
	switch v.Kind {
	case schema.KindString:
		return "s:" + v.Str
	case schema.KindInt:
		return "i:" + strconv.FormatInt(v.Int, 10)
	case schema.KindDouble:
		return "d:" + strconv.FormatFloat(v.Double, 'g', -1, 64)
	case schema.KindBool:
		return "b:" + strconv.FormatBool(v.Bool)
	case schema.KindArray:
		var parts []string
		for _, element := range v.Array {
			parts = append(parts, valueText(element))
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		return "?"
	}
}
