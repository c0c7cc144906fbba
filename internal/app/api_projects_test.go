package app_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/app"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/objstore/fs"
	"github.com/spanlake/spanlake/internal/project"
)

// TestProjectsAPI goes through all of it, with the answers to what is wrong.
func TestProjectsAPI(t *testing.T) {
	g := startGuarded(t, "keys")
	url := "http://" + g.APIAddr().String() + "/api/projects"
	for _, test := range []struct {
		name, method, path, key, body string
		code                          int
		says                          string
	}{
		{"list", "GET", "", "all admin", "", 200, `"name": "b"`},
		{"list with a project's key", "GET", "", "a admin", "", 403, "good for all projects"},
		{"create", "POST", "", "all admin", `{"name":"c","retention":"30d","limits":{"query_bytes":7},"aliases":["C C"]}`, 200, `"effective_retention": "30d"`},
		{"create again", "POST", "", "all admin", `{"name":"c"}`, 409, "exists already"},
		{"create with a project's key", "POST", "", "a admin", `{"name":"d"}`, 403, ""},
		{"create with a bad name", "POST", "", "all admin", `{"name":"../d"}`, 400, "not a project name"},
		{"create with the name of all", "POST", "", "all admin", `{"name":"_all"}`, 400, "not a project name"},
		{"create with an alias that is taken", "POST", "", "all admin", `{"name":"d","aliases":["C C"]}`, 400, "project c has it"},
		{"create with what there is not", "POST", "", "all admin", `{"name":"d","colour":1}`, 400, "unknown field"},
		{"create with a large body", "POST", "", "all admin", `{"name":"` + strings.Repeat("d", 65<<10) + `"}`, 400, "too large"},
		{"show", "GET", "/a", "a admin", "", 200, `"effective_retention": "unlimited"`},
		{"show another's", "GET", "/b", "a admin", "", 403, ""},
		{"show what is not there", "GET", "/nothing", "all admin", "", 404, "does not exist"},
		{"show all", "GET", "/_all", "all admin", "", 404, ""},
		{"set the retention", "PATCH", "/a", "a admin", `{"retention":"36h"}`, 200, `"effective_retention": "36h"`},
		{"set another's", "PATCH", "/b", "a admin", `{"retention":"36h"}`, 403, ""},
		{"set one's own limits", "PATCH", "/a", "a admin", `{"limits":{"query_bytes":-1}}`, 403, "good for all"},
		{"set one's own aliases", "PATCH", "/a", "a admin", `{"aliases":["Team b"]}`, 403, "good for all"},
		{"set limits", "PATCH", "/a", "all admin", `{"limits":{"query_bytes":9}}`, 200, `"query_bytes": 9`},
		{"set a limit that there is not", "PATCH", "/a", "all admin", `{"limits":{"bytes":9}}`, 400, "there are ingest_bytes"},
		{"set a retention that is none", "PATCH", "/a", "a admin", `{"retention":"long"}`, 400, "not a retention"},
		{"set rules", "PATCH", "/a", "a admin", `{"retention":"3d","rules":[{"filter":"{ status = error }","retention":"90d"}]}`, 200, `"effective_retention": "3d"`},
		{"set another's rules", "PATCH", "/b", "a admin", `{"rules":[]}`, 403, ""},
		{"set a rule that is none", "PATCH", "/a", "a admin", `{"rules":[{"filter":"{ status = }","retention":"90d"}]}`, 400, "rule"},
		{"set a rule that no search can answer", "PATCH", "/a", "a admin", `{"rules":[{"filter":"({} | by(name)) && ({})","retention":"90d"}]}`, 400, "rule"},
		{"remove the rules", "PATCH", "/a", "a admin", `{"rules":[]}`, 200, `"retention": "3d"`},
		{"back to the default", "PATCH", "/a", "a admin", `{"retention":"default"}`, 200, `"effective_retention": "unlimited"`},
		{"set what terraform owns", "PATCH", "/tf", "all admin", `{"retention":"36h"}`, 409, "managed by terraform"},
		{"delete what terraform owns", "DELETE", "/tf", "all admin", "", 409, "managed by terraform"},
		{"create by setting", "PATCH", "/e", "all admin", `{"retention":"36h"}`, 200, `"managed_by": "api"`},
		{"add a key", "POST", "/a/keys", "a admin", `{"name":"grafana","scopes":["query"]}`, 200, `"secret": "sk-sl-`},
		{"add a key of another", "POST", "/b/keys", "a admin", `{"scopes":["query"]}`, 403, ""},
		{"add a key of all", "POST", "/_all/keys", "a admin", `{"scopes":["query"]}`, 403, ""},
		{"add a key of all as admin of all", "POST", "/_all/keys", "all admin", `{"scopes":["query"]}`, 200, `"public": "pk-sl-`},
		{"add a key without scopes", "POST", "/a/keys", "a admin", `{}`, 400, "needs a scope"},
		{"add a key that reads all metrics", "POST", "/a/keys", "a admin", `{"scopes":["metrics"]}`, 400, "all projects"},
		{"list keys", "GET", "/a/keys", "a admin", "", 200, `"name": "grafana"`},
		{"list another's keys", "GET", "/b/keys", "a admin", "", 403, ""},
		{"list keys of all", "GET", "/_all/keys", "a admin", "", 403, ""},
		{"revoke another's key", "DELETE", "/a/keys/" + g.public["b query"], "a admin", "", 404, "does not exist"},
		{"revoke a key by a path", "DELETE", "/a/keys/..%2F..%2Fb%2Fsettings", "a admin", "", 400, "want the id"},
		{"revoke a key", "DELETE", "/a/keys/" + g.public["a ingest"], "a admin", "", 204, ""},
		{"erase", "POST", "/a/erasures", "a admin", `{"traces":["` + traceA + `"]}`, 200, `"state": "pending"`},
		{"erase of another", "POST", "/b/erasures", "a admin", `{"traces":["` + traceA + `"]}`, 403, ""},
		{"erase of all", "POST", "/_all/erasures", "all admin", `{"traces":["` + traceA + `"]}`, 404, "does not exist"},
		{"erase nothing", "POST", "/a/erasures", "a admin", `{}`, 400, "want traces, or a query"},
		{"erase by both", "POST", "/a/erasures", "a admin", `{"traces":["1"],"where":"{}"}`, 400, "not both"},
		{"erase what is no trace", "POST", "/a/erasures", "a admin", `{"traces":["x"]}`, 400, "hexadecimal"},
		{"erase the trace of zeros", "POST", "/a/erasures", "a admin", `{"traces":["0"]}`, 400, "no trace has the id"},
		{"erase by what is no query", "POST", "/a/erasures", "a admin", `{"where":"{"}`, 400, "invalid TraceQL query"},
		{"erase by a query for metrics", "POST", "/a/erasures", "a admin", `{"where":"{} | rate()"}`, 400, "invalid TraceQL query"},
		{"erase what nothing matches", "POST", "/a/erasures", "a admin", `{"where":"{ kind = client }"}`, 400, "nothing to erase"},
		{"try to erase", "POST", "/a/erasures", "a admin", `{"where":"{}","dry_run":true}`, 200, `"state": "dry run"`},
		{"list erasures", "GET", "/a/erasures", "a admin", "", 200, `"by": "pk-sl-`},
		{"list another's erasures", "GET", "/b/erasures", "a admin", "", 403, ""},
		{"show an erasure that is none", "GET", "/a/erasures/x", "a admin", "", 404, "want an id such as"},
		{"show an erasure by a path", "GET", "/a/erasures/..%2F..%2Fsettings", "a admin", "", 404, "want an id such as"},
		{"look for what another's has left", "GET", "/b/erasures/x/left", "a admin", "", 403, ""},
		{"erase by a path to another", "POST", "/a%2F..%2Fb/erasures", "a admin", `{"traces":["` + traceA + `"]}`, 400, "not a project name"},
		{"list erasures by a path to another", "GET", "/..%2Fprojects%2Fb/erasures", "a admin", "", 400, "not a project name"},
		{"list erasures of a name with a line's end", "GET", "/a%0D%0AX-Scope-OrgID:%20b/erasures", "a admin", "", 400, "not a project name"},
		{"list erasures of a name with a zero", "GET", "/a%00b/erasures", "a admin", "", 400, "not a project name"},
		{"list erasures of a name in upper case", "GET", "/B/erasures", "a admin", "", 400, "not a project name"},
		{"list erasures of an alias", "GET", "/Team%20b/erasures", "a admin", "", 400, "not a project name"},
		{"list erasures of what was never created", "GET", "/nothing/erasures", "a admin", "", 403, ""},
		{"show an erasure by a longer path", "GET", "/a/erasures/..%2F..%2Fb%2Ferasures%2Fx", "a admin", "", 404, "want an id such as"},
		{"look for what is left by a path", "GET", "/a/erasures/..%2F..%2Fb/left", "a admin", "", 404, "want an id such as"},
		{"erase with a large body", "POST", "/a/erasures", "a admin", `{"where":"` + strings.Repeat("d", 5<<20) + `"}`, 400, "too large"},
		{"erase as who may only query", "POST", "/a/erasures", "a query", `{"where":"{}"}`, 403, "admin"},
		{"erase without a key", "POST", "/a/erasures", "none", `{"where":"{}"}`, 401, "a key is needed"},
		{"erase with a revoked key", "POST", "/a/erasures", "revoked", `{"where":"{}"}`, 401, ""},
		{"price anew", "POST", "/a/reprice", "a admin", `{"from":"2026-01-15T00:00:00Z"}`, 200, `"state": "done"`},
		{"price anew in no time", "POST", "/a/reprice", "a admin", `{"from":"2026-01-15T00:00:00Z","to":"2026-01-15T00:00:00Z"}`, 400, "want from before to"},
		{"price anew by more", "POST", "/a/reprice", "a admin", `{"table":"x"}`, 400, "unknown field"},
		{"price another's anew", "POST", "/b/reprice", "a admin", `{}`, 403, ""},
		{"price all anew", "POST", "/_all/reprice", "all admin", `{}`, 404, "does not exist"},
		{"price anew as who may only query", "POST", "/a/reprice", "a query", `{}`, 403, "admin"},
		{"price anew what terraform owns", "POST", "/tf/reprice", "all admin", `{}`, 409, "managed by terraform"},
		{"look at what is priced anew", "GET", "/a/reprice", "a admin", "", 200, `"from": "2026-01-15T00:00:00Z"`},
		{"look at what another prices anew", "GET", "/b/reprice", "a admin", "", 403, ""},
		{"look at it by a path to another", "GET", "/..%2Fprojects%2Fb/reprice", "a admin", "", 400, "not a project name"},
		{"price anew by setting it", "PATCH", "/a", "a admin", `{"reprice":{}}`, 400, "unknown field"},
		{"delete with a project's key", "DELETE", "/a", "a admin", "", 403, ""},
		{"delete", "DELETE", "/c", "all admin", "", 204, ""},
		{"change what was deleted", "PATCH", "/c", "all admin", `{"retention":"1h"}`, 409, "was deleted"},
		{"create what was just deleted", "POST", "", "all admin", `{"name":"c"}`, 409, "may still hold spans"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if strings.Contains(test.name, "terraform") {
				bucket, err := fs.Open(filepath.Join(g.dir, "bucket"))
				require.NoError(t, err)
				require.NoError(t, bucket.Put(t.Context(), "projects/tf/settings.json", strings.NewReader(`{"managed_by":"terraform"}`), objstore.PutOptions{}))
			}
			got := g.do(t, test.method, url+test.path, g.headers(test.key, ""), []byte(test.body))
			require.Equal(t, test.code, got.code, string(got.body))
			require.Contains(t, string(got.body), test.says)
			if test.method == http.MethodGet {
				require.NotContains(t, string(got.body), "sk-sl-", "a secret is shown once")
			}
		})
	}
	// A page in a browser can send forms and text, not JSON.
	h := g.headers("all admin", "")
	h.Set("Content-Type", "text/plain")
	require.Equal(t, http.StatusBadRequest, g.do(t, http.MethodPost, url, h, []byte(`{"name":"d"}`)).code)
}

// TestProjectsWithoutKeys: where nobody needs a key, the machine itself is the
// administrator; what it changes counts at once.
func TestProjectsWithoutKeys(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir(), "-retention.default=7d")
	url := "http://" + p.APIAddr().String() + "/api/projects"
	asJSON := func() http.Header { return http.Header{"Content-Type": {"application/json"}} }
	got := p.do(t, http.MethodPost, url, asJSON(), []byte(`{"name":"shop"}`))
	require.Equal(t, http.StatusOK, got.code, string(got.body))
	var reply app.ProjectReply
	require.NoError(t, json.Unmarshal(got.body, &reply))
	require.Equal(t, "7d", reply.Retention)
	require.Equal(t, project.OwnerAPI, reply.Settings.ManagedBy)

	proxied := asJSON()
	proxied.Set("X-Forwarded-For", "10.0.0.1")
	require.Equal(t, http.StatusForbidden, p.do(t, http.MethodGet, url, proxied, nil).code)

	require.Equal(t, http.StatusNoContent, p.do(t, http.MethodDelete, url+"/shop", asJSON(), nil).code)
	h := http.Header{"Content-Type": {"application/json"}, "X-Scope-Orgid": {"shop"}}
	require.Equal(t, http.StatusForbidden, p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+"/v1/traces", h, recent(traceA, "x")).code)
	require.Equal(t, http.StatusForbidden, p.do(t, http.MethodGet, "http://"+p.APIAddr().String()+"/api/echo", h, nil).code)
}
