package test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// server is a started server with sample data: requests that SDKs of LLM applications
// sent, scores among them, and those of the conformance data.
type server struct {
	t         *testing.T
	api, otlp string
}

func startLoaded(t *testing.T, more ...string) *server {
	t.Helper()
	s := &server{t: t, api: "http://" + freeAddr(t), otlp: "http://" + freeAddr(t)}
	start(t, append([]string{
		"serve", "-data-dir=" + t.TempDir(), "-api.addr=" + strings.TrimPrefix(s.api, "http://"),
		"-otlp.http-addr=" + strings.TrimPrefix(s.otlp, "http://"), "-otlp.grpc-addr=127.0.0.1:0",
	}, more...))
	require.Eventually(t, func() bool { return status(t, s.api+"/ready") == http.StatusOK }, time.Minute, 20*time.Millisecond)
	s.load()
	return s
}

func (s *server) do(method, address string, header map[string]string, body []byte) (int, []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, address, bytes.NewReader(body))
	require.NoError(s.t, err)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(s.t, err)
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return resp.StatusCode, answer
}

const corpusDir = "../../internal/corpus/data"

func (s *server) load() {
	s.t.Helper()
	read := func(name string) []byte {
		data, err := os.ReadFile(name)
		require.NoError(s.t, err)
		return data
	}
	var captures []struct {
		Protocol string            `json:"protocol"`
		Path     string            `json:"path"`
		Header   map[string]string `json:"header"`
		File     string            `json:"file"`
	}
	require.NoError(s.t, json.Unmarshal(read(corpusDir+"/captures/index.json"), &captures))
	for _, c := range captures {
		header := map[string]string{"content-type": c.Header["content-type"]}
		if encoding := c.Header["content-encoding"]; encoding != "" {
			header["content-encoding"] = encoding
		}
		if c.Protocol == "grpc" {
			c.Path, header = "/v1/traces", map[string]string{"content-type": "application/x-protobuf"}
		}
		code, answer := s.do(http.MethodPost, s.otlp+c.Path, header, read(filepath.Join(corpusDir, "captures", filepath.Base(c.File))))
		require.Equal(s.t, http.StatusOK, code, "%s: %s", c.File, answer)
	}
	batches, err := filepath.Glob("../../ingester/langfuse/testdata/wire/*/*-post-ingestion.json")
	require.NoError(s.t, err)
	require.NotEmpty(s.t, batches)
	for _, file := range batches {
		var c struct {
			Body json.RawMessage `json:"body"`
		}
		require.NoError(s.t, json.Unmarshal(read(file), &c))
		code, answer := s.do(http.MethodPost, s.otlp+"/api/public/ingestion", map[string]string{"content-type": "application/json"}, c.Body)
		require.Equal(s.t, http.StatusMultiStatus, code, "%s: %s", file, answer)
	}
	data, err := filepath.Glob(corpusDir + "/conformance/dataset-*.pb.zst")
	require.NoError(s.t, err)
	require.NotEmpty(s.t, data)
	decoder, err := zstd.NewReader(nil)
	require.NoError(s.t, err)
	defer decoder.Close()
	for _, file := range data {
		body, err := decoder.DecodeAll(read(file), nil)
		require.NoError(s.t, err)
		code, answer := s.do(http.MethodPost, s.otlp+"/v1/traces", map[string]string{"content-type": "application/x-protobuf"}, body)
		require.Equal(s.t, http.StatusOK, code, "%s: %s", file, answer)
	}
	// Into blocks, as all that is older than a minute is.
	code, _ := s.do(http.MethodPost, s.api+"/flush", nil, nil)
	require.Equal(s.t, http.StatusNoContent, code)
}

// ranges are when the sample data are from.
func ranges() [2][2]time.Time {
	day := func(month time.Month, d, hour int) time.Time {
		return time.Date(2026, month, d, hour, 0, 0, 0, time.UTC)
	}
	return [2][2]time.Time{{day(time.November, 21, 0), day(time.November, 22, 0)}, {day(time.January, 15, 9), day(time.January, 15, 13)}}
}

func (s *server) get(path string, at [2]time.Time, params url.Values, to any) {
	s.t.Helper()
	params.Set("start", strconv.FormatInt(at[0].Unix(), 10))
	params.Set("end", strconv.FormatInt(at[1].Unix(), 10))
	code, answer := s.do(http.MethodGet, s.api+path+"?"+params.Encode(), nil, nil)
	require.Equal(s.t, http.StatusOK, code, "%s: %s", params.Get("q"), answer)
	require.NoError(s.t, json.Unmarshal(answer, to))
}

// Every query of Tempo's data source gives data, with everything chosen in the
// variables and with each value that they offer.
func TestDashboardsShowTraces(t *testing.T) {
	s, asked := startLoaded(t), 0
	for _, d := range dashboards(t) {
		all, each := map[string]string{}, map[string]string{}
		for _, v := range d.Templating.List {
			if v.Datasource.Type == "tempo" {
				all[v.Name] = v.AllValue
				each[v.Name] = strings.Join(s.offered(v), "|") // as Grafana writes several
			}
		}
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				if p.Datasource.Type != "tempo" {
					continue
				}
				require.Equal(t, "traceql", q.QueryType)
				for name, values := range map[string]map[string]string{"all": all, "each": each} {
					t.Run(d.UID+", "+p.Title+", "+q.RefID+", "+name, func(t *testing.T) {
						query := q
						query.Query = variableName.ReplaceAllStringFunc(q.Query, func(v string) string { return values[v[1:]] })
						require.True(t, s.has(query), query.Query)
					})
					asked++
				}
			}
		}
	}
	require.Greater(t, asked, 80)
}

// offered is what a variable offers, by the requests that Grafana makes for it: where
// the tag is, then its values. Those that would end a text of TraceQL, or mean
// something in a regular expression, Grafana does not escape.
func (s *server) offered(v templateVariable) (values []string) {
	s.t.Helper()
	var query struct {
		RefID string `json:"refId"`
		Type  int    `json:"type"`
		Label string `json:"label"`
	}
	require.NoError(s.t, json.Unmarshal(v.Query, &query))
	require.Equal(s.t, 1, query.Type, "values of a tag")
	plain := regexp.MustCompile(`^[\w ./:@-]+$`)
	for _, at := range ranges() {
		var tags struct {
			Scopes []struct {
				Name string   `json:"name"`
				Tags []string `json:"tags"`
			} `json:"scopes"`
		}
		s.get("/api/v2/search/tags", at, url.Values{}, &tags)
		for _, scope := range tags.Scopes {
			if !slices.Contains(scope.Tags, query.Label) {
				continue
			}
			var told struct {
				TagValues []struct {
					Value string `json:"value"`
				} `json:"tagValues"`
			}
			s.get("/api/v2/search/tag/"+scope.Name+"."+query.Label+"/values", at, url.Values{}, &told)
			for _, value := range told.TagValues {
				if plain.MatchString(value.Value) {
					values = append(values, value.Value)
				}
			}
			break
		}
	}
	require.NotEmpty(s.t, values, v.Name)
	return values
}

// has asks a query as Grafana does and reports whether there is anything to see.
func (s *server) has(q target) bool {
	s.t.Helper()
	for _, at := range ranges() {
		params := url.Values{"q": {q.Query}}
		var told struct {
			Traces []struct{ TraceID string } `json:"traces"`
			Series []struct {
				Value   float64                   `json:"value"`
				Samples []struct{ Value float64 } `json:"samples"`
			} `json:"series"`
		}
		switch q.MetricsQueryType {
		case "range":
			params.Set("step", strconv.Itoa(int(at[1].Sub(at[0]).Seconds())/100)+"s")
			s.get("/api/metrics/query_range", at, params, &told)
		case "instant":
			s.get("/api/metrics/query", at, params, &told)
		default:
			params.Set("limit", strconv.Itoa(q.Limit))
			params.Set("spss", strconv.Itoa(q.SpansPerSpanSet))
			s.get("/api/search", at, params, &told)
		}
		if len(told.Traces) > 0 {
			return true
		}
		for _, series := range told.Series {
			if series.Value != 0 || slices.ContainsFunc(series.Samples, func(v struct{ Value float64 }) bool { return v.Value != 0 }) {
				return true
			}
		}
	}
	return false
}

// exercise does what changes metrics: it sends what is refused, and asks.
func (s *server) exercise() {
	s.t.Helper()
	s.load()
	const span = `{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00","spanId":"01","name":"no id"}]}]}]}`
	for _, r := range []struct {
		header map[string]string
		body   string
	}{
		{map[string]string{"content-type": "application/json"}, span},
		{map[string]string{"content-type": "application/x-protobuf"}, "no protobuf"},
		{map[string]string{"content-type": "application/json", "X-Scope-OrgID": "NO PROJECT"}, span},
	} {
		_, _ = s.do(http.MethodPost, s.otlp+"/v1/traces", r.header, []byte(r.body))
	}
	for _, query := range []string{"{ status = error }", "{ no query"} {
		_, _ = s.do(http.MethodGet, s.api+"/api/search?q="+url.QueryEscape(query), nil, nil)
	}
}

// scrape reads all samples of /metrics by their series, as Prometheus would name them.
func (s *server) scrape() map[string]float64 {
	s.t.Helper()
	code, text := s.do(http.MethodGet, s.api+"/metrics", nil, nil)
	require.Equal(s.t, http.StatusOK, code)
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(s.t, err)
	samples := map[string]float64{`up{instance="a:3200",job="spanlake"}`: 1}
	for _, family := range families {
		vector, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.Now()}, family)
		require.NoError(s.t, err)
		for _, sample := range vector {
			sample.Metric["instance"], sample.Metric["job"] = "a:3200", "spanlake"
			samples[sample.Metric.String()] = float64(sample.Value)
		}
	}
	return samples
}

// scraped is what Prometheus has of a server that was scraped twice, a minute apart,
// while it had something to do.
func (s *server) scraped() storage.Queryable {
	s.t.Helper()
	s.exercise()
	first := s.scrape()
	s.exercise()
	second := s.scrape()
	var load strings.Builder
	load.WriteString("load 1m\n")
	for _, name := range slices.Sorted(maps.Keys(second)) {
		if before, ok := first[name]; ok {
			fmt.Fprintf(&load, "  %s %g %g\n", name, before, second[name])
		}
	}
	stored := promqltest.LoadedStorage(s.t, load.String())
	s.t.Cleanup(func() { _ = stored.Close() })
	return stored
}

func ask(t *testing.T, stored storage.Queryable, expr string) promql.Vector {
	t.Helper()
	return askAt(t, stored, expr, time.Unix(60, 0))
}

func askAt(t *testing.T, stored storage.Queryable, expr string, at time.Time) promql.Vector {
	t.Helper()
	query, err := prometheus(t).NewInstantQuery(t.Context(), stored, nil, expr, at)
	require.NoError(t, err, expr)
	defer query.Close()
	vector, err := query.Exec(t.Context()).Vector()
	require.NoError(t, err, expr)
	return slices.Clone(vector)
}

// Every query of Prometheus' data source gives data of what a real server says of
// itself, and every alert looks at series that there are, and is quiet.
func TestDashboardsShowMetrics(t *testing.T) {
	s := startLoaded(t)
	stored, asked := s.scraped(), 0
	for _, d := range dashboards(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				if p.Datasource.Type != "prometheus" {
					continue
				}
				for _, instance := range []string{".*", "a:3200|b:3200"} {
					expr := strings.NewReplacer("$instance", instance, "$__rate_interval", "1m").Replace(q.Expr)
					expr = strings.ReplaceAll(expr, "[1m]", "[2m]") // four scrapes and more, says Grafana; here there are two
					found := slices.ContainsFunc(ask(t, stored, expr), func(v promql.Sample) bool { return !math.IsNaN(v.F) })
					require.True(t, found, "%s, %s: %s", d.UID, p.Title, expr)
					asked++
				}
			}
		}
	}
	require.Greater(t, asked, 60)
	for _, r := range alertRules(t) {
		expr, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
		require.NoError(t, err)
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			if selector, ok := node.(*parser.VectorSelector); ok {
				require.NotEmpty(t, ask(t, stored, selector.Name), "%s: %s", r.Alert, selector.Name)
			}
			return nil
		})
		if r.Alert != "SpanlakeCompactorFails" { // whose time is the clock's
			require.Empty(t, ask(t, stored, r.Expr), r.Alert)
		}
	}
}

// The dashboards are where Grafana is told to look for them, and Prometheus' rules
// where it is told to.
func TestProvisioning(t *testing.T) {
	mounts := func(service string) map[string]string {
		mounted := map[string]string{}
		for _, v := range project(t).Services[service].Volumes {
			mounted[v.Target] = v.Source
		}
		return mounted
	}
	absolute := func(name string) string {
		name, err := filepath.Abs(name)
		require.NoError(t, err)
		return name
	}
	provisioning := func(target string, to any) {
		text, err := os.ReadFile(mounts("grafana")["/etc/grafana/provisioning/"+target])
		require.NoError(t, err)
		require.NoError(t, yaml.Unmarshal(text, to))
	}
	var providers struct {
		Providers []struct {
			Type    string `json:"type"`
			Options struct {
				Path string `json:"path"`
			} `json:"options"`
		} `json:"providers"`
	}
	provisioning("dashboards/spanlake.yaml", &providers)
	require.Len(t, providers.Providers, 1)
	require.Equal(t, "file", providers.Providers[0].Type)
	require.Equal(t, absolute(dashboardDir), mounts("grafana")[providers.Providers[0].Options.Path])

	types := map[string]bool{}
	for _, file := range []string{"spanlake", "prometheus"} {
		var sources struct {
			Datasources []source `json:"datasources"`
		}
		provisioning("datasources/"+file+".yaml", &sources)
		require.Len(t, sources.Datasources, 1)
		require.Equal(t, file, sources.Datasources[0].UID)
		types[sources.Datasources[0].Type] = true
	}
	for _, d := range dashboards(t) {
		for _, v := range d.Templating.List {
			if v.Type == "datasource" {
				require.Contains(t, types, strings.Trim(string(v.Query), `"`))
			}
		}
	}

	var scrapes struct {
		RuleFiles []string `json:"rule_files"`
	}
	text, err := os.ReadFile(mounts("prometheus")["/etc/prometheus/prometheus.yml"])
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &scrapes))
	require.Len(t, scrapes.RuleFiles, 1)
	require.Equal(t, absolute(alertFile), mounts("prometheus")[scrapes.RuleFiles[0]])
}
