package querier_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// tagged is span with more attributes.
func tagged(trace string, id byte, name string, second int, attributes ...schema.Attribute) []byte {
	b := span(trace, id, name, second)
	for _, a := range attributes {
		b = otlp.AppendKeyValue(b, 9, a.Key, a.Value)
	}
	return b
}

func text(key, value string) schema.Attribute {
	return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindString, Str: value}}
}

func number(key string, value int64) schema.Attribute {
	return schema.Attribute{Key: key, Value: schema.Value{Kind: schema.KindInt, Int: value}}
}

func withEvent(b []byte, attributes ...schema.Attribute) []byte {
	var event []byte
	for _, a := range attributes {
		event = otlp.AppendKeyValue(event, 3, a.Key, a.Value)
	}
	return field(b, 11, event)
}

func query(q string) string { return "&q=" + url.QueryEscape(q) }

func newTaggedWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, nil)
	w.store(
		withEvent(tagged(traceA, 1, "first", 0, number("code", 200), text("a/b/values", "slash")), text("why", "late")),
		tagged(traceB, 1, "other", 1, text("code", "404"), text("a b", "space")))
	w.store(tagged(traceA, 2, "second", 5, number("code", 404), text("http://x/../y", "odd"), text("empty", "")))
	return w
}

func TestTagNames(t *testing.T) {
	w := newTaggedWorld(t)
	require.JSONEq(t, `{"tagNames":["a b","a/b/values","code","empty","http://x/../y","service.name","user","why"],
		"metrics":{"totalBlocks":2,"totalJobs":1,"completedJobs":1}}`, w.get("/api/search/tags?"+inRange).body)
	require.JSONEq(t, `{"tagNames":["service.name"],"metrics":{"totalBlocks":2,"totalJobs":1,"completedJobs":1}}`,
		w.get("/api/search/tags?scope=resource&"+inRange).body)
	require.JSONEq(t, `{"tagNames":[],"metrics":{"totalBlocks":2,"totalJobs":1,"completedJobs":1}}`, w.get("/api/search/tags?start=1&end=2").body)
	require.Contains(t, w.get("/api/search/tags?scope=intrinsic").body, `{"tagNames":["duration","event:name",`)

	a := w.get("/api/v2/search/tags?" + inRange)
	require.Equal(t, "application/json", a.contentType)
	require.True(t, strings.HasPrefix(a.body, `{"scopes":[{"name":"resource","tags":["service.name"]},`+
		`{"name":"span","tags":["a b","a/b/values","code","empty","http://x/../y","user"]},{"name":"event","tags":["why"]},`+
		`{"name":"intrinsic","tags":["duration",`), a.body)
	require.JSONEq(t, `{"scopes":[{"name":"event","tags":["why"]}],"metrics":{"totalBlocks":2,"totalJobs":1,"completedJobs":1}}`,
		w.get("/api/v2/search/tags?scope=event&"+inRange).body)
	require.JSONEq(t, `{"scopes":[],"metrics":{"totalBlocks":2,"totalJobs":1,"completedJobs":1}}`, w.get("/api/v2/search/tags?scope=link&"+inRange).body)

	// The limit holds for each scope, and not for intrinsics.
	var r tagsV2Reply
	decodeStrictly(t, w.get("/api/v2/search/tags?limit=2&"+inRange).body, &r)
	for _, scope := range r.Scopes {
		want := map[string]int{"resource": 1, "span": 2, "event": 1, "intrinsic": 25}[scope.Name]
		require.Len(t, scope.Tags, want, scope.Name)
	}
	var v1 tagsV1Reply
	decodeStrictly(t, w.get("/api/search/tags?limit=2&"+inRange).body, &v1)
	require.Len(t, v1.TagNames, 2)
	require.Contains(t, w.get("/api/v2/search/tags").body, `{"scopes":[{"name":"intrinsic"`, "nothing in the last 15 minutes")
}

// Half-typed queries narrow down as far as they can.
func TestTagNamesOfQuery(t *testing.T) {
	w := newTaggedWorld(t)
	for _, tc := range []struct{ q, want string }{
		{`{ name = "first" }`, "a/b/values code user"},
		{`{ name = "first" && span.code = }`, "a/b/values code user"},
		{`{ name = "first" && `, "a/b/values code user"},
		{`{ span.code = 404 && span.`, "code empty http://x/../y user"},
		{`{ name = "first" || name = "other" }`, "a b a/b/values code user"},
		{`{ rootName = "first" && duration > 0s && nestedSetParent < 0 && name =`, "a/b/values code empty http://x/../y user"},
		{`{ name = "nothing" }`, ""},
		{`{ nonsense`, "a b a/b/values code empty http://x/../y user"},
		{`{ name = "first" } && { name = "other" }`, "a b a/b/values code empty http://x/../y user"},
	} {
		var r tagsV2Reply
		decodeStrictly(t, w.get("/api/v2/search/tags?scope=span&"+inRange+query(tc.q)).body, &r)
		var names []string
		for _, s := range r.Scopes {
			names = append(names, s.Tags...)
		}
		require.Equal(t, tc.want, strings.Join(names, " "), tc.q)
	}
	require.Contains(t, w.get("/api/search/tags?"+inRange+query(`{ name = "nothing" }`)).body, "code", "v1 has no filter")
}

func TestTagValues(t *testing.T) {
	w := newTaggedWorld(t)
	const metrics = `,"metrics":{"totalJobs":1,"completedJobs":1,"totalBlocks":2}}`
	for _, tc := range []struct{ name, path, want string }{
		{"types", "v2/search/tag/span.code/values?" + inRange, `{"tagValues":[{"type":"int","value":"200"},{"type":"int","value":"404"},{"type":"string","value":"404"}]` + metrics},
		{"unscoped", "v2/search/tag/.service.name/values?" + inRange, `{"tagValues":[{"type":"string","value":"shop"}]` + metrics},
		{"event", "v2/search/tag/event.why/values?" + inRange, `{"tagValues":[{"type":"string","value":"late"}]` + metrics},
		{"empty text has no value", "v2/search/tag/span.empty/values?" + inRange, `{"tagValues":[{"type":"string"}]` + metrics},
		{"nothing", "v2/search/tag/span.absent/values?" + inRange, `{"tagValues":[]` + metrics},
		{"of other times", "v2/search/tag/span.code/values?start=1&end=2", `{"tagValues":[]` + metrics},
		{"filtered", "v2/search/tag/span.code/values?" + inRange + query(`{ name = "second" && span.code= }`), `{"tagValues":[{"type":"int","value":"404"}]` + metrics},
		{"filtered by the trace", "v2/search/tag/name/values?" + inRange + query(`{ rootName = "first" }`), `{"tagValues":[{"type":"string","value":"first"},{"type":"string","value":"second"}]` + metrics},
		{"limited", "v2/search/tag/name/values?limit=1&" + inRange + query(`{ name = "other" }`), `{"tagValues":[{"type":"string","value":"other"}]` + metrics},
		{"root", "v2/search/tag/rootServiceName/values?" + inRange, `{"tagValues":[{"type":"string","value":"shop"}]` + metrics},
		{"status", "v2/search/tag/status/values", `{"tagValues":[{"type":"keyword","value":"unset"},{"type":"keyword","value":"ok"},{"type":"keyword","value":"error"}],"metrics":{}}`},
		{"kind", "v2/search/tag/span:kind/values", `{"tagValues":[{"type":"keyword","value":"unspecified"},{"type":"keyword","value":"internal"},{"type":"keyword","value":"server"},{"type":"keyword","value":"client"},{"type":"keyword","value":"producer"},{"type":"keyword","value":"consumer"}],"metrics":{}}`},
		{"duration", "v2/search/tag/duration/values", `{"tagValues":[],"metrics":{}}`},
		{"id", "v2/search/tag/trace:id/values", `{"tagValues":[],"metrics":{}}`},
		{"link id", "v2/search/tag/link:traceID/values", `{"tagValues":[],"metrics":{}}`},

		{"slashes, and /values in the name", "v2/search/tag/span.a/b/values/values?" + inRange, `{"tagValues":[{"type":"string","value":"slash"}]` + metrics},
		{"escaped slashes", "v2/search/tag/span.a%2Fb%2Fvalues/values?" + inRange, `{"tagValues":[{"type":"string","value":"slash"}]` + metrics},
		{"a path that is not clean", "v2/search/tag/span.http://x/../y/values?" + inRange, `{"tagValues":[{"type":"string","value":"odd"}]` + metrics},
		{"quoted", "v2/search/tag/span.%22a%20b%22/values?" + inRange, `{"tagValues":[{"type":"string","value":"space"}]` + metrics},
		{"the data source's own parameter", "v2/search/tag/span.empty/values?tag=span.code&" + inRange, `{"tagValues":[{"type":"string"}]` + metrics},

		{"v1", "search/tag/code/values?" + inRange, `{"tagValues":["200","404"]` + metrics},
		{"v1 of an event", "search/tag/why/values?" + inRange, `{"tagValues":["late"]` + metrics},
		{"v1 name", "search/tag/name/values?" + inRange, `{"tagValues":["first","other","second"]` + metrics},
		{"v1 with slashes", "search/tag/http://x/../y/values?" + inRange, `{"tagValues":["odd"]` + metrics},
		{"v1 nothing", "search/tag/absent/values?" + inRange, `{"tagValues":[]` + metrics},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := w.get("/api/" + tc.path)
			require.Equal(t, answer{200, "application/json", tc.want}, a)
		})
	}
	require.Equal(t, 404, w.get("/api/v2/search/tag/span.a").status)
	other := w.get("/api/search/tag/code/values?"+inRange, "X-Scope-OrgID", "other")
	require.Contains(t, other.body, `"tagValues":[]`, "projects do not see each other's")
}

// Values are many, replies are not.
func TestTagValuesAreBounded(t *testing.T) {
	w := newWorld(t, nil)
	var spans [][]byte
	for i := range 200 {
		spans = append(spans, tagged(traceA, byte(i), "s", i/10, text("big", strings.Repeat(string(rune('a'+i%26)), 10_000+i))))
	}
	w.store(spans...)
	a := w.get("/api/v2/search/tag/span.big/values?" + inRange)
	require.Equal(t, 200, a.status)
	require.Greater(t, len(a.body), 900<<10)
	require.Less(t, len(a.body), 1100<<10)
}

func TestSearchByTags(t *testing.T) {
	w := newTaggedWorld(t)
	for _, tc := range []struct {
		query string
		want  []string // traces
	}{
		{"tags=" + url.QueryEscape("code=404"), []string{traceA, traceB}},
		{"tags=" + url.QueryEscape("code=200"), []string{traceA}},
		{"tags=" + url.QueryEscape("why=late"), []string{traceA}},
		{"tags=" + url.QueryEscape(`service.name=shop name=other`), []string{traceB}},
		{"tags=" + url.QueryEscape(`user="<ada>" code="404"`), []string{traceA, traceB}},
		{"tags=" + url.QueryEscape(`code=200 empty=""`), nil},
		{"minDuration=3s", []string{traceA}},
		{"maxDuration=3s", []string{traceB}},
		{"minDuration=1s&maxDuration=7s&tags=code%3D404", []string{traceA, traceB}},
		{"tags=&q=", []string{traceA, traceB}},
	} {
		a := w.get("/api/search?" + inRange + "&" + tc.query)
		require.Equal(t, 200, a.status, a.body)
		var r struct {
			Traces  []struct{ TraceID string } `json:"traces"`
			Metrics struct {
				InspectedTraces int `json:"inspectedTraces"`
			} `json:"metrics"`
		}
		require.NoError(t, json.Unmarshal([]byte(a.body), &r))
		var ids []string
		for _, tr := range r.Traces {
			ids = append(ids, tr.TraceID)
		}
		slices.Sort(ids)
		require.Equal(t, tc.want, ids, tc.query)
		require.NotContains(t, a.body, "spanSet")
		require.NotContains(t, a.body, "serviceStats")
		require.GreaterOrEqual(t, r.Metrics.InspectedTraces, len(tc.want))
	}
}

// Times come in several spellings.
func TestTimeSpellings(t *testing.T) {
	w := newWorld(t, nil)
	w.store(span(traceA, 1, "first", 0)) // from :00 to :02
	for _, tc := range []struct {
		query string
		found bool
	}{
		{"start=1768471201&end=1768471300", true},
		{"start=1768471201.5&end=1768471300.25", true},
		{"start=1768471202.5&end=1768471300", false},
		{"start=1768471201500000000&end=1768471300000000000", true},
		{"start=1768471202500000000&end=1768471300000000000", false},
		{"start=2026-01-15T10:00:01Z&end=2026-01-15T11:00:01%2B01:00", false},
		{"start=2026-01-15T10:00:01Z&end=2026-01-15T12:00:01%2B01:00", true},
	} {
		a := w.get("/api/search?" + tc.query)
		if strings.Contains(tc.query, "T11:00:01%2B01:00") {
			require.Equal(t, 400, a.status, "the same instant")
			continue
		}
		require.Equal(t, 200, a.status, a.body)
		require.Equal(t, tc.found, strings.Contains(a.body, "00aa"), tc.query)
	}
	for _, bad := range []string{"start=1e9&end=2e9", "start=1.2.3&end=5", "start=.&end=5", "start=1900-01-01T00:00:00Z&end=5", "start=9999-01-01T00:00:00Z&end=5"} {
		require.Equal(t, 400, w.get("/api/search?"+bad).status, bad)
	}
}
