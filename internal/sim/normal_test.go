package sim_test

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// The functions of this file bring answers into the normal form of the
// conformance suite, which its README describes.

func number(q corpus.Query, key string) int {
	n, err := strconv.Atoi(strings.TrimSuffix(q.Params[key], "s"))
	if err != nil {
		return 0 // it is not given
	}
	return n
}

func searchOptions(q corpus.Query) traceqltest.SearchOptions {
	return traceqltest.SearchOptions{
		StartNanos: uint64(number(q, "start")) * uint64(time.Second),
		EndNanos:   uint64(number(q, "end")) * uint64(time.Second),
		Limit:      number(q, "limit"), SpansPerSpanSet: number(q, "spss"),
	}
}

func metricsOptions(q corpus.Query) traceqltest.MetricsOptions {
	return traceqltest.MetricsOptions{
		StartNanos: uint64(number(q, "start")) * uint64(time.Second),
		EndNanos:   uint64(number(q, "end")) * uint64(time.Second),
		StepNanos:  uint64(number(q, "step")) * uint64(time.Second),
	}
}

func normalTraces(traces []traceqltest.Trace, attrs bool) []corpus.Trace {
	var out []corpus.Trace
	for _, tr := range traces {
		n := corpus.Trace{
			ID: tr.ID.String(), RootService: tr.RootService, RootName: tr.RootName,
			Start: strconv.FormatUint(tr.StartNanos, 10), DurationMs: int64(tr.DurationMs),
		}
		for _, set := range tr.SpanSets {
			s := corpus.SpanSet{Matched: set.Matched}
			if attrs && len(set.Attributes) > 0 {
				s.Attrs = texts(set.Attributes)
			}
			for _, span := range set.Spans {
				text := span.ID.String()
				if all := texts(span.Attributes); attrs {
					if span.Name != "" {
						all["name"] = "s:" + span.Name
					}
					text = strings.TrimSuffix(text+" "+joined(all), " ")
				}
				s.Spans = append(s.Spans, text)
			}
			slices.Sort(s.Spans)
			n.SpanSets = append(n.SpanSets, s)
		}
		slices.SortFunc(n.SpanSets, func(a, b corpus.SpanSet) int {
			return cmp.Or(cmp.Compare(joined(a.Attrs), joined(b.Attrs)), slices.Compare(a.Spans, b.Spans))
		})
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b corpus.Trace) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func normalSeries(list []traceqltest.Series) []corpus.Series {
	var out []corpus.Series
	for _, s := range list {
		n := corpus.Series{Labels: "{" + joined(texts(s.Labels)) + "}"}
		for _, p := range s.Samples {
			n.Samples = append(n.Samples, [2]float64{float64(p.Nanos / 1e6), p.Value})
		}
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b corpus.Series) int { return cmp.Compare(a.Labels, b.Labels) })
	return out
}

// differSeries says how the answers differ, "" if they do not.
func differSeries(want, got []corpus.Series, tolerance float64) string {
	if tolerance == 0 {
		tolerance = 1e-6
	}
	if len(want) != len(got) {
		return strconv.Itoa(len(got)) + " series, want " + strconv.Itoa(len(want))
	}
	for i := range want {
		if want[i].Labels != got[i].Labels || len(want[i].Samples) != len(got[i].Samples) {
			return got[i].Labels + ", want " + want[i].Labels
		}
		for j, w := range want[i].Samples {
			g := got[i].Samples[j]
			if w[0] != g[0] || math.Abs(w[1]-g[1]) > tolerance*max(math.Abs(w[1]), math.Abs(g[1])) {
				return fmt.Sprintf("%s at %g: %g, want %g", got[i].Labels, w[0], g[1], w[1])
			}
		}
	}
	return ""
}

func texts(attributes []schema.Attribute) map[string]string {
	out := make(map[string]string)
	for _, a := range attributes {
		out[a.Key] = text(a.Value)
	}
	return out
}

func joined(texts map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		parts = append(parts, key+"="+texts[key])
	}
	return strings.Join(parts, ", ")
}

func text(v schema.Value) string {
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
		var items []string
		for _, item := range v.Array {
			items = append(items, text(item))
		}
		return "[" + strings.Join(items, ",") + "]"
	default:
		return "nil"
	}
}

// differTraces says how the answers to a search differ, "" if they do not.
func differTraces(q corpus.Query, want, got []corpus.Trace) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d traces, want %d", len(got), len(want))
	}
	for i := range want {
		w, g := want[i], got[i]
		switch {
		case q.Loose == corpus.LooseCount:
		case q.Loose == corpus.LooseMatched:
			if w.SpanSets[0].Matched != g.SpanSets[0].Matched || len(w.SpanSets[0].Spans) != len(g.SpanSets[0].Spans) {
				return "spans of trace " + w.ID
			}
		case fmt.Sprintf("%+v", w) != fmt.Sprintf("%+v", g):
			return fmt.Sprintf("got %+v, want %+v", g, w)
		}
	}
	return ""
}
