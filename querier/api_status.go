package querier

import (
	"encoding/json"
	"net/http"
	"runtime"
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
