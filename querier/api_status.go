package querier

import (
	"cmp"
	"encoding/json"
	"net/http"
	"runtime"
	"strings"
)

// BuildInfo describes the program, in the form of Tempo's API. Version is what
// old Grafana versions read to learn which endpoints there are.
type BuildInfo struct {
	Version   string `json:"version"`
	Revision  string `json:"revision"`
	Branch    string `json:"branch"`
	BuildUser string `json:"buildUser"`
	BuildDate string `json:"buildDate"`
	GoVersion string `json:"goVersion"`
}

// grafanaVersion is the version of the Tempo API that is answered: Grafana
// versions that ask compare it to decide what they may use.
const grafanaVersion = "2.10.0"

// NewBuildInfo describes a program of a version and revision, of which either may be
// empty.
func NewBuildInfo(version, revision string) BuildInfo {
	return BuildInfo{Version: grafanaVersion + "+spanlake." + semverLabel(version), Revision: revision}
}

// semverLabel makes a version fit into the build part of a semantic version.
func semverLabel(version string) string {
	label := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '-', r == '.':
			return r
		}
		return '-'
	}, strings.TrimPrefix(version, "v"))
	return cmp.Or(label, "dev")
}

func echo(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", contentText)
	_, _ = w.Write([]byte("echo\n"))
}

func (q *Querier) buildInfo(w http.ResponseWriter, _ *http.Request) {
	info := q.build
	info.GoVersion = runtime.Version()
	w.Header().Set("Content-Type", contentJSON)
	body, _ := json.Marshal(info) // strings always marshal
	_, _ = w.Write(body)
}
