package querier

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/schema"
)

// Route is a path of an API beside Tempo's, as a pattern of http.ServeMux with a
// method.
type Route struct {
	Pattern string
	Scope   project.Scope // that its keys need
	Handler http.Handler
	// Refuse answers who may not do it; nil: with a text.
	Refuse func(w http.ResponseWriter, status int, message string)
}

// ErrNotFound is answered with 404.
var ErrNotFound = errors.New("not found")

// BadRequest is an error that is answered with 400.
func BadRequest(format string, args ...any) error { return badRequest(format, args...) }

// TooMuch is an error that is answered with 422, as that of a limit of queries.
func TooMuch(format string, args ...any) error { return &limitError{fmt.Sprintf(format, args...)} }

// ServeJSON serves a path of one project whose answers are JSON, within the limits of
// queries. failure is what a failed request is answered with; name is that of the
// metric.
func (q *Querier) ServeJSON(
	name string, f func(ctx context.Context, id schema.ProjectID, req *http.Request) (any, error), failure func(status int, message string) any,
) http.HandlerFunc {
	serve := func(ctx context.Context, projects []schema.ProjectID, req *http.Request) (reply, error) {
		if len(projects) != 1 {
			return reply{}, badRequest("%s must name one project here, not %d", headerProject, len(projects))
		}
		answer, err := f(ctx, projects[0], req)
		if err != nil {
			return reply{}, err
		}
		body, err := json.Marshal(answer)
		return reply{contentType: contentJSON, body: body}, err
	}
	return q.serveAs(name, serve, func(status int, err error) reply {
		body, marshalErr := json.Marshal(failure(status, err.Error()))
		if marshalErr != nil {
			return failedText(status, err)
		}
		return reply{status: status, contentType: contentJSON, body: body}
	})
}

// failedText is what Tempo's API answers when a query failed.
func failedText(status int, err error) reply {
	return reply{status: status, contentType: contentText, body: []byte(err.Error())}
}
