package corpus

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// ValueText is a value in the normal form of answers.
func ValueText(v schema.Value) string {
	switch v.Kind {
	case schema.KindString:
		return "s:" + v.Str
	case schema.KindBool:
		return "b:" + strconv.FormatBool(v.Bool)
	case schema.KindInt:
		return "i:" + strconv.FormatInt(v.Int, 10)
	case schema.KindDouble:
		return "d:" + strconv.FormatFloat(v.Double, 'g', 12, 64)
	case schema.KindArray:
		items := make([]string, len(v.Array))
		for i := range v.Array {
			items[i] = ValueText(v.Array[i])
		}
		return "[" + strings.Join(items, ",") + "]"
	case schema.KindEmpty, schema.KindBytes, schema.KindMap:
	}
	return "nil"
}

// AttributeTexts are attributes in the normal form of answers, nil if there are
// none.
func AttributeTexts(attributes []schema.Attribute) map[string]string {
	if len(attributes) == 0 {
		return nil
	}
	texts := make(map[string]string, len(attributes))
	for _, a := range attributes {
		texts[a.Key] = ValueText(a.Value)
	}
	return texts
}

// JoinTexts is AttributeTexts in one line, by key.
func JoinTexts(texts map[string]string) string {
	parts := make([]string, 0, len(texts))
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		parts = append(parts, key+"="+texts[key])
	}
	return strings.Join(parts, ", ")
}

// SpanText is a span of a spanset in the normal form: its id, and if the
// query's Attrs say so its name and attributes.
func SpanText(id, name string, attributes []schema.Attribute, attrs bool) string {
	if !attrs {
		return id
	}
	if name != "" {
		named := schema.Attribute{Key: "name", Value: schema.Value{Kind: schema.KindString, Str: name}}
		attributes = append(slices.Clip(attributes), named)
	}
	return strings.TrimSuffix(id+" "+JoinTexts(AttributeTexts(attributes)), " ")
}

// SortTraces brings traces, their spansets and spans into the order of the
// normal form.
func SortTraces(traces []Trace) {
	for i := range traces {
		sets := traces[i].SpanSets
		for k := range sets {
			slices.Sort(sets[k].Spans)
		}
		slices.SortFunc(sets, func(a, b SpanSet) int {
			return cmp.Or(cmp.Compare(JoinTexts(a.Attrs), JoinTexts(b.Attrs)), slices.Compare(a.Spans, b.Spans))
		})
	}
	slices.SortFunc(traces, func(a, b Trace) int { return cmp.Compare(a.ID, b.ID) })
}
