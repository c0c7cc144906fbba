package mcp

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// TraceInput are the arguments of get-trace.
type TraceInput struct {
	TraceID string `json:"trace_id" jsonschema:"hexadecimal"`

	Paging
}

// Lengths of lists in the head of an overview.
const (
	maxPath     = 10
	maxFailed   = 5
	maxServices = 8
	maxModels   = 5
)

func overview(ctx context.Context, c *call, in TraceInput) error {
	return c.trace(ctx, in.TraceID, func(t *tree) error {
		return c.write(t.head(), "spans", len(t.order), func(i int) any { return t.line(t.order[i]) })
	})
}

// trace calls f with a trace, which is gone afterwards.
func (c *call) trace(ctx context.Context, name string, f func(*tree) error) error {
	id, err := schema.ParseTraceID(name)
	if err != nil {
		return querier.BadRequest("trace_id %.80q is not one: want up to 32 hexadecimal digits, as traceql-search gives them", name)
	}
	found := false
	err = c.q.ReadFirst(ctx, c.id, []schema.TraceID{id}, func(spans []schema.Span, all bool) error {
		found = true
		t := conversation.Of(spans)
		if len(t.Observations) == 0 {
			return fmt.Errorf("%w: %w", querier.ErrNotFound, errNothing)
		}
		return f(treeOf(t, all))
	})
	if err == nil && !found {
		return fmt.Errorf("%w: this project has no trace %s; find ids with traceql-search", querier.ErrNotFound, id)
	}
	return err
}

// head is what is said of the whole trace.
func (t *tree) head() map[string]any {
	root := &t.nodes[t.root]
	head := map[string]any{
		"trace_id": t.TraceID.String(), "name": cut(t.Name, maxName), "start": timeText(t.StartNanos),
		"duration_ms": millis(int64(t.EndNanos - t.StartNanos)), //nolint:gosec // a duration
		"errors":      t.Errors, "failed_spans": t.failed(), "services": t.services(),
		"critical_path": map[string]any{
			"of": root.Span.SpanID.String(), "duration_ms": millis(root.duration()), "most_time_in": t.longest(),
			"meaning": "ms is the time in which the root waited for the span itself; the spans' critical_ms add up to the root's duration",
		},
	}
	if !t.all {
		head["note"] = fmt.Sprintf("the trace is too large to be looked at whole: these are its first %d spans", len(t.nodes))
	}
	if used := usageOf(&t.Usage, t.Models); used != nil {
		head["llm"] = used
	}
	return head
}

// failed are the first spans that failed, those that nothing below them explains first.
func (t *tree) failed() []any {
	var leaves, others []int
	for _, i := range t.order {
		n := &t.nodes[i]
		switch {
		case !n.Failed():
		case slices.ContainsFunc(n.children, func(c int) bool { return t.nodes[c].Failed() }):
			others = append(others, i)
		default:
			leaves = append(leaves, i)
		}
	}
	list := []any{}
	for _, i := range append(leaves, others...) {
		n := &t.nodes[i]
		if len(list) == maxFailed {
			break
		}
		list = append(list, map[string]any{
			"span_id": n.Span.SpanID.String(), "name": cut(n.Span.Name, maxLabel), "service": cut(n.service(), maxLabel), "message": cut(n.Span.StatusMessage, maxName),
		})
	}
	return list
}

// services are those with the most spans.
func (t *tree) services() map[string]int {
	count := make(map[string]int)
	for i := range t.nodes {
		count[t.nodes[i].service()]++
	}
	all := make([]string, 0, len(count))
	for name := range count {
		all = append(all, name)
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	out := make(map[string]int, maxServices)
	for _, name := range all[:min(len(all), maxServices)] {
		out[cut(name, maxLabel)] += count[name]
	}
	return out
}

// longest are the spans that the root waited for the most.
func (t *tree) longest() []any {
	var on []int
	for _, i := range t.order {
		if t.nodes[i].critical > 0 {
			on = append(on, i)
		}
	}
	slices.SortStableFunc(on, func(a, b int) int { return cmp.Compare(t.nodes[b].critical, t.nodes[a].critical) })
	list := []any{}
	for _, i := range on[:min(len(on), maxPath)] {
		n := &t.nodes[i]
		list = append(list, map[string]any{
			"span_id": n.Span.SpanID.String(), "name": cut(n.Span.Name, maxLabel), "service": cut(n.service(), maxLabel), "ms": millis(n.critical),
		})
	}
	return list
}

// line is a span in the tree.
func (t *tree) line(i int) any {
	n := &t.nodes[i]
	line := map[string]any{
		"depth": n.depth, "span_id": n.Span.SpanID.String(), "name": cut(n.Span.Name, maxName), "service": cut(n.service(), maxLabel),
		"at_ms": millis(int64(n.Span.StartNanos - t.StartNanos)), "ms": millis(n.duration()), "self_ms": millis(n.self), //nolint:gosec // a duration
	}
	if n.critical > 0 {
		line["critical_ms"] = millis(n.critical)
	}
	if n.Failed() {
		line["error"] = cmp.Or(cut(n.Span.StatusMessage, maxName), "failed")
	}
	if n.parent < 0 && !n.Span.ParentSpanID.IsZero() {
		line["missing_parent"] = n.Span.ParentSpanID.String()
	}
	if n.async {
		line["async"] = true
	}
	if n.Kind != "" {
		line["kind"] = cut(n.Kind, maxLabel)
	}
	var models []string
	if n.Model != "" {
		models = []string{n.Model}
	}
	if used := usageOf(&n.Usage, models); used != nil {
		line["llm"] = used
	}
	return line
}

// usageOf is what models used, nil if nobody knows.
func usageOf(u *conversation.Usage, models []string) map[string]any {
	if !u.HasTokens && !u.HasCost && len(models) == 0 {
		return nil
	}
	out := make(map[string]any)
	if u.HasTokens {
		out["input_tokens"], out["output_tokens"] = u.Input, u.Output
	}
	if u.HasCost && u.Cost-u.Cost == 0 { // JSON knows no infinity
		out["cost_usd"] = u.Cost
	}
	for _, m := range models[:min(len(models), maxModels)] {
		list, _ := out["models"].([]string)
		out["models"] = append(list, cut(m, maxLabel))
	}
	return out
}
