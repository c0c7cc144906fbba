package querier

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spanlake/spanlake/internal/catalog"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// requestError is the client's fault: answered with 400 and its text.
type requestError struct{ text string }

func (e *requestError) Error() string { return e.text }

func badRequest(format string, args ...any) error {
	return &requestError{fmt.Sprintf(format, args...)}
}

// IsRequestError reports whether an error is the fault of who asked.
func IsRequestError(err error) bool { return err != nil && status(err) == http.StatusBadRequest }

// statusClientClosed is what Tempo answers when the client has gone away.
const statusClientClosed = 499

// status maps an error to its HTTP status, by the matrix of Tempo's API.
func status(err error) int {
	var request *requestError
	var query *traceql.Error
	var limit *limitError
	var timeout *timeoutError
	var busy *busyError
	switch {
	case errors.As(err, &request), errors.As(err, &query), errors.Is(err, schema.ErrBadID), errors.Is(err, schema.ErrBadProject):
		return http.StatusBadRequest
	case errors.Is(err, ErrNotFound):
		return http.StatusNotFound
	case errors.As(err, &limit):
		return http.StatusUnprocessableEntity
	case errors.As(err, &busy):
		return http.StatusTooManyRequests
	case errors.Is(err, context.Canceled), errors.Is(err, errClientGone):
		return statusClientClosed
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.Is(err, project.ErrDeleted):
		return http.StatusForbidden
	case errors.Is(err, project.ErrUnavailable), errors.Is(err, project.ErrSettings):
		return http.StatusServiceUnavailable
	case errors.Is(err, wal.ErrUnavailable), errors.Is(err, wal.ErrClosed), errors.Is(err, catalog.ErrUnsettled):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
