package traceqltest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// Namer gives spans of a trace the names by which they are shown.
type Namer func(trace schema.TraceID, span Span) string

// IDs names spans by their ids, and their kinds where the engine tells them.
func IDs(_ schema.TraceID, s Span) string {
	if s.Kind == 0 {
		return s.ID.String()
	}
	return s.ID.String() + "/" + strconv.Itoa(int(s.Kind))
}

// FormatTraces shows what a search found as lines of text, one for each trace
// in their order and an indented one for each of its spansets, by text.
// Engines that answer alike give the same lines; numbers are rounded, since
// sums depend on their order.
func FormatTraces(traces []Trace, name Namer) (lines []string) {
	for _, tr := range traces {
		lines = append(lines, fmt.Sprintf("trace %s start %d duration %dms root %q %q",
			tr.ID, tr.StartNanos, tr.DurationMs, tr.RootService, tr.RootName))
		var sets []string
		for _, set := range tr.SpanSets {
			var text strings.Builder
			fmt.Fprintf(&text, "  %s%d:", inParentheses(set.Attributes), set.Matched)
			for _, s := range set.Spans {
				fmt.Fprintf(&text, " %s%s", name(tr.ID, s), shownOf(s))
			}
			sets = append(sets, text.String())
		}
		slices.Sort(sets)
		lines = append(lines, sets...)
	}
	return lines
}

// shownOf are the name and the attributes of a span.
func shownOf(s Span) string {
	var parts []string
	if s.Name != "" {
		parts = append(parts, "name="+strconv.Quote(s.Name))
	}
	for _, a := range s.Attributes {
		parts = append(parts, a.Key+"="+rounded(a.Value))
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

func inParentheses(attributes []schema.Attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	parts := make([]string, len(attributes))
	for i, a := range attributes {
		parts[i] = a.Key + "=" + rounded(a.Value)
	}
	return "(" + strings.Join(parts, ", ") + ") "
}

// rounded is ValueText with floats of twelve digits.
func rounded(v schema.Value) string {
	if v.Kind != schema.KindDouble {
		return ValueText(v)
	}
	return ValueText(schema.Value{Kind: schema.KindDouble, Double: round(v.Double)})
}

func round(f float64) float64 {
	short, err := strconv.ParseFloat(strconv.FormatFloat(f, 'g', 12, 64), 64)
	if err != nil {
		return f
	}
	return short
}

// LabelsText shows labels by key, in braces.
func LabelsText(labels []schema.Attribute) string {
	parts := make([]string, len(labels))
	for i, l := range labels {
		parts[i] = l.Key + "=" + rounded(l.Value)
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}

// FormatSeries shows the series of a metrics query as lines of text, by their
// labels, each with its points as seconds after origin and value. It leaves out
// exemplars.
func FormatSeries(list []Series, origin uint64) (lines []string) {
	for _, s := range list {
		var text strings.Builder
		text.WriteString(LabelsText(s.Labels))
		for _, p := range s.Samples {
			seconds := float64(int64(p.Nanos-origin)) / 1e9 //nolint:gosec // negative before the origin
			if p.Nanos == 0 {
				seconds = 0
			}
			fmt.Fprintf(&text, " %s:%s", strconv.FormatFloat(seconds, 'g', -1, 64), strconv.FormatFloat(round(p.Value), 'g', -1, 64))
		}
		lines = append(lines, text.String())
	}
	slices.Sort(lines)
	return lines
}
