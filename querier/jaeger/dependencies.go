package jaeger

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// maxDependencyTraces is how many traces dependencies are counted in, the newest of the
// range: each is read as a whole.
const maxDependencyTraces = 1000

// dependency is that one service calls another one.
type dependency struct {
	Parent    string `json:"parent"`
	Child     string `json:"child"`
	CallCount int    `json:"callCount"`
}

// link is what dependencies are counted by.
type link struct{ parent, child string }

// dependencies answers with the calls between services.
func (h *Handler) dependencies(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error) {
	values, now := req.URL.Query(), time.Now()
	end, err := timeOf(values, "endTs", time.Millisecond)
	if err != nil {
		return nil, err
	}
	lookback := dependencyLookback
	if text := values.Get("lookback"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if lookback = time.Duration(n) * time.Millisecond; err != nil || n < 1 || lookback/time.Millisecond != time.Duration(n) {
			return nil, querier.BadRequest("invalid lookback %.100q: want a number of milliseconds", text)
		}
	}
	from, to, err := h.last(end, lookback, values.Get("lookback") == "", now)
	if err != nil {
		return nil, err
	}
	service, filter := values.Get("service"), "{ true }"
	if service != "" {
		filter = all(ofService(service))
	}
	found, err := h.newest(ctx, id, filter, from, to, maxDependencyTraces)
	if err != nil {
		return nil, err
	}
	counts := make(map[link]int)
	err = h.q.ReadTraces(ctx, id, found, func(spans []schema.Span) error {
		count(counts, spans)
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]dependency, 0, len(counts))
	for l, n := range counts {
		if service == "" || service == l.parent || service == l.child {
			list = append(list, dependency{l.parent, l.child, n})
		}
	}
	slices.SortFunc(list, func(a, b dependency) int {
		return cmp.Or(cmp.Compare(a.Parent, b.Parent), cmp.Compare(a.Child, b.Child))
	})
	return &reply{Data: list}, nil
}

// Kinds of OTLP.
const (
	kindServer = 2
	kindClient = 3
)

// count counts the spans of a trace whose parent is of another service. A server may
// share the id of its client, as Zipkin's do: then that is its parent, and what names
// this id as its parent was begun by the server.
func count(counts map[link]int, spans []schema.Span) {
	type key struct {
		id     schema.SpanID
		client bool
	}
	services := make(map[key]string, len(spans))
	for i := range spans {
		services[key{spans[i].SpanID, spans[i].Kind == kindClient}] = spans[i].Resource.ServiceName
	}
	for i := range spans {
		s := &spans[i]
		parent, ok := "", false
		if s.Kind == kindServer {
			parent, ok = services[key{s.SpanID, true}]
		}
		for _, client := range []bool{false, true} {
			if !ok && !s.ParentSpanID.IsZero() {
				parent, ok = services[key{s.ParentSpanID, client}]
			}
		}
		if child := s.Resource.ServiceName; parent != "" && child != "" && parent != child {
			counts[link{parent, child}]++
		}
	}
}
