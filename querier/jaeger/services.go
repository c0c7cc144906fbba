package jaeger

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// kind is a kind of spans as TraceQL and Jaeger name it.
type kind struct{ named, shown string }

func kinds() []kind {
	return []kind{
		{"unspecified", ""}, {"client", "client"}, {"consumer", "consumer"}, {"internal", "internal"}, {"producer", "producer"}, {"server", "server"},
	}
}

// kindNames are those that can be asked for.
func kindNames() string {
	var names []string
	for _, k := range kinds() {
		if k.shown != "" {
			names = append(names, k.shown)
		}
	}
	return strings.Join(names, ", ")
}

// services answers with the names of services.
func (h *Handler) services(ctx context.Context, id schema.ProjectID, _ *http.Request) (any, error) {
	field := (&traceql.Attribute{Scope: traceql.ScopeResource, Name: "service.name"}).String()
	names, err := h.names(ctx, id, field, "{ true }")
	if err != nil {
		return nil, err
	}
	return listOf(names), nil
}

// operationNames answers with the names of a service's spans.
func (h *Handler) operationNames(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	names, err := h.names(ctx, id, traceql.IntrinsicName.String(), all(ofService(req.PathValue("service"))))
	if err != nil {
		return nil, err
	}
	return listOf(names), nil
}

// operation is a name of spans, of one kind.
type operation struct {
	Name     string `json:"name"`
	SpanKind string `json:"spanKind"`
}

// operations answers with the names of a service's spans and their kinds.
func (h *Handler) operations(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values := req.URL.Query()
	service, wanted := values.Get("service"), values.Get("spanKind")
	if service == "" {
		return nil, querier.BadRequest("parameter 'service' is required: name one of /api/services")
	}
	among := kinds()
	if wanted != "" {
		among = slices.DeleteFunc(among, func(k kind) bool { return k.shown != wanted })
		if len(among) == 0 {
			return nil, querier.BadRequest("invalid spanKind %.100q: want %s", wanted, kindNames())
		}
	}
	var list []operation
	for _, k := range among {
		names, err := h.names(ctx, id, traceql.IntrinsicName.String(), all(ofService(service), traceql.IntrinsicKind.String()+" = "+k.named))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			list = append(list, operation{name, k.shown})
		}
	}
	return listOf(list), nil
}

// names are the values of a field in the last days.
func (h *Handler) names(ctx context.Context, id schema.ProjectID, field, filter string) ([]string, error) {
	from, to, err := h.last(0, defaultLookback, true, time.Now())
	if err != nil {
		return nil, err
	}
	found, err := h.q.Values(ctx, id, field, asked(filter, from, to))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, v := range found.List {
		if v.Type == "string" && v.Value != "" {
			names = append(names, v.Value)
		}
	}
	slices.Sort(names)
	return names, nil
}
