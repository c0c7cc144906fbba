package failure_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/failure"
)

func TestTell(t *testing.T) {
	for _, test := range []struct {
		name   string
		tell   func(http.ResponseWriter, int, string)
		status int
		want   string
	}{
		{"Langfuse, a request that is wrong", failure.TellLangfuse, http.StatusBadRequest, `{"message":"why \"so\"","error":"InvalidRequestError"}`},
		{"Langfuse, no key", failure.TellLangfuse, http.StatusUnauthorized, `{"message":"why \"so\"","error":"UnauthorizedError"}`},
		{"Langfuse, another key", failure.TellLangfuse, http.StatusForbidden, `{"message":"why \"so\"","error":"ForbiddenError"}`},
		{"Langfuse, nothing there", failure.TellLangfuse, http.StatusNotFound, `{"message":"why \"so\"","error":"LangfuseNotFoundError"}`},
		{"Langfuse, what it has no name for", failure.TellLangfuse, http.StatusServiceUnavailable, `{"message":"why \"so\"","error":"Service Unavailable"}`},
		{"a text", failure.TellMessage, http.StatusNotFound, `{"message":"why \"so\""}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			test.tell(w, test.status, `why "so"`)
			require.Equal(t, test.status, w.Code)
			require.Equal(t, test.want, w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			require.EqualValues(t, w.Body.Len(), w.Result().ContentLength)
		})
	}
}
