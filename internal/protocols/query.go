package protocols

import (
	"net/http"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/failure"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/jaeger"
	"github.com/spanlake/spanlake/querier/langfuse"
	"github.com/spanlake/spanlake/querier/langsmith"
	"github.com/spanlake/spanlake/querier/mcp"
)

// PrefixLangfuse is where all paths of Langfuse are.
const PrefixLangfuse = "/api/public/"

// Reads are the paths by which clients of other protocols than OTLP read traces.
func Reads(q *querier.Querier) []querier.Route {
	return slices.Concat(langfuse.NewHandler(q).Routes(), langsmith.NewHandler(q).Routes())
}

// GuardedReads are these paths by pattern, each behind the guard, for the port of OTLP:
// clients know one address.
func GuardedReads(guard Guard, q *querier.Querier) map[string]http.Handler {
	all := make(map[string]http.Handler)
	for _, route := range Reads(q) {
		all[route.Pattern] = guard.ProtectWith(route.Scope, route.Refuse, route.Handler)
	}
	return all
}

// Queries serves the port of queries: Tempo's API, Jaeger's, what clients of other
// protocols read, and tools for language models. All of it takes the scope of queries,
// for which ProtectQueries is in front.
func Queries(q *querier.Querier) http.Handler {
	mux := http.NewServeMux()
	for _, route := range slices.Concat(Reads(q), jaeger.NewHandler(q).Routes(), mcp.NewHandler(q).Routes()) {
		mux.Handle(route.Pattern, route.Handler)
	}
	return queries(mux, q.Handler())
}

// queries chooses between the paths of other protocols and Tempo's API, which takes all
// methods and has no redirects.
func queries(mux *http.ServeMux, tempo http.Handler) http.Handler {
	other := muxOr(mux, tempo)
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if path := req.URL.Path; strings.HasPrefix(path, PrefixLangfuse) || strings.HasPrefix(path, jaeger.Prefix) {
			mux.ServeHTTP(w, req) // Tempo has nothing there
			return
		}
		other.ServeHTTP(w, req)
	})
}

// ProtectQueries lets requests for next, Queries or what waits for it, through that may
// be made, and tells the others in the way of their path's protocol.
func ProtectQueries(guard Guard, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		guard.ProtectWith(project.ScopeQuery, refusalOf(req.URL.Path), next).ServeHTTP(w, req)
	})
}

// refusalOf is how clients of a path are told that they may not, nil: in words.
func refusalOf(path string) func(w http.ResponseWriter, status int, message string) {
	switch {
	case strings.HasPrefix(path, PrefixLangfuse):
		return failure.TellLangfuse
	case strings.HasPrefix(path, jaeger.Prefix):
		return jaeger.Refuse
	case IsRun(path):
		return failure.TellMessage
	}
	return nil
}

// IsRun reports whether a path is one of LangSmith's for reading.
func IsRun(path string) bool {
	for _, prefix := range langsmith.Prefixes() {
		if strings.HasPrefix(path, prefix+"/runs/") {
			return true
		}
	}
	return false
}
