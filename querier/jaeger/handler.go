// Package jaeger answers what Jaeger's UI and Grafana's data source for Jaeger ask by
// Jaeger's query API, from traces of any SDK.
package jaeger

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// Prefix is what the API's paths begin with: that of Jaeger's query service is
// configured as the address in its clients, which add api/ and the rest.
const Prefix = "/jaeger/"

// Handler serves Jaeger's paths for reading.
type Handler struct{ q *querier.Querier }

// NewHandler returns a handler that asks q.
func NewHandler(q *querier.Querier) *Handler { return &Handler{q} }

// serveFunc answers a request of a project.
type serveFunc func(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error)

// Routes are the paths.
func (h *Handler) Routes() (routes []querier.Route) {
	for _, r := range [...]struct {
		path, name string
		serve      serveFunc
	}{
		{"services", "jaeger_services", h.services},
		{"services/{service}/operations", "jaeger_operations", h.operationNames},
		{"operations", "jaeger_operations", h.operations},
		{"traces", "jaeger_traces", h.traces},
		{"traces/{id}", "jaeger_trace", h.trace},
		{"dependencies", "jaeger_dependencies", h.dependencies},
	} {
		routes = append(routes, querier.Route{
			Pattern: "GET " + Prefix + "api/" + r.path, Scope: project.ScopeQuery, Refuse: Refuse,
			Handler: h.q.ServeJSON(r.name, r.serve, func(status int, message string) any { return failureOf(status, message) }),
		})
	}
	return routes
}

// asked are the parameters of a query within a range of time, in Unix nanoseconds.
func asked(filter string, from, to uint64) url.Values {
	// Fewer digits would be seconds.
	return url.Values{"q": {filter}, "start": {fmt.Sprintf("%019d", from)}, "end": {fmt.Sprintf("%019d", to)}}
}

// newest are the ids of the newest traces with a span that a filter finds, the newest
// first.
func (h *Handler) newest(ctx context.Context, id schema.ProjectID, filter string, from, to uint64, limit int) ([]schema.TraceID, error) {
	values := asked(filter, from, to)
	values.Set("limit", strconv.Itoa(limit))
	values.Set("spss", "1")
	found, err := h.q.Search(ctx, id, values)
	if err != nil {
		return nil, err
	}
	ids := make([]schema.TraceID, len(found.Traces))
	for i := range found.Traces {
		ids[i] = found.Traces[i].TraceID
	}
	return ids, nil
}

// reply is what all paths answer with. Jaeger counts lists of names in total, and
// nothing else.
type reply struct {
	Data   any       `json:"data"`
	Total  int       `json:"total"`
	Limit  int       `json:"limit"`
	Offset int       `json:"offset"`
	Errors []problem `json:"errors"`
}

// problem is one of the errors in an answer: of the whole with a status, or about one
// trace of several.
type problem struct {
	Code    int    `json:"code,omitempty"`
	Message string `json:"msg"`
	TraceID string `json:"traceID,omitempty"`
}

func failureOf(status int, message string) *reply {
	return &reply{Errors: []problem{{Code: status, Message: message}}}
}

// listOf is the answer with a list, which is empty rather than null.
func listOf[T any](list []T) *reply {
	if list == nil {
		list = []T{}
	}
	return &reply{Data: list, Total: len(list)}
}

// Refuse answers who may not do what was asked for.
func Refuse(w http.ResponseWriter, status int, message string) {
	body, _ := json.Marshal(failureOf(status, message)) // texts and numbers
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
