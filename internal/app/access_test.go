package app_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/ingester/langfuse"
	"github.com/spanlake/spanlake/ingester/langsmith"
	"github.com/spanlake/spanlake/ingester/phoenix"
	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/protocols"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/querier/jaeger"
	"github.com/spanlake/spanlake/querier/mcp"
	"github.com/spanlake/spanlake/querier/tempopb"
	"github.com/spanlake/spanlake/schema"
)

// guarded is a process with two projects, and the keys that its tests use.
type guarded struct {
	*process

	dir      string
	registry *project.Registry
	secrets  map[string]string // "project scope", "all scope", and "revoked"
	public   map[string]string
}

// startGuarded runs a process in a mode.
func startGuarded(t *testing.T, mode string) *guarded {
	t.Helper()
	dir := t.TempDir()
	bucket, err := fs.Open(filepath.Join(dir, "bucket"))
	require.NoError(t, err)
	g := &guarded{dir: dir, registry: project.NewRegistry(bucket), secrets: map[string]string{"none": ""}, public: map[string]string{}}
	for _, id := range []schema.ProjectID{"a", "b", project.All} {
		name := string(id)
		if id == project.All {
			name = "all"
		} else {
			require.NoError(t, g.registry.Create(t.Context(), id, project.Settings{Aliases: []string{"Team " + name}}))
		}
		for _, scope := range project.Scopes() {
			if scope == project.ScopeMetrics && id != project.All {
				continue
			}
			g.addKey(t, id, name+" "+string(scope), scope)
		}
	}
	g.addKey(t, "a", "revoked", project.ScopeIngest, project.ScopeQuery, project.ScopeAdmin)
	require.NoError(t, g.registry.RevokeKey(t.Context(), "a", g.public["revoked"]))
	g.process = start(t, "-data-dir", dir, "-auth.mode="+mode, "-projects.refresh-interval=10ms")
	g.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return g
}

func (g *guarded) addKey(t *testing.T, id schema.ProjectID, name string, scopes ...project.Scope) {
	t.Helper()
	k, secret, err := g.registry.AddKey(t.Context(), id, name, scopes)
	require.NoError(t, err)
	g.secrets[name], g.public[name] = secret, k.Public()
}

// headers are those of a key and of projects, "" for none.
func (g *guarded) headers(key, projects string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	if secret := g.secrets[key]; secret != "" {
		h.Set("Authorization", "Bearer "+secret)
	}
	if projects != "" {
		h.Set("X-Scope-OrgID", projects)
	}
	return h
}

var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace, "MADE-UP",
}

// TestEveryRoute walks all routes and methods of all ports with every kind of
// key: none is reachable without the right scope, and with it all are.
func TestEveryRoute(t *testing.T) {
	g := startGuarded(t, "keys")
	api, otlp := "http://"+g.APIAddr().String(), "http://"+g.OTLPHTTPAddr().String()
	type port struct {
		url   string
		paths []string
		scope project.Scope
	}
	ports := []port{
		{api, slices.Concat(new(querier.Querier).Paths(), []string{mcp.Path, mcp.Path + "/", "/api/", "/api/x", "/api/projectsx", "/api/../ready", "/api/v2/../projects"}), project.ScopeQuery},
		{otlp, slices.Concat([]string{"/v1/traces", "/v1/logs", "/v1/metrics", "/", "/ready", "/metrics", "/x"}, protocolPaths(t), []string{"/api/../runs", "/runs/"}), project.ScopeIngest},
		{otlp, langfusePaths(t), project.ScopeIngest},
		{api, jaegerPaths(t), project.ScopeQuery},
		{api, adminPaths(), project.ScopeAdmin},
		{api, []string{"/metrics"}, project.ScopeMetrics},
	}
	replace := strings.NewReplacer("{id}", traceA, "{id...}", traceA, "{name}", "x", "{service}", "x")
	walked := 0
	for _, p := range ports {
		for _, path := range p.paths {
			for _, method := range methods {
				url := p.url + replace.Replace(path)
				if p.url == otlp && ofReads(t, method, url) {
					continue // takes another scope: see TestEveryRead
				}
				for key := range g.secrets {
					right := strings.HasSuffix(key, " "+string(p.scope))
					if right && method == http.MethodDelete && p.scope == project.ScopeAdmin {
						continue // would delete what the others need
					}
					code := g.do(t, method, url, g.headers(key, projectOf(key)), nil).code
					walked++
					what := fmt.Sprintf("%s %s with %s", method, path, key)
					switch {
					case right && strings.HasPrefix(key, "b ") && p.scope == project.ScopeAdmin:
						// Of a, or of all: neither is b's. What does not exist is nobody's.
						require.Contains(t, []int{http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotFound, http.StatusTemporaryRedirect}, code, what)
					case right && strings.HasPrefix(key, "a ") && p.scope == project.ScopeAdmin:
						require.NotEqual(t, http.StatusUnauthorized, code, what)
					case right:
						require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, code, what)
					case key == "none" || key == "revoked":
						require.Equal(t, http.StatusUnauthorized, code, what)
					default:
						require.Equal(t, http.StatusForbidden, code, what)
					}
				}
				if p.scope == project.ScopeQuery || p.scope == project.ScopeIngest {
					code := g.do(t, method, url, g.headers("a "+string(p.scope), "b"), nil).code
					require.Equal(t, http.StatusForbidden, code, "%s %s of b with a key of a", method, path)
				}
			}
		}
	}
	require.Greater(t, walked, 2000)
	for _, path := range []string{"/", "/x", "/api", "/debug", "/flush/"} {
		require.Equal(t, http.StatusNotFound, g.do(t, http.MethodGet, api+path, nil, nil).code, path)
	}
	require.Equal(t, http.StatusOK, g.do(t, http.MethodGet, api+"/ready", nil, nil).code, "open")
}

// protocolPaths are those of other protocols than OTLP that take a key.
func protocolPaths(t *testing.T) (paths []string) {
	t.Helper()
	open := 0
	for _, r := range slices.Concat(langsmith.NewHandler(new(ingester.Receiver), nil, nil).Routes(), phoenix.NewHandler(new(ingester.Receiver), nil).Routes()) {
		_, path, _ := strings.Cut(r.Pattern, " ")
		if r.Scope == "" {
			open++ // TestOpenPaths
			continue
		}
		if r.Scope == project.ScopeQuery {
			require.True(t, strings.HasSuffix(r.Pattern, "/sessions"), r.Pattern) // TestReadingPaths
			continue
		}
		require.Equal(t, project.ScopeIngest, r.Scope, r.Pattern)
		paths = append(paths, path)
	}
	require.Equal(t, len(openPaths), open)
	return paths
}

// TestReadingPaths: what is read on the port of OTLP takes a key for queries.
func TestReadingPaths(t *testing.T) {
	g := startGuarded(t, "keys")
	for _, prefix := range []string{"", "/api", "/api/v1"} {
		for key := range g.secrets {
			want := http.StatusForbidden
			switch {
			case key == "none" || key == "revoked":
				want = http.StatusUnauthorized
			case strings.HasSuffix(key, " query"):
				want = http.StatusOK
			}
			url := "http://" + g.OTLPHTTPAddr().String() + prefix + "/sessions?name=x"
			require.Equal(t, want, g.do(t, http.MethodGet, url, g.headers(key, projectOf(key)), nil).code, "%s with %s", prefix, key)
			require.Contains(t, []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound}, g.do(t, http.MethodPost, url, g.headers(key, projectOf(key)), nil).code)
		}
	}
}

// reading is what clients of other protocols read and delete on the port of OTLP, by
// the scope that it takes.
func reading() (patterns map[string]project.Scope) {
	patterns = make(map[string]project.Scope)
	for _, r := range protocols.Reads(new(querier.Querier)) {
		patterns[r.Pattern] = r.Scope
	}
	for _, path := range app.DeletePaths() {
		patterns["DELETE "+path] = project.ScopeAdmin
	}
	return patterns
}

// ofReads reports whether a request is one of these.
func ofReads(t *testing.T, method, url string) bool {
	t.Helper()
	mux := http.NewServeMux()
	for pattern := range reading() {
		mux.Handle(pattern, http.NotFoundHandler())
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	_, pattern := mux.Handler(req)
	return pattern != ""
}

// TestEveryRead walks what is read and deleted on the port of OTLP with every kind of
// key: that of another scope, or of another project, does not do.
func TestEveryRead(t *testing.T) {
	g := startGuarded(t, "keys")
	replace := strings.NewReplacer("{id}", traceA, "{id...}", traceA)
	walked := 0
	for pattern, scope := range reading() {
		method, path, _ := strings.Cut(pattern, " ")
		url := "http://" + g.OTLPHTTPAddr().String() + replace.Replace(path)
		for key := range g.secrets {
			got := g.do(t, method, url, g.headers(key, projectOf(key)), nil)
			walked++
			what := fmt.Sprintf("%s with %s: %s", pattern, key, got.body)
			require.True(t, json.Valid(got.body), what)
			switch {
			case strings.HasSuffix(key, " "+string(scope)):
				require.Contains(t, []int{http.StatusOK, http.StatusNotFound, http.StatusBadRequest}, got.code, what)
			case key == "none" || key == "revoked":
				require.Equal(t, http.StatusUnauthorized, got.code, what)
			default:
				require.Equal(t, http.StatusForbidden, got.code, what)
			}
		}
		require.Equal(t, http.StatusForbidden, g.do(t, method, url, g.headers("a "+string(scope), "b"), nil).code, "%s of b with a key of a", pattern)
	}
	require.Greater(t, walked, 150)
}

// openPaths tell everybody the same.
var openPaths = []string{"/info", "/api/info", "/api/v1/info", "/arize_phoenix_version"}

func TestOpenPaths(t *testing.T) {
	g := startGuarded(t, "keys")
	for _, path := range openPaths {
		for _, method := range methods {
			want := http.StatusUnauthorized
			if method == http.MethodGet || method == http.MethodHead {
				want = http.StatusOK
			}
			require.Equal(t, want, g.do(t, method, "http://"+g.OTLPHTTPAddr().String()+path, nil, nil).code, "%s %s", method, path)
		}
	}
}

// langfusePaths are those that need a key of the scope to ingest, and some beside them.
// Of the others one needs another, and some none.
func langfusePaths(t *testing.T) []string {
	t.Helper()
	paths := []string{"/api/public", "/api/public/x", "/api/public/../ingestion", "/api/public//ingestion", "/api/public/health/x"}
	var others []string
	for _, r := range langfuse.NewHandler(nil, nil, nil, "").Routes() {
		method, path, ok := strings.Cut(r.Pattern, " ")
		if !ok {
			method, path = "", r.Pattern
		}
		if r.Scope != project.ScopeIngest {
			others = append(others, strings.TrimSpace(string(r.Scope)+" "+method+" "+path))
			continue
		}
		paths = append(paths, path)
	}
	require.Equal(t, []string{
		"query GET /api/public/media/{id}", "PUT /api/public/media-content/{project}/{hash}", "GET /api/public/media-content/{project}/{hash}", "GET /api/public/health",
	}, others)
	// The path of one method needs another scope for another one: see TestLangfuseMediaKeys.
	return slices.DeleteFunc(paths, func(path string) bool { return path == "/api/public/media/{id}" })
}

// jaegerPaths are those of Jaeger's query API, and some beside them.
func jaegerPaths(t *testing.T) []string {
	t.Helper()
	paths := []string{"/jaeger/", "/jaeger/x", "/jaeger/api/metrics/calls", "/jaeger/../ready", "/jaeger/api/../../api/projects"}
	for _, r := range jaeger.NewHandler(new(querier.Querier)).Routes() {
		path, ok := strings.CutPrefix(r.Pattern, "GET ")
		require.True(t, ok, r.Pattern)
		require.Equal(t, project.ScopeQuery, r.Scope, r.Pattern)
		paths = append(paths, path)
	}
	require.Len(t, paths, 11)
	return paths
}

// adminPaths are those of project a, and some beside them.
func adminPaths() []string {
	return []string{
		"/api/projects", "/api/projects/a", "/api/projects/a/keys", "/api/projects/a/keys/x", "/api/projects/", "/api/projects/_all/keys",
		"/api/projects/a/../../search", "/api/projects/a/erasures", "/api/projects/a/erasures/x", "/api/projects/a/erasures/x/left", "/api/projects/a/reprice",
	}
}

// projectOf is what a key that is good for all has to be asked with.
func projectOf(key string) string {
	if strings.HasPrefix(key, "all ") {
		return "a"
	}
	return ""
}

// TestEveryCall is the same for all methods of gRPC of both ports.
func TestEveryCall(t *testing.T) {
	g := startGuarded(t, "keys")
	type server struct {
		conn    *grpc.ClientConn
		scope   project.Scope
		methods []string
	}
	registered := func(register func(*grpc.Server)) (methods []string) {
		s := grpc.NewServer()
		register(s)
		for service, info := range s.GetServiceInfo() {
			for _, m := range info.Methods {
				methods = append(methods, "/"+service+"/"+m.Name)
			}
		}
		return methods
	}
	api := server{dial(t, g.APIAddr()), project.ScopeQuery, registered(func(s *grpc.Server) { tempopb.Register(s, nil) })}
	otlp := server{dial(t, g.OTLPGRPCAddr()), project.ScopeIngest, registered(func(s *grpc.Server) { new(ingester.Receiver).RegisterGRPC(s) })}
	require.Len(t, api.methods, 7)
	require.Len(t, otlp.methods, 3)
	api.methods = append(api.methods, "/"+tempopb.ServiceName+"/Unknown")
	otlp.methods = append(otlp.methods, "/unknown.Service/Call")
	for _, s := range []server{api, otlp} {
		for _, method := range s.methods {
			for key, secret := range g.secrets {
				ctx := metadata.AppendToOutgoingContext(t.Context(), "x-scope-orgid", projectOf(key))
				if secret != "" {
					ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+secret)
				}
				code := callCode(ctx, s.conn, method)
				what := method + " with " + key
				switch {
				case strings.HasSuffix(key, " "+string(s.scope)):
					require.NotContains(t, []codes.Code{codes.Unauthenticated, codes.PermissionDenied}, code, what)
				case key == "none" || key == "revoked":
					require.Equal(t, codes.Unauthenticated, code, what)
				default:
					require.Equal(t, codes.PermissionDenied, code, what)
				}
			}
			ctx := metadata.AppendToOutgoingContext(t.Context(), "x-scope-orgid", "b", "authorization", "Bearer "+g.secrets["a "+string(s.scope)])
			require.Equal(t, codes.PermissionDenied, callCode(ctx, s.conn, method), "%s of b with a key of a", method)
		}
		reply, err := grpc_health_v1.NewHealthClient(s.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		require.NoError(t, err, "open")
		require.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, reply.GetStatus())
	}
}

// callCode makes a call with an empty message and returns how it ends.
func callCode(ctx context.Context, conn *grpc.ClientConn, method string) codes.Code {
	return status.Code(callError(ctx, conn, method))
}

func callError(ctx context.Context, conn *grpc.ClientConn, method string) error {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err == nil {
		err = errors.Join(stream.SendMsg(new(emptypb.Empty)), stream.CloseSend())
	}
	for err == nil || errors.Is(err, io.EOF) {
		if err = stream.RecvMsg(new(emptypb.Empty)); errors.Is(err, io.EOF) {
			return nil
		}
	}
	return err
}

// TestProjectOfKey: a key decides the project, and a header narrows.
func TestProjectOfKey(t *testing.T) {
	g := startGuarded(t, "keys")
	api, otlp := "http://"+g.APIAddr().String(), "http://"+g.OTLPHTTPAddr().String()
	send := func(key, projects, name string) int {
		return g.do(t, http.MethodPost, otlp+"/v1/traces", g.headers(key, projects), recent(traceA, name)).code
	}
	require.Equal(t, http.StatusOK, send("a ingest", "", "of a"))
	require.Equal(t, http.StatusOK, send("b ingest", "b", "of b"))
	find := func(key, projects string) (int, string) {
		got := g.do(t, http.MethodGet, api+"/api/traces/"+traceA, g.headers(key, projects), nil)
		return got.code, string(got.body)
	}
	long := strings.Repeat("x", 64)
	for _, test := range []struct {
		name, key, projects string
		write, read         int
		sees                string
	}{
		{"no header", "a", "", 200, 200, "of a"},
		{"its own", "a", "a", 200, 200, "of a"},
		{"its alias", "a", "Team a", 200, 200, "of a"},
		{"twice its own", "a", "a|a", 400, 200, "of a"},
		{"the other", "a", "b", 403, 403, ""},
		{"the other's alias", "a", "Team b", 403, 403, ""},
		{"both", "a", "a|b", 400, 403, ""},
		{"one that does not exist", "a", "c", 403, 403, ""},
		{"a path", "a", "../b", 400, 400, ""},
		{"a path behind its own", "a", "a/../b", 400, 400, ""},
		{"an encoded path", "a", "a%2f..%2fb", 400, 400, ""},
		{"all", "a", "_all", 400, 400, ""},
		{"everything", "a", "*", 400, 400, ""},
		{"nothing between", "a", "a|", 400, 400, ""},
		{"upper case", "a", "A", 400, 400, ""},
		{"too long", "a", long, 400, 400, ""},
		{"good for all, names none", "all", "", 400, 400, ""},
		{"good for all, names one", "all", "b", 200, 200, "of b"},
		{"good for all, names both", "all", "a|b", 400, 200, "of"},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.write, send(test.key+" ingest", test.projects, "of "+strings.TrimPrefix(test.projects, "Team ")))
			code, body := find(test.key+" query", test.projects)
			require.Equal(t, test.read, code, body)
			if test.read == http.StatusOK {
				require.Contains(t, body, test.sees)
			} else {
				require.NotContains(t, body, "of b")
			}
		})
	}
}

// recent is a span that has just ended.
func recent(traceID, name string) []byte {
	now := time.Now()
	return fmt.Appendf(nil, `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":%q,"spanId":"b7ad6b7169203331","name":%q,`+
		`"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}]}]}]}`, traceID, name, now.Add(-time.Second).UnixNano(), now.UnixNano())
}

// TestWaysToSendAKey, and ways that are none.
func TestWaysToSendAKey(t *testing.T) {
	g := startGuarded(t, "keys")
	public, secret, other := g.public["a query"], g.secrets["a query"], g.secrets["b query"]
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, test := range []struct {
		name   string
		header http.Header
		code   int
	}{
		{"bearer", http.Header{"Authorization": {"Bearer " + secret}}, 200},
		{"bearer in lower case", http.Header{"Authorization": {"bearer " + secret}}, 200},
		{"basic", http.Header{"Authorization": {basic(public, secret)}}, 200},
		{"x-api-key", http.Header{"X-Api-Key": {secret}}, 200},
		{"nothing", http.Header{}, 401},
		{"empty", http.Header{"Authorization": {""}}, 401},
		{"no scheme", http.Header{"Authorization": {secret}}, 401},
		{"other scheme", http.Header{"Authorization": {"Digest " + secret}}, 401},
		{"bearer of the public half", http.Header{"Authorization": {"Bearer " + public}}, 401},
		{"basic without a user", http.Header{"Authorization": {basic("", secret)}}, 401},
		{"basic the other way round", http.Header{"Authorization": {basic(secret, public)}}, 401},
		{"basic of two keys", http.Header{"Authorization": {basic(public, other)}}, 401},
		{"basic that is not base64", http.Header{"Authorization": {"Basic !" + secret}}, 401},
		{"two keys", http.Header{"Authorization": {"Bearer " + secret}, "X-Api-Key": {secret}}, 401},
		{"one header twice", http.Header{"X-Api-Key": {secret, other}}, 401},
		{"a blank behind", http.Header{"Authorization": {"Bearer  " + secret}}, 401},
		{"long", http.Header{"Authorization": {"Bearer " + strings.Repeat(secret, 1000)}}, 401},
		{"too long", http.Header{"Authorization": {"Bearer " + strings.Repeat("x", 200<<10)}}, 431},
		{"the project twice", http.Header{"X-Api-Key": {secret}, "X-Scope-Orgid": {"a", "b"}}, 400},
		{"a long project", http.Header{"X-Api-Key": {secret}, "X-Scope-Orgid": {strings.Repeat("a|", 50_000)}}, 400},
		{"a project that is too long", http.Header{"X-Api-Key": {secret}, "X-Scope-Orgid": {strings.Repeat("a", 200<<10)}}, 431},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := g.do(t, http.MethodGet, "http://"+g.APIAddr().String()+"/api/echo", test.header, nil)
			require.Equal(t, test.code, got.code, string(got.body))
			require.NotContains(t, string(got.body), secret)
			require.Equal(t, test.code == http.StatusUnauthorized, got.header.Get("WWW-Authenticate") != "")
		})
	}
	t.Run("gRPC with headers that are too long", func(t *testing.T) {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+strings.Repeat("x", 200<<10))
		require.NotEqual(t, codes.OK, callCode(ctx, dial(t, g.OTLPGRPCAddr()), "/opentelemetry.proto.collector.trace.v1.TraceService/Export"))
		require.NotEqual(t, codes.OK, callCode(ctx, dial(t, g.APIAddr()), "/"+tempopb.ServiceName+"/Search"))
	})
}

// TestRevokedWithinSeconds: a process sees a change without being told.
func TestRevokedWithinSeconds(t *testing.T) {
	g := startGuarded(t, "keys")
	ask := func() int {
		return g.do(t, http.MethodGet, "http://"+g.APIAddr().String()+"/api/echo", g.headers("a query", ""), nil).code
	}
	require.Equal(t, http.StatusOK, ask())
	require.NoError(t, g.registry.RevokeKey(t.Context(), "a", g.public["a query"]))
	eventually(t, func() bool { return ask() == http.StatusUnauthorized })
	g.addKey(t, "a", "a query", project.ScopeQuery)
	eventually(t, func() bool { return ask() == http.StatusOK })
	require.NoError(t, g.registry.Delete(t.Context(), "a"))
	eventually(t, func() bool { return ask() == http.StatusUnauthorized })
	other := func(key string) int {
		return g.do(t, http.MethodGet, "http://"+g.APIAddr().String()+"/api/echo", g.headers(key, "a"), nil).code
	}
	require.Equal(t, http.StatusForbidden, other("all query"), "the project was deleted")
}

// TestHeaderMode: a proxy in front names projects; it is no admin.
func TestHeaderMode(t *testing.T) {
	g := startGuarded(t, "header")
	api, otlp := "http://"+g.APIAddr().String(), "http://"+g.OTLPHTTPAddr().String()
	for _, test := range []struct {
		projects string
		code     int
	}{{"a", 200}, {"Team b", 200}, {"never-created", 200}, {"", 401}, {"../a", 400}} {
		require.Equal(t, test.code, g.do(t, http.MethodGet, api+"/api/echo", g.headers("", test.projects), nil).code, test.projects)
		require.Equal(t, test.code, g.do(t, http.MethodPost, otlp+"/v1/traces", g.headers("", test.projects), recent(traceA, "x")).code, test.projects)
	}
	for _, path := range adminPaths() {
		for _, method := range methods {
			require.Equal(t, http.StatusUnauthorized, g.do(t, method, api+path, g.headers("", "a"), nil).code, "%s %s without a key", method, path)
			require.Equal(t, http.StatusForbidden, g.do(t, method, api+path, g.headers("a query", "a"), nil).code, "%s %s with a key for queries", method, path)
		}
	}
	require.Equal(t, http.StatusOK, g.do(t, http.MethodGet, api+"/api/projects", g.headers("all admin", ""), nil).code)
	require.Equal(t, http.StatusOK, g.do(t, http.MethodGet, api+"/metrics", nil, nil).code)
}

// TestErrorMatrix are those rows of the error matrix of Tempo's API that are decided
// before a query is read: plain text over HTTP, and the same text over gRPC. There Tempo
// answers Unknown to who is nobody; we say what it is.
func TestErrorMatrix(t *testing.T) {
	byMode := map[string]*guarded{"header": startGuarded(t, "header"), "keys": startGuarded(t, "keys")}
	for _, test := range []struct {
		name, mode, key, projects string
		status                    int
		code                      codes.Code
		text                      string
	}{
		{"no tenant", "header", "", "", 401, codes.Unauthenticated, "no org id"},
		{"no key", "keys", "", "", 401, codes.Unauthenticated, "a key is needed"},
		{"a revoked key", "keys", "revoked", "", 401, codes.Unauthenticated, ""},
		{"no key, but a tenant", "keys", "", "a", 401, codes.Unauthenticated, "a key is needed"},
		{"a key for something else", "keys", "a ingest", "", 403, codes.PermissionDenied, "query"},
		{"another tenant", "keys", "a query", "b", 403, codes.PermissionDenied, "X-Scope-OrgID"},
		{"an invalid tenant", "header", "", "a/b", 400, codes.InvalidArgument, "a/b"},
		{"a list with an invalid tenant", "header", "", "a||b", 400, codes.InvalidArgument, ""},
		{"a tenant", "header", "", "a", 200, codes.OK, ""},
		{"a key", "keys", "a query", "", 200, codes.OK, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := byMode[test.mode]
			header := g.headers(test.key, test.projects)
			header.Del("Content-Type") // the data source sends none
			got := g.do(t, http.MethodGet, "http://"+g.APIAddr().String()+"/api/search", header, nil)
			require.Equal(t, test.status, got.code, string(got.body))
			md := make(metadata.MD)
			for name, values := range header {
				md.Set(name, values...)
			}
			err := callError(metadata.NewOutgoingContext(t.Context(), md), dial(t, g.APIAddr()), "/"+tempopb.ServiceName+"/Search")
			require.Equal(t, test.code, status.Code(err), "%v", err)
			if test.status == http.StatusOK {
				return
			}
			require.Equal(t, "text/plain; charset=utf-8", got.header.Get("Content-Type"), "no HTML, which clients do not show")
			require.Contains(t, string(got.body), test.text)
			require.Equal(t, strings.TrimSpace(string(got.body)), status.Convert(err).Message())
		})
	}
}
