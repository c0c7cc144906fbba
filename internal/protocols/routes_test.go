package protocols

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/querier"
)

// gateway are routes of an HTTP API, each with the function that it leads to.
type gateway map[string]string

// lead is where a request goes, as API Gateway decides: to a full match, else to the
// longest greedy one, else to $default.
func (g gateway) lead(method, path string) string {
	function, longest := g["$default"], -1
	for route, f := range g {
		m, pattern, ok := strings.Cut(route, " ")
		if !ok || m != method && m != "ANY" {
			continue
		}
		begin, greedy := strings.CutSuffix(pattern, "{path+}")
		switch {
		case greedy && len(path) > len(begin) && strings.HasPrefix(path, begin) && len(begin) > longest:
			function, longest = f, len(begin)
		case !greedy && regexp.MustCompile("^"+regexp.MustCompile(`\{\w+\}`).ReplaceAllString(pattern, "[^/]+")+"$").MatchString(path):
			return f
		}
	}
	return function
}

func renderedGateway(t *testing.T) gateway {
	t.Helper()
	text, err := os.ReadFile("../../terraform/modules/plan/tests/rendered.json")
	require.NoError(t, err)
	var plan struct{ Routes map[string][]string }
	require.NoError(t, json.Unmarshal(text, &plan))
	g := make(gateway)
	for function, routes := range plan.Routes {
		for _, route := range routes {
			g[route] = function
		}
	}
	return g
}

// example is a request of a pattern. Those for all methods are asked with one.
func example(pattern, method string) (string, string) {
	if m, path, ok := strings.Cut(pattern, " "); ok {
		method, pattern = m, path
	}
	return method, regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(pattern, "x")
}

// TestRoutesOfFunctions: Terraform leads every path to a function that serves it, where
// both have one address.
func TestRoutesOfFunctions(t *testing.T) {
	g := renderedGateway(t)
	receiving := Receiving{Receiver: new(ingester.Receiver)}
	q := new(querier.Querier)
	reads := make(map[string]bool)
	for _, route := range Reads(q) {
		reads[route.Pattern] = true
	}
	for _, route := range receiving.routes() {
		if strings.HasPrefix(PrefixLangfuse, strings.TrimSuffix(route.Pattern, "/")) {
			continue // what Langfuse has and spanlake has not: either says so
		}
		want := "ingest"
		if route.Pattern == "GET /api/sessions" {
			want = "query" // where spanlake's own are
		}
		method, path := example(route.Pattern, http.MethodPost)
		require.Equal(t, want, g.lead(method, path), route.Pattern)
		require.False(t, reads[route.Pattern], route.Pattern)
	}
	for _, base := range ingester.Bases() {
		require.Equal(t, "ingest", g.lead(http.MethodPost, base+"/v1/traces"), base)
		if base != "" {
			require.Equal(t, "ingest", g.lead(http.MethodPost, base), "LangSmith sends traces to the base itself")
		}
	}
	for pattern := range reads {
		method, path := example(pattern, http.MethodGet)
		require.Equal(t, "query", g.lead(method, path), pattern)
	}
	for _, pattern := range q.Paths() {
		method, path := example(pattern, http.MethodGet)
		require.Equal(t, "query", g.lead(method, path), pattern)
	}
	require.Equal(t, "query", g.lead(http.MethodGet, "/nothing"))
}
