package oracle

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
	"github.com/spanlake/spanlake/traceql/traceqltest"
)

// window is the time that one point tells about.
type window struct {
	at          uint64 // of the point
	first, last uint64 // starts of spans, inclusive
}

// windows are those of a query. The points of a range query stand at multiples
// of the step, each at the end of its window; there is one before the start. An
// instant query has one window for the whole range.
func windows(o traceqltest.MetricsOptions) (list []window) {
	if o.StepNanos == 0 {
		return []window{{first: o.StartNanos, last: o.EndNanos}}
	}
	from := o.StartNanos / o.StepNanos * o.StepNanos
	to := (o.EndNanos + o.StepNanos - 1) / o.StepNanos * o.StepNanos
	for at := from; at <= to; at += o.StepNanos {
		list = append(list, window{at: at, first: at - o.StepNanos + 1, last: at})
	}
	return list
}

// seconds is the length of a window.
func seconds(o traceqltest.MetricsOptions) float64 {
	if o.StepNanos > 0 {
		return time.Duration(o.StepNanos).Seconds() //nolint:gosec // a test's
	}
	return time.Duration(o.EndNanos - o.StartNanos).Seconds() //nolint:gosec // a test's
}

// series is one line of the answer: a point for every window, or none.
type series struct {
	name   string // of the functions it comes from, shown if it has no labels
	labels []schema.Attribute
	points []point
}

type point struct {
	there bool
	value float64
}

// Metrics returns the series of a metrics query, without exemplars: any span
// that counts in a point may be one.
func (e *Engine) Metrics(
	_ context.Context, q *traceql.Query, options traceqltest.MetricsOptions,
) ([]traceqltest.Series, error) {
	list, err := e.metrics(q.Metrics, options)
	if err != nil {
		return nil, err
	}
	var answer []traceqltest.Series
	for _, s := range list {
		line := traceqltest.Series{Labels: s.labels}
		if len(s.labels) == 0 {
			line.Labels = []schema.Attribute{{Key: "__name__", Value: text(s.name)}}
		}
		for i, w := range windows(options) {
			if s.points[i].there {
				line.Samples = append(line.Samples, traceqltest.Sample{Nanos: w.at, Value: s.points[i].value})
			}
		}
		if len(line.Samples) > 0 {
			answer = append(answer, line)
		}
	}
	return answer, nil
}

func text(s string) schema.Value { return schema.Value{Kind: schema.KindString, Str: s} }

func (e *Engine) metrics(m traceql.MetricsExpr, o traceqltest.MetricsOptions) (list []series, err error) {
	switch m := m.(type) {
	case *traceql.MetricsQuery:
		if list, err = e.function(m, o); err != nil {
			return nil, err
		}
		return secondStages(m.Stages, list), nil
	case *traceql.MetricsBinary:
		if list, err = e.binary(m, o); err != nil {
			return nil, err
		}
		return secondStages(m.Stages, list), nil
	default:
		return nil, fmt.Errorf("%w: %s", traceql.ErrUnsupported, m)
	}
}

// group is the spans that a series tells about.
type group struct {
	labels []schema.Attribute
	spans  []scene
}

// function makes series of the spans that the pipeline finds.
func (e *Engine) function(m *traceql.MetricsQuery, o traceqltest.MetricsOptions) (list []series, err error) {
	spans, err := e.found(m.Pipeline, o)
	if err != nil {
		return nil, err
	}
	if m.Function.Op == traceql.MetricsCompare {
		return comparison(m.Function.Compare, spans, o), nil
	}
	for _, g := range grouped(m.Function.By, spans) {
		lines := lines(m.Function, g, o)
		for i := range lines {
			lines[i].name = m.Function.Op.String()
			lines[i].labels = append(slices.Clone(g.labels), lines[i].labels...)
		}
		list = append(list, lines...)
	}
	return list, nil
}

// found are the spans that a pipeline finds and that start in a window.
func (e *Engine) found(p traceql.Pipeline, o traceqltest.MetricsOptions) (spans []scene, err error) {
	all := windows(o)
	for _, t := range e.traces {
		sets, err := t.pipeline(p)
		if err != nil {
			return nil, err
		}
		for _, set := range sets {
			for _, i := range set.spans {
				start := t.spans[i].StartNanos
				if start >= all[0].first && start <= all[len(all)-1].last {
					spans = append(spans, scene{trace: t, index: i})
				}
			}
		}
	}
	return spans, nil
}

// grouped puts spans with the same values of the fields together. Without
// fields there is one group, be it empty.
func grouped(by []traceql.FieldExpr, spans []scene) (groups []group) {
	if len(by) == 0 {
		return []group{{spans: spans}}
	}
	for _, s := range spans {
		var labels []schema.Attribute
		for _, field := range by {
			if v, ok := label(s.last(field)); ok {
				labels = append(labels, schema.Attribute{Key: field.String(), Value: v})
			}
		}
		if len(labels) == 0 {
			labels = []schema.Attribute{{Key: by[0].String(), Value: text("nil")}}
		}
		i := slices.IndexFunc(groups, func(g group) bool { return sameLabels(g.labels, labels) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, group{labels: labels})
		}
		groups[i].spans = append(groups[i].spans, s)
	}
	return groups
}

func sameLabels(a, b []schema.Attribute) bool {
	return slices.EqualFunc(a, b, func(x, y schema.Attribute) bool {
		return x.Key == y.Key && traceqltest.ValueText(x.Value) == traceqltest.ValueText(y.Value)
	})
}

// label is a value as series show it: lists are one text. What does not compare
// is no label.
func label(v value) (schema.Value, bool) {
	switch {
	case v.there && v.list:
		return text(listText(v.elements)), true
	case len(v.items) == 0:
		return schema.Value{}, false
	default:
		return shown(v.items[0]), true
	}
}

// listText is a list as JSON, with null for what does not compare.
func listText(elements []schema.Value) string {
	var parts []string
	for _, e := range elements {
		part := "null"
		if e.Kind == schema.KindArray {
			part = listText(e.Array)
		} else if v, ok := static(e); ok {
			part = v.String()
			if v.Type == traceql.TypeString {
				part = jsonText(v.Str)
			}
		}
		parts = append(parts, part)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func jsonText(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(strings.ToValidUTF8(s, "\ufffd")); err != nil {
		return "null"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// compareLabels orders series by their labels, one after the other: by text,
// then by key, type and number.
func compareLabels(a, b []schema.Attribute) int {
	for i := range min(len(a), len(b)) {
		x, y := a[i].Value, b[i].Value
		if c := cmp.Or(
			cmp.Compare(x.Str, y.Str), cmp.Compare(a[i].Key, b[i].Key), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Int, y.Int),
			cmp.Compare(x.Double, y.Double), cmp.Compare(strconv.FormatBool(x.Bool), strconv.FormatBool(y.Bool)),
		); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}
