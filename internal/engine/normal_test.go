package engine_test

import (
	"strconv"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
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
			s := corpus.SpanSet{Matched: int(set.Matched)}
			if attrs {
				s.Attrs = corpus.AttributeTexts(set.Attributes)
			}
			for _, span := range set.Spans {
				s.Spans = append(s.Spans, corpus.SpanText(span.SpanID.String(), span.Name, span.Attributes, attrs))
			}
			n.SpanSets = append(n.SpanSets, s)
		}
		out = append(out, n)
	}
	corpus.SortTraces(out)
	return out
}
