package mcp

import (
	"context"
	"encoding/hex"
	"fmt"

	"github.com/spanlake/spanlake/internal/conversation"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// SpanInput are the arguments of get-span.
type SpanInput struct {
	TraceID   string `json:"trace_id" jsonschema:"hexadecimal"`
	SpanID    string `json:"span_id" jsonschema:"hexadecimal"`
	Attribute string `json:"attribute,omitempty" jsonschema:"key of one attribute, without its scope: gives its whole value, in parts"`

	Paging
}

const (
	maxContent = 600  // of a value among others
	chunk      = 1000 // of a value that is given whole
)

func details(ctx context.Context, c *call, in SpanInput) error {
	id, err := schema.ParseSpanID(in.SpanID)
	if err != nil {
		return querier.BadRequest("span_id %.80q is not one: want 16 hexadecimal digits, as get-trace gives them", in.SpanID)
	}
	return c.trace(ctx, in.TraceID, func(t *tree) error {
		for i := range t.nodes {
			if t.nodes[i].Span.SpanID != id {
				continue
			}
			if in.Attribute != "" {
				return c.writeValue(t.nodes[i].Observation, in.Attribute)
			}
			fields := fieldsOf(t.nodes[i].Span)
			return c.write(t.spanHead(i), "fields", len(fields), func(i int) any { return fields[i] })
		}
		return fmt.Errorf("%w: trace %s has no span %s; get-trace lists them", querier.ErrNotFound, t.TraceID, id)
	})
}

func (t *tree) spanHead(i int) map[string]any {
	n := &t.nodes[i]
	head := map[string]any{
		"trace_id": t.TraceID.String(), "span": t.line(i), "start": timeText(n.Span.StartNanos),
		"otlp_kind": n.Span.Kind, "status_code": n.Span.StatusCode, "children": len(n.children),
	}
	if n.parent >= 0 {
		head["parent_span_id"] = t.nodes[n.parent].Span.SpanID.String()
	}
	return head
}

// writeValue writes the parts of one value.
func (c *call) writeValue(o *conversation.Observation, key string) error {
	v, ok := o.Value(key)
	if !ok {
		return fmt.Errorf("%w: the span has no attribute %.200q; get-span without attribute lists them", querier.ErrNotFound, key)
	}
	var parts []string
	text := textOf(&v)
	for rest := text; rest != ""; {
		n := keep(rest, chunk)
		parts, rest = append(parts, valid(rest[:n])), rest[n:]
	}
	head := map[string]any{"attribute": cut(key, maxName), "bytes": len(text)}
	return c.write(head, "text", len(parts), func(i int) any { return parts[i] })
}

// fieldsOf are all that a span says, each an element of a list.
func fieldsOf(s *schema.Span) (fields []any) {
	add := func(scope string, list []schema.Attribute) {
		for i := range list {
			fields = append(fields, attributeOf(scope, &list[i]))
		}
	}
	sent := otlp.SpanAttributes(s)
	add("span", sent)
	for key, value := range otlp.Attributes(s.Derived) {
		fields = append(fields, attributeOf("derived", &schema.Attribute{Key: key, Value: value}))
	}
	for e := range otlp.Events(s) {
		fields = append(fields, map[string]any{
			"event": cut(e.Name, maxName), "at_ms": millis(int64(e.TimeNanos - s.StartNanos)), //nolint:gosec // wraps for one before the start
		})
		add("event", e.Attributes)
	}
	for l := range otlp.Links(s) {
		fields = append(fields, map[string]any{
			"link_trace_id": cut(hex.EncodeToString(l.TraceID), maxName), "link_span_id": cut(hex.EncodeToString(l.SpanID), maxName),
		})
		add("link", l.Attributes)
	}
	add("resource", otlp.ResourceAttributes(s.Resource))
	add("instrumentation", otlp.ScopeAttributes(s.Scope))
	return fields
}

func attributeOf(scope string, a *schema.Attribute) any {
	return map[string]any{"scope": scope, "key": cut(a.Key, maxName), "value": plain(&a.Value, maxContent)}
}
