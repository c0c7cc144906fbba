package sim_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
	"github.com/spanlake/spanlake/traceql/traceqltest/oracle"
)

// trial is a query of rows that lie somehow: what a failure is about.
type trial struct {
	query  string
	rows   []schema.Span
	layout layout
	seed   uint64 // of the layout
	search traceqltest.SearchOptions
	metric traceqltest.MetricsOptions
}

// fault says how the engine's answer is wrong, "" if it is not, or if there is
// none.
func (tr trial) fault(t *testing.T) string {
	t.Helper()
	q, err := traceql.Parse(tr.query)
	if err != nil {
		return ""
	}
	e := newPlaced(tr.layout.place(t, tr.rows, rand.New(rand.NewPCG(tr.seed, 0))))
	if !e.takes(q) {
		return ""
	}
	return differ(t, q, oracle.New(tr.rows), e, tr.search, tr.metric)
}

// takes reports whether the engine compiles the query.
func (placed) takes(q *traceql.Query) bool {
	var err error
	if q.Metrics != nil {
		_, err = engine.CompileMetrics(q)
	} else {
		_, err = engine.Compile(q)
	}
	return err == nil
}

// shrink makes the trial smaller as long as it fails.
func (tr trial) shrink(t *testing.T) trial {
	t.Helper()
	for {
		smaller, ok := tr.step(t)
		if !ok {
			return tr
		}
		tr = smaller
	}
}

func (tr trial) step(t *testing.T) (trial, bool) {
	t.Helper()
	var tries []trial
	add := func(change func(*trial)) {
		other := tr
		change(&other)
		tries = append(tries, other)
	}
	for n := len(tr.rows) / 2; n > 0; n /= 2 {
		for from := 0; from < len(tr.rows); from += n {
			add(func(o *trial) { o.rows = slices.Delete(slices.Clone(o.rows), from, min(from+n, len(o.rows))) })
		}
	}
	if q, err := traceql.Parse(tr.query); err == nil {
		for _, text := range simpler(q) {
			add(func(o *trial) { o.query = text })
		}
	}
	for _, l := range layouts()[:2] {
		if tr.layout.name != l.name && tr.layout.count > l.count {
			add(func(o *trial) { o.layout = l })
		}
	}
	if tr.search != (traceqltest.SearchOptions{}) {
		add(func(o *trial) { o.search = traceqltest.SearchOptions{} })
	}
	for _, other := range tries {
		if len(other.query) <= len(tr.query) && other.fault(t) != "" {
			return other, true
		}
	}
	return tr, false
}

// String is all that one needs to see.
func (tr trial) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%s, %+v %+v\n", tr.query, tr.layout.name, tr.search, tr.metric)
	for _, s := range tr.rows {
		fmt.Fprintf(&b, "  %s/%s parent %s %q kind %d status %d %q start %d end %d position %d service %q fragment %d\n", s.TraceID, s.SpanID, s.ParentSpanID,
			s.Name, s.Kind, s.StatusCode, s.StatusMessage, s.StartNanos, s.EndNanos, s.Position, s.Resource.ServiceName, s.Fragment)
		show := func(what string, list []schema.Attribute) {
			for _, a := range list {
				fmt.Fprintf(&b, "    %s%s=%s\n", what, a.Key, traceqltest.ValueText(a.Value))
			}
		}
		show("span.", otlp.SpanAttributes(&s))
		show("resource.", otlp.ResourceAttributes(s.Resource))
		show("instrumentation.", otlp.ScopeAttributes(s.Scope))
		for e := range otlp.Events(&s) {
			fmt.Fprintf(&b, "    event %q %d\n", e.Name, e.TimeNanos)
			show("  event.", e.Attributes)
		}
		for l := range otlp.Links(&s) {
			fmt.Fprintf(&b, "    link %x %x\n", l.TraceID, l.SpanID)
			show("  link.", l.Attributes)
		}
	}
	return b.String()
}
