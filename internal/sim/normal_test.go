package sim_test

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/internal/corpus"
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
			if attrs {
				s.Attrs = corpus.AttributeTexts(set.Attributes)
			}
			for _, span := range set.Spans {
				s.Spans = append(s.Spans, corpus.SpanText(span.ID.String(), span.Name, span.Attributes, attrs))
			}
			n.SpanSets = append(n.SpanSets, s)
		}
		out = append(out, n)
	}
	corpus.SortTraces(out)
	return out
}

func normalSeries(list []traceqltest.Series) []corpus.Series {
	var out []corpus.Series
	for _, s := range list {
		n := corpus.Series{Labels: "{" + corpus.JoinTexts(corpus.AttributeTexts(s.Labels)) + "}"}
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
