package querier_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/llm/price"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/querier"
	"github.com/spanlake/spanlake/schema"
)

// settings are those of the projects of a test, nothing set at first.
type settings struct {
	mu   sync.Mutex
	each map[schema.ProjectID]project.Project
	err  error
	from querier.Projects // that is asked instead, if there is one
}

func (s *settings) Project(id schema.ProjectID) (project.Project, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from != nil {
		return s.from.Project(id)
	}
	p := s.each[id]
	p.ID = id
	return p, s.err
}

func (s *settings) Prices(id schema.ProjectID) *price.Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.from != nil {
		return s.from.Prices(id)
	}
	return price.Shipped()
}

func (s *settings) set(id schema.ProjectID, p project.Project) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.each == nil {
		s.each = make(map[schema.ProjectID]project.Project)
	}
	s.each[id] = p
}

const traceC = "000000000000000000000000000000cc"

// TestRetention: what ended before a project's retention is in no answer, from
// the moment in which it is set, and does not count for what else is said of
// its trace.
func TestRetention(t *testing.T) {
	w := newWorld(t, nil)
	at := func(seconds int) uint64 { return uint64(base+seconds) * 1e9 }
	row := func(trace string, id, parent byte, name string, start, end int) schema.Span {
		r := rowsOf(w, span(trace, id, name, start))[0]
		r.EndNanos = at(end)
		if parent > 0 {
			r.ParentSpanID = schema.SpanID{parent, 0, 0, 0, 0, 0, 0, 1}
		}
		return r
	}
	// Trace aa has a root that expires, in a block with newer rows, and children
	// that do not. Trace bb is all old, in a block of its own.
	w.storeRows([]schema.Span{row(traceA, 1, 0, "old-root", 0, 50), row(traceA, 2, 1, "young-child", 60, 200)})
	w.storeRows([]schema.Span{row(traceA, 3, 1, "young", 150, 210)})
	w.storeRows([]schema.Span{row(traceB, 4, 0, "old", 10, 99)})
	w.storeIn("other", []schema.Span{row(traceC, 5, 0, "others-old", 10, 99)})
	keep := func(id schema.ProjectID, horizon int) {
		w.settings.set(id, project.Project{Retention: project.Retention(time.Since(time.Unix(int64(base+horizon), 0)))})
	}
	within := fmt.Sprintf("start=%d&end=%d", base-10, base+1000)
	answers := map[string]string{
		"trace aa":      "/api/v2/traces/" + traceA,
		"trace bb":      "/api/traces/" + traceB,
		"search":        "/api/search?q=%7B%7D&" + within,
		"by name":       "/api/search?q=%7Bname%3D~%22old.*%22%7D&" + within,
		"by the root":   "/api/search?q=%7BrootName%3D%22old-root%22%7D&" + within,
		"by structure":  "/api/search?q=%7Bname%3D%22old-root%22%7D%3E%3E%7B%7D&" + within,
		"rate":          "/api/metrics/query?q=%7B%7D%7Crate()by(name)&" + within,
		"values":        "/api/search/tag/name/values?" + within,
		"roots' values": "/api/v2/search/tag/rootName/values?" + within,
	}
	for name, path := range answers {
		require.Contains(t, w.get(path).body, "old", name+": nothing has expired yet")
	}
	keep(schema.DefaultProject, 100)
	for name, path := range answers {
		require.NotContains(t, w.get(path).body, "old", name)
	}
	body := w.get(answers["search"]).body
	require.Contains(t, body, fmt.Sprintf(`"startTimeUnixNano":"%d"`, at(60)), "a trace begins with what is left of it")
	require.Contains(t, body, "root span not yet received")
	require.Contains(t, w.get(answers["trace aa"]).body, "young-child")
	require.Equal(t, http.StatusNotFound, w.get(answers["trace bb"]).status)
	require.Contains(t, w.get(answers["rate"]).body, "young-child")

	// Of several projects each has its own.
	both := w.get(answers["search"], "X-Scope-OrgID", "default|other").body
	require.Contains(t, both, "others-old")
	keep("other", 100)
	both = w.get(answers["search"], "X-Scope-OrgID", "default|other").body
	require.NotContains(t, both, "others-old")
	require.Contains(t, both, "root span not yet received")

	// To the second: what ended a second before is gone, a minute after is not.
	keep(schema.DefaultProject, 49)
	require.Contains(t, w.get(answers["by name"]).body, "old")
	keep(schema.DefaultProject, 51)
	require.NotContains(t, w.get(answers["trace aa"]).body, "old-root")
	require.Contains(t, w.get(answers["trace bb"]).body, "old")
}

func TestSettingsThatCannotBeRead(t *testing.T) {
	w := newWorld(t, nil)
	for err, code := range map[error]int{
		project.ErrSettings: http.StatusServiceUnavailable, project.ErrUnavailable: http.StatusServiceUnavailable, project.ErrDeleted: http.StatusForbidden,
	} {
		w.settings.err = err
		require.Equal(t, code, w.get("/api/traces/"+traceA).status)
	}
}
