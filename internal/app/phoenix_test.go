package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const phoenixJS = "../../ingester/phoenix/testdata/wire"

// The client's annotations are taken with or without a wait, and are there when it is
// told so: those of a span in its trace, if there is one.
func TestPhoenixCaptures(t *testing.T) {
	g := startGuarded(t, "keys")
	const span, trace = "67f6740bbe1ddc3f", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	now := time.Now()
	body := strings.NewReplacer("b7ad6b7169203331", span).Replace(string(recent(trace, "annotated")))
	require.Equal(t, http.StatusOK, g.do(t, http.MethodPost, "http://"+g.OTLPHTTPAddr().String()+"/v1/traces", g.headers("a ingest", ""), []byte(body)).code)
	list := captures(t, phoenixJS, "oi-client")
	require.Len(t, list, 5)
	for range 2 {
		for _, c := range list {
			if c.Method == http.MethodPost {
				refused := g.replay(t, &c, "", "px-demo")
				require.Equal(t, http.StatusUnauthorized, refused.code)
				requireMessage(t, refused)
			}
			got := g.replay(t, &c, "", g.secrets["a ingest"])
			require.Equal(t, c.Response.Status, got.code, "%s: %s", c.name, got.body)
			if c.Method == http.MethodGet {
				require.Equal(t, "15.0.0", string(got.body))
				continue
			}
			var reply struct{ Data []struct{ ID string } }
			require.NoError(t, json.Unmarshal(got.body, &reply), string(got.body))
			require.Len(t, reply.Data, 1)
			require.NotEmpty(t, reply.Data[0].ID)
		}
	}
	header := g.headers("a query", "")
	tree := printTree(g.trace(t, header, trace), false)
	require.Equal(t, 1, strings.Count(tree, `gen_ai.evaluation.name="correctness"`), tree)
	require.Equal(t, 1, strings.Count(tree, `gen_ai.evaluation.name="quality"`), tree)
	require.Contains(t, tree, "  quality ", "below its span")
	require.Contains(t, tree, `metadata.model="judge"`)
	require.Contains(t, printTree(g.trace(t, header, "0af7651916cd43dd8448eb211c80319c"), false), `gen_ai.evaluation.name="resolved"`)

	query := url.Values{
		"q":     {`{ span.session.id = "sess-42" && span.gen_ai.evaluation.name = "csat" }`},
		"start": {strconv.FormatInt(now.Add(-time.Minute).Unix(), 10)}, "end": {strconv.FormatInt(now.Add(time.Hour).Unix(), 10)},
	}
	found := g.do(t, http.MethodGet, "http://"+g.APIAddr().String()+"/api/search?"+query.Encode(), header, nil)
	require.Contains(t, string(found.body), `"matched":1`)
	require.NotContains(t, string(found.body), trace)
}

// An annotation of a span that nobody has stored is kept all the same.
func TestPhoenixUnknownSpan(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	c := captures(t, phoenixJS, "oi-client")[0]
	require.Equal(t, http.StatusOK, p.replay(t, &c, "", "").code)
	all := printTraces(p.traces(t, nil, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)), false)
	require.Contains(t, all, "of 67f6740bbe1ddc3f")
	require.Contains(t, all, `gen_ai.evaluation.name="correctness"`)
}

// One that is wrong keeps the others from being stored, and says what it lacks.
func TestPhoenixBadAnnotation(t *testing.T) {
	p := start(t, "-data-dir", t.TempDir())
	body := `{"data":[{"session_id":"s","name":"good"},{"session_id":"s"}]}`
	got := p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+"/v1/session_annotations", http.Header{"Content-Type": {"application/json"}}, []byte(body))
	require.Equal(t, http.StatusBadRequest, got.code)
	require.Contains(t, requireMessage(t, got), "name")
	require.Empty(t, p.traces(t, nil, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)))
}
