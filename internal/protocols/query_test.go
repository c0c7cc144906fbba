package protocols_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/access"
	"github.com/spanlake/spanlake/internal/objstore/mem"
	"github.com/spanlake/spanlake/internal/project"
	"github.com/spanlake/spanlake/internal/protocols"
)

// TestProtectQueries: who has no key does not come in, and is told so as clients of the
// path expect.
func TestProtectQueries(t *testing.T) {
	guard := access.New(access.ModeKeys, prometheus.NewRegistry())
	directory := project.NewDirectory(mem.New(), project.Options{Registerer: prometheus.NewRegistry()})
	require.NoError(t, directory.Refresh(t.Context()))
	guard.Use(directory)
	handler := protocols.ProtectQueries(guard, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("came in") }))
	for _, test := range []struct{ path, contentType, failure string }{
		{"/api/search", "text/plain; charset=utf-8", ""},
		{"/api/runsaway", "text/plain; charset=utf-8", ""},
		{"/api/public/traces", "application/json", "UnauthorizedError"},
		{"/jaeger/api/services", "application/json", ""},
		{"/runs/1", "application/json", ""},
		{"/api/v1/runs/1", "application/json", ""},
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, test.path, nil))
		require.Equal(t, http.StatusUnauthorized, w.Code, test.path)
		require.NotEmpty(t, w.Header().Get("WWW-Authenticate"), test.path)
		require.Equal(t, test.contentType, w.Header().Get("Content-Type"), test.path)
		if test.contentType != "application/json" {
			continue
		}
		if strings.HasPrefix(test.path, "/jaeger/") {
			var told struct{ Errors []struct{ Msg string } }
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &told), test.path)
			require.Contains(t, told.Errors[0].Msg, "a key is needed", test.path)
			continue
		}
		var told struct{ Message, Error string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &told), test.path)
		require.Equal(t, test.failure, told.Error, test.path)
		require.Contains(t, told.Message, "a key is needed", test.path)
	}
}
