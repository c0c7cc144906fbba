package mcp

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/docs"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// Lengths to which texts are cut.
const (
	maxName  = 160
	maxLabel = 80
	maxAttrs = 6 // of a span in a list
)

// SearchInput are the arguments of traceql-search.
type SearchInput struct {
	Query string `json:"query" jsonschema:"TraceQL, such as { resource.service.name = \"checkout\" && duration > 1s }; with(order_by=\"duration desc\") puts the slowest first"`
	Limit int    `json:"limit,omitempty" jsonschema:"the most traces, 1 to 1000, default 20"`

	Times
	Paging
}

const maxTraces = 1000

func search(ctx context.Context, c *call, in SearchInput) error {
	if in.Limit < 0 || in.Limit > maxTraces {
		return querier.BadRequest("limit is %d: want 1 to %d", in.Limit, maxTraces)
	}
	if err := checkQuery(in.Query); err != nil {
		return err
	}
	params, err := in.span(c.page, time.Now())
	if err != nil {
		return err
	}
	params.Set("q", in.Query)
	if in.Limit > 0 {
		params.Set("limit", strconv.Itoa(in.Limit))
	}
	found, err := c.q.Search(ctx, c.id, params)
	if err != nil {
		return err
	}
	return c.write(map[string]any{}, "traces", len(found.Traces), func(i int) any { return traceOf(&found.Traces[i]) })
}

// checkQuery refuses what is no query, and says where to learn.
func checkQuery(text string) error {
	if strings.TrimSpace(text) == "" {
		return querier.BadRequest("query is empty: { } finds everything; docs-traceql has the language")
	}
	if _, err := traceql.Parse(text); err != nil {
		return querier.BadRequest("invalid TraceQL query: %s. Call docs-traceql for the language, get-attribute-names for the names", err)
	}
	return nil
}

func traceOf(t *engine.TraceResult) any {
	errs, spans := 0, 0
	services := make([]string, 0, len(t.ServiceStats))
	for _, s := range t.ServiceStats {
		errs, spans = errs+int(s.ErrorCount), spans+int(s.SpanCount)
		if len(services) < maxAttrs {
			services = append(services, cut(s.Service, maxLabel))
		}
	}
	one := map[string]any{
		"trace_id": t.TraceID.String(), "root": cut(t.RootTraceName, maxName), "root_service": cut(t.RootServiceName, maxLabel),
		"start": timeText(t.StartNanos), "duration_ms": t.DurationMs, "spans": spans, "errors": errs, "services": services,
	}
	matched := uint32(0)
	var list []any
	for i := range t.SpanSets {
		set := &t.SpanSets[i]
		matched += set.Matched
		for j := range set.Spans {
			if len(list) < maxShown {
				s := &set.Spans[j]
				list = append(list, map[string]any{"span_id": s.SpanID.String(), "duration_ms": millis(int64(s.DurationNanos)), "attributes": shortened(s.Attributes)}) //nolint:gosec // a duration
			}
		}
	}
	one["matched_spans"] = matched
	if len(list) > 0 {
		one["some_spans"] = list
	}
	if len(t.SpanSets) > 0 && len(t.SpanSets[0].Attributes) > 0 {
		one["group"] = shortened(t.SpanSets[0].Attributes)
	}
	return one
}

// maxShown is how many spans of a trace a list has.
const maxShown = 3

// shortened are the first of some attributes.
func shortened(list []schema.Attribute) map[string]any {
	out := make(map[string]any, len(list))
	for i := range list {
		if i == maxAttrs {
			out["more"] = len(list) - maxAttrs
			break
		}
		out[cut(list[i].Key, maxLabel)] = plain(&list[i].Value, maxLabel)
	}
	return out
}

// NamesInput are the arguments of get-attribute-names.
type NamesInput struct {
	Scope string `json:"scope,omitempty" jsonschema:"resource, span, event, link, instrumentation or intrinsic; default all"`
	Query string `json:"query,omitempty" jsonschema:"TraceQL filter: only names of spans that it finds"`

	Times
	Paging
}

func names(ctx context.Context, c *call, in NamesInput) error {
	params, err := filtered(c.page, in.Times, in.Query)
	if err != nil {
		return err
	}
	params.Set("scope", in.Scope)
	found, err := c.q.Names(ctx, c.id, params)
	if err != nil {
		return err
	}
	var list []any
	for _, scope := range found.List {
		for _, name := range scope.Tags {
			list = append(list, cut(fieldOf(scope.Name, name), maxLongName))
		}
	}
	return c.write(map[string]any{}, "names", len(list), func(i int) any { return list[i] })
}

// maxLongName is the longest name of an attribute that a list has whole.
const maxLongName = 1000

// fieldOf is an attribute as TraceQL names it.
func fieldOf(scope, name string) string {
	if scope == "intrinsic" {
		return name
	}
	return scope + "." + name
}

// filtered are the parameters of a list of names or values.
func filtered(p *page, times Times, query string) (url.Values, error) {
	params, err := times.span(p, time.Now())
	if err != nil || query == "" {
		return params, err
	}
	if err := checkQuery(query); err != nil {
		return nil, err
	}
	params.Set("q", query)
	return params, nil
}

// ValuesInput are the arguments of get-attribute-values.
type ValuesInput struct {
	Name  string `json:"name" jsonschema:"as TraceQL names it, such as resource.service.name, span.http.route or status"`
	Query string `json:"query,omitempty" jsonschema:"TraceQL filter: only values of spans that it finds"`

	Times
	Paging
}

func values(ctx context.Context, c *call, in ValuesInput) error {
	params, err := filtered(c.page, in.Times, in.Query)
	if err != nil {
		return err
	}
	found, err := c.q.Values(ctx, c.id, in.Name, params)
	if err != nil {
		return err
	}
	return c.write(map[string]any{}, "values", len(found.List), func(i int) any {
		v := &found.List[i]
		return map[string]string{"type": v.Type, "value": cut(v.Value, maxLongName)}
	})
}

// DocsInput are the arguments of docs-traceql.
type DocsInput struct{ Paging }

func traceqlDocs(_ context.Context, c *call, _ DocsInput) error {
	lines := strings.SplitAfter(docs.TraceQL, "\n")
	return c.write(map[string]any{}, "lines", len(lines), func(i int) any { return strings.TrimSuffix(lines[i], "\n") })
}
