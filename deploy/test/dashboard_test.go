package test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const dashboardDir = "../grafana/dashboards"

// source is the data source of a panel or a variable.
type source struct {
	Type string `json:"type"`
	UID  string `json:"uid"`
}

// dashboard has the parts of Grafana's form (schema version 39) that ours use: a
// part that is not here is an error.
type dashboard struct {
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Description   string   `json:"description"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Editable      bool     `json:"editable"`
	Time          struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Refresh    string `json:"refresh"`
	Templating struct {
		List []templateVariable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type templateVariable struct {
	Name       string          `json:"name"`
	Label      string          `json:"label"`
	Type       string          `json:"type"`
	Datasource source          `json:"datasource"`
	Query      json.RawMessage `json:"query"`
	Refresh    int             `json:"refresh"`
	Sort       int             `json:"sort"`
	Multi      bool            `json:"multi"`
	IncludeAll bool            `json:"includeAll"`
	AllValue   string          `json:"allValue"`
	Current    map[string]any  `json:"current"`
}

type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	GridPos struct {
		X int `json:"x"`
		Y int `json:"y"`
		W int `json:"w"`
		H int `json:"h"`
	} `json:"gridPos"`
	Datasource  source         `json:"datasource"`
	Targets     []target       `json:"targets"`
	FieldConfig map[string]any `json:"fieldConfig"`
	Options     map[string]any `json:"options"`
	Collapsed   bool           `json:"collapsed"`
	Panels      []panel        `json:"panels"`
}

// target is a query: of Tempo's data source, or of Prometheus'.
type target struct {
	RefID            string `json:"refId"`
	QueryType        string `json:"queryType"`
	MetricsQueryType string `json:"metricsQueryType"`
	Query            string `json:"query"`
	Limit            int    `json:"limit"`
	SpansPerSpanSet  int    `json:"spss"`
	TableType        string `json:"tableType"`

	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Instant      bool   `json:"instant"`
	Format       string `json:"format"`
}

func dashboards(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dashboardDir, "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 4)
	list := make([]dashboard, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		require.NoError(t, decoder.Decode(&list[i]), file)
		require.Equal(t, strings.TrimSuffix(filepath.Base(file), ".json"), strings.TrimPrefix(list[i].UID, "spanlake-"))
	}
	return list
}

var variableName = regexp.MustCompile(`\$\{?(\w+)`)

// Panels have ids of their own and do not lie over each other, and every variable that
// something names is there.
func TestDashboards(t *testing.T) {
	for _, d := range dashboards(t) {
		t.Run(d.UID, func(t *testing.T) {
			require.Equal(t, 39, d.SchemaVersion)
			known := map[string]bool{"__rate_interval": true}
			for _, v := range d.Templating.List {
				known[v.Name] = true
			}
			ids, taken := map[int]bool{}, map[[2]int]string{}
			for _, p := range d.Panels {
				require.False(t, ids[p.ID], p.Title)
				ids[p.ID] = true
				require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
				for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
					for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
						require.Empty(t, taken[[2]int{x, y}], p.Title)
						taken[[2]int{x, y}] = p.Title
					}
				}
				require.Equal(t, p.Type == "row", len(p.Targets) == 0, p.Title)
				names := p.Title + p.Datasource.UID
				for _, q := range p.Targets {
					names += q.Query + q.Expr
				}
				for _, name := range variableName.FindAllStringSubmatch(names, -1) {
					require.True(t, known[name[1]], "%s: $%s", p.Title, name[1])
				}
			}
		})
	}
}

// The chart has the dashboards and the alerts as they are in deploy/grafana, with what
// finds them there.
func TestChartHasDashboards(t *testing.T) {
	o := decode(t, "{}")
	require.Len(t, o.configMaps, 1)
	require.Empty(t, o.rules)

	o = decode(t, "dashboards: {enabled: true, annotations: {grafana_folder: spanlake}}\nprometheusRule: {enabled: true, labels: {release: prometheus}}")
	require.Len(t, o.configMaps, 2)
	for _, m := range o.configMaps {
		if m.Labels["grafana_dashboard"] == "" {
			continue
		}
		require.Equal(t, "1", m.Labels["grafana_dashboard"])
		require.Equal(t, "spanlake", m.Annotations["grafana_folder"])
		require.Len(t, m.Data, 4)
		for name, text := range m.Data {
			want, err := os.ReadFile(filepath.Join(dashboardDir, strings.TrimPrefix(name, "spanlake-")))
			require.NoError(t, err)
			require.JSONEq(t, string(want), text)
		}
	}
	require.Len(t, o.rules, 1)
	require.Equal(t, "prometheus", o.rules[0].Labels["release"])
	have, err := json.Marshal(o.rules[0].Spec)
	require.NoError(t, err)
	require.Equal(t, alertRules(t), parseRules(t, have))
}
