package event_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/functions/internal/event"
)

// echo answers with what it has seen of a request.
func echo(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body) // from memory
	w.Header().Add("X-Two", "a")
	w.Header().Add("X-Two", "b")
	w.WriteHeader(http.StatusAccepted)
	w.Header().Set("X-Late", "not sent")
	w.WriteHeader(http.StatusTeapot) // the second one does not count
	_, _ = io.WriteString(w, strings.Join([]string{req.Method, req.URL.Path, req.URL.RawQuery, req.Host, req.RemoteAddr, req.Header.Get("X-Scope-OrgID"), string(body)}, " "))
}

func TestServe(t *testing.T) {
	const context = `"requestContext":{"domainName":"h","stage":"%","http":{"method":"POST","sourceIp":"192.0.2.7"}}`
	of := func(stage string) string { return strings.ReplaceAll(context, "%", stage) }
	for _, test := range []struct {
		name, event string
		want        string
		base64      bool
	}{
		{"plain", `{"version":"2.0","rawPath":"/v1/traces","rawQueryString":"a=b&c","headers":{"x-scope-orgid":"shop"},"body":"{}",` + of("$default") + `}`, "POST /v1/traces a=b&c h 192.0.2.7 shop {}", false},
		{"base64", `{"version":"2.0","rawPath":"/","body":"aGk=","isBase64Encoded":true,` + of("$default") + `}`, "POST /  h 192.0.2.7  hi", false},
		{"no body", `{"version":"2.0","rawPath":"/a%20b",` + of("$default") + `}`, "POST /a b  h 192.0.2.7  ", false},
		{"a stage is no part of the path", `{"version":"2.0","rawPath":"/prod/v1/traces",` + of("prod") + `}`, "POST /v1/traces  h 192.0.2.7  ", false},
		{"bytes that are no text", `{"version":"2.0","rawPath":"/","body":"/w==","isBase64Encoded":true,` + of("$default") + `}`, "UE9TVCAvICBoIDE5Mi4wLjIuNyAg/w==", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			raw, err := event.Serve(t.Context(), http.HandlerFunc(echo), json.RawMessage(test.event))
			require.NoError(t, err)
			var got events.APIGatewayV2HTTPResponse
			require.NoError(t, json.Unmarshal(raw, &got))
			require.Equal(t, http.StatusAccepted, got.StatusCode)
			require.Equal(t, map[string]string{"X-Two": "a, b"}, got.Headers)
			require.Equal(t, test.want, got.Body)
			require.Equal(t, test.base64, got.IsBase64Encoded)
		})
	}
}

func TestServeRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty": `{}`, "not an object": `[]`, "a schedule": `{"task":"compact"}`,
		"format 1.0":  `{"version":"1.0","httpMethod":"POST","path":"/"}`,
		"bad base64":  `{"version":"2.0","rawPath":"/","body":"*","isBase64Encoded":true,"requestContext":{"http":{"method":"POST"}}}`,
		"no path":     `{"version":"2.0","requestContext":{"http":{"method":"POST"}}}`,
		"bad path":    `{"version":"2.0","rawPath":"/%zz","requestContext":{"http":{"method":"POST"}}}`,
		"other host":  `{"version":"2.0","rawPath":"//host/x","requestContext":{"http":{"method":"POST"}}}`,
		"bad method":  `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"P T"}}}`,
		"wrong types": `{"version":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := event.Serve(t.Context(), http.NotFoundHandler(), json.RawMessage(text))
			require.ErrorIs(t, err, event.ErrNotHTTP)
			_, err = event.Stream(t.Context(), http.NotFoundHandler(), json.RawMessage(text))
			require.ErrorIs(t, err, event.ErrNotHTTP)
		})
	}
}

func FuzzServe(f *testing.F) {
	f.Add([]byte(`{"version":"2.0","rawPath":"/v1/traces","headers":{"a":"b"},"body":"aGk=","isBase64Encoded":true,"requestContext":{"stage":"x","http":{"method":"POST"}}}`))
	f.Add([]byte(`{"version":"2.0","rawPath":"/x/%2f?#","rawQueryString":"#%","requestContext":{"stage":"x","http":{"method":"GET"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := event.Serve(t.Context(), http.HandlerFunc(echo), text)
		if err != nil {
			require.ErrorIs(t, err, event.ErrNotHTTP)
			return
		}
		require.True(t, json.Valid(got))
	})
}
