package app_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
)

// reads gets a path of the port of OTLP as JSON.
func (p *process) reads(t *testing.T, into any, path string, query ...string) {
	t.Helper()
	got := p.do(t, http.MethodGet, p.readURL(path, query...), nil, nil)
	require.Equal(t, http.StatusOK, got.code, "%s %v: %s", path, query, got.body)
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.NoError(t, json.Unmarshal(got.body, into), "%s", got.body)
}

func (p *process) readURL(path string, query ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		values.Add(query[i], query[i+1])
	}
	return "http://" + p.OTLPHTTPAddr().String() + path + "?" + values.Encode()
}

// The day of the captures as parameters.
var onTheDay = []string{"fromTimestamp", "2026-11-21T00:00:00Z", "toTimestamp", "2026-11-22T00:00:00.000Z"}

type shownScore struct {
	ID, TraceID, ObservationID, SessionID, Name, DataType, StringValue, Comment, Source string
	Value                                                                               any
}

type shownObservation struct {
	ID, TraceID, Type, Name, Level, Model, StatusMessage, ParentObservationID string
	Input, Output                                                             json.RawMessage
	UsageDetails, CostDetails                                                 map[string]float64
	Latency                                                                   *float64
}

type shownTrace struct {
	ID, Name, UserID, SessionID, Release, Version, Environment string
	Tags                                                       []string
	Input, Output                                              json.RawMessage
	Latency, TotalCost                                         float64
	Observations                                               []shownObservation
	Scores                                                     []shownScore
}

type shownList[T any] struct {
	Data []T
	Meta struct {
		Page, Limit, TotalItems, TotalPages int
		Cursor                              string
	}
}

// short is JSON of which only the beginning is looked at.
func short(body json.RawMessage) string {
	const most = 160
	if len(body) > most {
		return string(bytes.ToValidUTF8(body[:most], nil)) + "…"
	}
	return string(body)
}

// print is what is compared with the golden files.
func (s *shownTrace) print(b *strings.Builder) {
	fmt.Fprintf(b, "%s %q user=%q session=%q release=%q version=%q environment=%q tags=%q latency=%g cost=%g\n", s.ID, s.Name, s.UserID, s.SessionID,
		s.Release, s.Version, s.Environment, s.Tags, s.Latency, s.TotalCost)
	fmt.Fprintf(b, "  in  %s\n  out %s\n", short(s.Input), short(s.Output))
	for _, o := range s.Observations {
		fmt.Fprintf(b, "  %s %q %s below %q %s model=%q %q usage=%v cost=%v\n", o.Type, o.Name, o.ID, o.ParentObservationID, o.Level, o.Model, o.StatusMessage, o.UsageDetails, o.CostDetails)
		fmt.Fprintf(b, "    in  %s\n    out %s\n", short(o.Input), short(o.Output))
	}
	for _, c := range s.Scores {
		fmt.Fprintf(b, "  score %q %v %q %s of %q %s %q\n", c.Name, c.Value, c.StringValue, c.DataType, c.ObservationID, c.Source, c.Comment)
	}
}

// allRead are the traces of the day, one by one, by the API for reading.
func (p *process) allRead(t *testing.T) string {
	t.Helper()
	var list shownList[struct{ ID string }]
	p.reads(t, &list, "/api/public/traces", append(slices.Clone(onTheDay), "limit", "100", "orderBy", "timestamp.asc")...)
	require.NotEmpty(t, list.Data)
	require.Len(t, list.Data, list.Meta.TotalItems)
	var b strings.Builder
	for _, one := range list.Data {
		var trace shownTrace
		p.reads(t, &trace, "/api/public/traces/"+url.PathEscape(one.ID))
		require.Equal(t, one.ID, trace.ID)
		trace.print(&b)
	}
	return b.String()
}

// What every SDK has sent is read by Langfuse's API, in memory and from a block.
func TestLangfuseReads(t *testing.T) {
	type world struct {
		name string
		send func(*process)
	}
	var worlds []world
	for program, dir := range map[string]string{"lf3-core": "langfuse-js-v3", "lf3-langchain": "langfuse-js-v3"} {
		worlds = append(worlds, world{program, func(p *process) {
			for _, c := range ingestions(t, dir, program) {
				require.Equal(t, http.StatusMultiStatus, p.sends(t, &c).code)
			}
		}})
	}
	for _, program := range []string{"ls-multipart", "ls-patch-multipart"} {
		worlds = append(worlds, world{program, func(p *process) {
			for _, c := range writes(captures(t, langsmithJS, program)) {
				satisfied(t, &c, p.replay(t, &c, "", ""))
			}
		}})
	}
	otlp, err := corpus.Captures()
	require.NoError(t, err)
	sent := make(map[string]bool)
	for _, c := range otlp {
		if again := sent[string(c.Body)]; again {
			continue
		}
		sent[string(c.Body)] = true
		if c.Protocol == corpus.GRPC || strings.HasPrefix(c.Name, "otel-js/") && c.Protocol == corpus.HTTPProtobuf {
			continue // the same program as the one in JSON
		}
		worlds = append(worlds, world{strings.ReplaceAll(c.Name, "/", "-"), func(p *process) {
			header := make(http.Header)
			for key, value := range c.Header {
				header.Set(key, value)
			}
			got := p.do(t, http.MethodPost, "http://"+p.OTLPHTTPAddr().String()+"/v1/traces", header, c.Body)
			require.Equal(t, http.StatusOK, got.code, "%s", got.body)
		}})
	}
	slices.SortFunc(worlds, func(a, b world) int { return cmp.Compare(a.name, b.name) })
	for _, w := range worlds {
		t.Run(w.name, func(t *testing.T) {
			p := start(t, "-data-dir", t.TempDir())
			w.send(p)
			live := p.allRead(t)
			langfuseGolden(t, "read/"+w.name+".txt", live)
			require.Equal(t, http.StatusNoContent, p.api(t, http.MethodPost, "/flush").code)
			require.Equal(t, live, p.allRead(t))
		})
	}
}

// startRead is a server with what Langfuse's SDK of version 3 has sent: two traces of
// a session.
func startRead(t *testing.T) *process {
	t.Helper()
	p := start(t, "-data-dir", t.TempDir())
	for _, c := range ingestions(t, "langfuse-js-v3", "lf3-core") {
		require.Equal(t, http.StatusMultiStatus, p.sends(t, &c).code)
	}
	return p
}

// The answers have every field that the API describes.
func TestLangfuseReadShapes(t *testing.T) {
	p := startRead(t)
	var list shownList[shownScore]
	p.reads(t, &list, "/api/public/v2/scores", append(slices.Clone(onTheDay), "limit", "1")...)
	var traces shownList[struct{ ID string }]
	p.reads(t, &traces, "/api/public/traces", onTheDay...)
	trace := traces.Data[0].ID
	fromStart := []string{"fromStartTime", onTheDay[1], "toStartTime", onTheDay[3], "limit", "2"}
	for name, request := range map[string][]string{
		"traces":          append([]string{"/api/public/traces"}, onTheDay...),
		"trace":           {"/api/public/traces/" + trace},
		"observations":    append([]string{"/api/public/observations"}, fromStart...),
		"v2-observations": append([]string{"/api/public/v2/observations", "fields", "basic,time,io,metadata,model,usage,prompt,metrics,trace_context"}, fromStart...),
		"sessions":        append([]string{"/api/public/sessions"}, onTheDay...),
		"session":         {"/api/public/sessions/sess-42"},
		"scores":          append([]string{"/api/public/scores"}, onTheDay...),
		"score":           {"/api/public/scores/" + list.Data[0].ID},
		"v3-scores":       append([]string{"/api/public/v3/scores"}, onTheDay...),
	} {
		var body json.RawMessage
		p.reads(t, &body, request[0], request[1:]...)
		var b bytes.Buffer
		require.NoError(t, json.Indent(&b, body, "", " "))
		langfuseGolden(t, "read/shape-"+name+".json", b.String())

		got := p.api(t, http.MethodGet, strings.TrimPrefix(p.readURL(request[0], request[1:]...), "http://"+p.OTLPHTTPAddr().String()))
		require.JSONEq(t, string(body), string(got.body), "the port of queries has them, too")
	}
}

func TestLangfuseReadFilters(t *testing.T) {
	p := startRead(t)
	for _, tt := range []struct {
		path  string
		query []string
		want  int
	}{
		{"traces", nil, 4},
		{"traces", []string{"userId", "user-7"}, 2},
		{"traces", []string{"userId", "user-8"}, 1},
		{"traces", []string{"userId", "user-9"}, 0},
		{"traces", []string{"tags", "prod", "tags", "ko"}, 2},
		{"traces", []string{"name", "vision"}, 1},
		{"traces", []string{"name", "chat-turn", "release", "1.2.3", "version", "1.2.3", "environment", "test"}, 2},
		{"traces", []string{"release", "1.2"}, 0},
		{"traces", []string{"sessionId", "sess-42"}, 2},
		{"traces", []string{"tags", "nothing has it"}, 0},
		{"traces", []string{"environment", "nowhere"}, 0},
		{"traces", []string{"environment", "nowhere", "environment", "test"}, 4},
		{"traces", []string{"userId", `u" } || { true`}, 0},
		{"traces", []string{"name", "\\\x00\u00a0'`"}, 0},
		{"observations", []string{"userId", "user-8"}, 5},
		{"observations", []string{"sessionId", "sess-43"}, 5},
		{"observations", []string{"userId", "user-9"}, 0},
		{"observations", []string{"level", "ERROR"}, 2},
		{"observations", []string{"parentObservationId", "../x"}, 0},
		{"observations", []string{"traceId", "../x"}, 0},
		{"sessions", nil, 2},
		{"sessions", []string{"environment", "nowhere"}, 0},
		{"scores", nil, 6},
		{"scores", []string{"userId", "user-7"}, 6},
		{"scores", []string{"userId", "user-8"}, 0},
		{"scores", []string{"source", "EVAL"}, 0},
		{"v2/scores", []string{"value", "0", "operator", "<"}, 0},
		{"v3/scores", []string{"valueMin", "-1e9", "valueMax", "-1"}, 0},
	} {
		var list shownList[json.RawMessage]
		query := append(slices.Clone(tt.query), "limit", "100")
		if tt.path == "observations" {
			query = append(query, "fromStartTime", onTheDay[1], "toStartTime", onTheDay[3])
		} else {
			query = append(query, onTheDay...)
		}
		p.reads(t, &list, "/api/public/"+tt.path, query...)
		require.Equal(t, tt.want, len(list.Data), "%s %v", tt.path, tt.query) //nolint:testifylint // Len prints all of them
	}
	// Types, levels and traces divide all observations.
	count := func(query ...string) int {
		var list shownList[shownObservation]
		p.reads(t, &list, "/api/public/observations", append(query, "fromStartTime", onTheDay[1], "toStartTime", onTheDay[3])...)
		return list.Meta.TotalItems
	}
	all := count()
	require.Positive(t, all)
	for name, values := range map[string][]string{
		"type":  {"SPAN", "EVENT", "GENERATION", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "EVALUATOR", "EMBEDDING", "GUARDRAIL"},
		"level": {"DEBUG", "DEFAULT", "WARNING", "ERROR"},
	} {
		sum := 0
		for _, v := range values {
			sum += count(name, v)
		}
		require.Equal(t, all, sum, name)
	}
	var traces shownList[struct{ ID string }]
	p.reads(t, &traces, "/api/public/traces", onTheDay...)
	sum := 0
	for _, one := range traces.Data {
		sum += count("traceId", one.ID)
		require.Zero(t, count("traceId", one.ID, "userId", "user-9"))
	}
	require.Equal(t, all, sum)
}

// Pages have all things once, in order, and end where the list does.
func TestLangfuseReadPages(t *testing.T) {
	p := startRead(t)
	onDay := []string{"fromStartTime", onTheDay[1], "toStartTime", onTheDay[3]}
	var whole shownList[shownObservation]
	p.reads(t, &whole, "/api/public/observations", append(slices.Clone(onDay), "limit", "100")...)
	all := len(whole.Data)
	ids := func(list []shownObservation) (ids []string) {
		for _, o := range list {
			ids = append(ids, o.ID)
		}
		return ids
	}
	for _, limit := range []int{1, 2, all - 1, all, 100} {
		var paged, followed []string
		for page := 1; page <= (all+limit-1)/limit; page++ {
			var list shownList[shownObservation]
			p.reads(t, &list, "/api/public/observations", append(slices.Clone(onDay), "limit", strconv.Itoa(limit), "page", strconv.Itoa(page))...)
			require.Equal(t, [4]int{page, limit, all, (all + limit - 1) / limit}, [4]int{list.Meta.Page, list.Meta.Limit, list.Meta.TotalItems, list.Meta.TotalPages})
			paged = append(paged, ids(list.Data)...)
		}
		require.Equal(t, ids(whole.Data), paged, "limit %d", limit)
		for cursor := "-"; cursor != ""; {
			var list shownList[shownObservation]
			p.reads(t, &list, "/api/public/v2/observations", append(slices.Clone(onDay), "limit", strconv.Itoa(limit), "cursor", strings.Trim(cursor, "-"))...)
			require.NotEmpty(t, list.Data)
			followed, cursor = append(followed, ids(list.Data)...), list.Meta.Cursor
		}
		require.Equal(t, ids(whole.Data), followed, "limit %d", limit)
	}
	var beyond shownList[shownObservation]
	p.reads(t, &beyond, "/api/public/observations", append(slices.Clone(onDay), "page", "1000000000")...)
	require.Empty(t, beyond.Data)
	require.Equal(t, all, beyond.Meta.TotalItems)
}

// What cannot be is said, in the form of the API.
func TestLangfuseReadErrors(t *testing.T) {
	p := startRead(t)
	for _, tt := range []struct {
		path  string
		query []string
		code  int
		says  string
	}{
		{"traces/nope", nil, 404, `no trace with the id \"nope\"`},
		{"traces/" + strings.Repeat("%C3%BF", 1000), nil, 404, "no trace"},
		{"traces/" + strings.Repeat("0", 32), nil, 404, "no trace"},
		{"observations/x%2Fy%20z", nil, 404, "no observation"},
		{"sessions/%00%22%7D", nil, 404, "no session"},
		{"scores/nope", nil, 404, "no score"},
		{"traces", []string{"limit", "101"}, 400, "want a number from 1 to 100"},
		{"traces", []string{"limit", "0"}, 400, "want a number from 1 to 100"},
		{"traces", []string{"page", "0"}, 400, "invalid page"},
		{"v2/observations", []string{"limit", "1001"}, 400, "from 1 to 1000"},
		{"v2/observations", []string{"cursor", "AAAA"}, 400, "invalid cursor"},
		{"v2/observations", []string{"fields", "all"}, 400, "no group"},
		{"v2/observations", []string{"parseIoAsJson", "true"}, 400, "parseIoAsJson"},
		{"traces", []string{"fromTimestamp", "yesterday"}, 400, "want a time such as"},
		{"traces", []string{"fromTimestamp", "2026-11-22T00:00:00Z", "toTimestamp", "2026-11-21T00:00:00Z"}, 400, "ends before it begins"},
		{"traces", []string{"fromTimestamp", "2026-01-01T00:00:00Z", "toTimestamp", "2026-11-21T00:00:00Z"}, 422, "querier.max-search-range"},
		{"traces", []string{"orderBy", "name.asc"}, 400, "want timestamp.desc"},
		{"traces", []string{"filter", "[]"}, 400, "filter is not supported"},
		{"observations", []string{"type", "generation"}, 400, "want SPAN"},
		{"observations", []string{"level", "error"}, 400, "want DEBUG"},
		{"v2/scores", []string{"source", "nobody"}, 400, "want API, EVAL or ANNOTATION"},
		{"v2/scores", []string{"value", "1", "operator", "= 1 || true"}, 400, "invalid operator"},
		{"v2/scores", []string{"value", "x", "operator", "<"}, 400, "want a number"},
		{"v3/scores", []string{"valueMin", "NaN"}, 400, "want a number"},
	} {
		got := p.do(t, http.MethodGet, p.readURL("/api/public/"+tt.path, tt.query...), nil, nil)
		require.Equal(t, tt.code, got.code, "%s %v: %s", tt.path, tt.query, got.body)
		require.Contains(t, string(got.body), tt.says)
		var reply struct{ Message, Error string }
		require.NoError(t, json.Unmarshal(got.body, &reply), "%s", got.body)
		require.NotEmpty(t, reply.Error)
	}
	got := p.do(t, http.MethodGet, p.readURL("/api/public/traces"), http.Header{"X-Scope-Orgid": {"a|b"}}, nil)
	require.Equal(t, http.StatusBadRequest, got.code)
	require.Contains(t, string(got.body), "must name one project")
}

// Traces that are deleted by their original ids are gone from every answer, as by any
// erasure.
func TestLangfuseDeletes(t *testing.T) {
	p := startRead(t)
	var traces shownList[struct{ ID string }]
	p.reads(t, &traces, "/api/public/traces", onTheDay...)
	require.Len(t, traces.Data, 4)
	remove := func(path, body string) answer {
		return p.do(t, http.MethodDelete, p.readURL(path), http.Header{"Content-Type": {"application/json"}}, []byte(body))
	}
	require.Equal(t, http.StatusNotFound, remove("/api/public/traces/nope", "").code)
	require.Equal(t, http.StatusNotFound, remove("/api/public/traces", `{"traceIds":["nope","no"]}`).code)
	for _, body := range []string{"", "{", `{"traceIds":[]}`, `{"traceIds":[""]}`} {
		require.Equal(t, http.StatusBadRequest, remove("/api/public/traces", body).code, body)
	}
	got := remove("/api/public/traces/"+traces.Data[0].ID, "")
	require.Equal(t, http.StatusOK, got.code, "%s", got.body)
	require.Contains(t, string(got.body), "1 traces")
	require.Equal(t, http.StatusNotFound, p.do(t, http.MethodGet, p.readURL("/api/public/traces/"+traces.Data[0].ID), nil, nil).code)
	got = remove("/api/public/traces", fmt.Sprintf(`{"traceIds":[%q,%q,%q,"nope"]}`, traces.Data[1].ID, traces.Data[2].ID, traces.Data[3].ID))
	require.Equal(t, http.StatusOK, got.code, "%s", got.body)
	p.reads(t, &traces, "/api/public/traces", onTheDay...)
	require.Empty(t, traces.Data)
	require.Zero(t, p.found(t, `{ span.session.id = "sess-42" }`))
	var list struct{ Erasures []struct{ Traces int } }
	require.NoError(t, json.Unmarshal(p.api(t, http.MethodGet, "/api/projects/default/erasures").body, &list))
	require.Len(t, list.Erasures, 2)
}
