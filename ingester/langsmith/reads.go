package langsmith

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"github.com/spanlake/spanlake/ingester"
	"github.com/spanlake/spanlake/schema"
)

// session is what LangSmith calls a project of its own: what runs name in
// session_name, the service of their spans.
type session struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	TenantID string `json:"tenant_id"`
	// StartTime is that of the newest trace: nothing else is known of it.
	StartTime string `json:"start_time"`
}

// sessions answers whether there is a session with a name, that of runs of the last
// weeks.
func (h *Handler) sessions(req *ingester.Request) (int, any, error) {
	name := req.URL.Query().Get("name")
	switch {
	case name == "":
		return 0, nil, fmt.Errorf("%w: name is missing: sessions are found by their names", ingester.ErrBadRequest)
	case h.spans == nil:
		return 0, nil, fmt.Errorf("%w: this process answers no queries", ingester.ErrNotHere)
	}
	start, found, err := h.spans.LastOf(req.Context(), req.Project, name)
	if err != nil {
		return 0, nil, &ingester.RefusedError{Err: fmt.Errorf("look for session %q: %w", name, err), RetryAfter: time.Second}
	}
	list := []session{}
	if found {
		at := time.Unix(0, int64(start)).UTC() //nolint:gosec // a time
		list = append(list, session{
			ID: uuidOf("session", req.Project, name), Name: name, TenantID: uuidOf("tenant", req.Project, ""), StartTime: at.Format(time.RFC3339Nano),
		})
	}
	return http.StatusOK, list, nil
}

// settings are those of a project, as far as LangSmith has them.
type settings struct {
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	Handle      string `json:"tenant_handle"`
}

func (h *Handler) settings(req *ingester.Request) (int, any, error) {
	name := string(req.Project)
	return http.StatusOK, settings{ID: uuidOf("tenant", req.Project, ""), DisplayName: name, Handle: name}, nil
}

// uuidOf is an id that is always the same, in the form that SDKs require: a UUID of
// version 8 (RFC 9562), the one for ids that are made as one likes.
func uuidOf(kind string, project schema.ProjectID, name string) string {
	id := sha256.Sum256([]byte("langsmith\x00" + kind + "\x00" + string(project) + "\x00" + name))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:16])
}
