package event_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/functions/internal/event"
)

// getEvent is a request without anything.
const getEvent = `{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"GET"}}}`

// TestServeLimit: an answer is passed on as long as Lambda takes it, in whichever
// form is smaller, and else becomes an error that says what to do.
func TestServeLimit(t *testing.T) {
	const frame = len(`{"statusCode":200,"headers":{},"multiValueHeaders":null,"body":"","cookies":null}`)
	base64Frame := frame + len(`"isBase64Encoded":true,`)
	for _, test := range []struct {
		name  string
		body  string
		fits  bool
		coded bool
	}{
		{"the largest text", strings.Repeat("x", event.MaxAnswerBytes-frame), true, false},
		{"a larger text", strings.Repeat("x", event.MaxAnswerBytes-frame+1), false, false},
		{"a text of quotes, smaller as base64", strings.Repeat(`"`, event.MaxAnswerBytes/2+1), true, true},
		{"text that only HTML would escape", strings.Repeat("<", event.MaxAnswerBytes/3), true, false},
		{"the largest bytes", strings.Repeat("\xff", (event.MaxAnswerBytes-base64Frame)/4*3), true, true},
		{"more bytes", strings.Repeat("\xff", (event.MaxAnswerBytes-base64Frame)/4*3+3), false, false},
		{"far too many", strings.Repeat("x", 3*event.MaxAnswerBytes), false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var failed error
			raw, err := event.Serve(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for rest := []byte(test.body); len(rest) > 0 && failed == nil; {
					n := min(len(rest), 1<<20)
					_, failed = w.Write(rest[:n])
					rest = rest[n:]
				}
				if failed != nil {
					panic(http.ErrAbortHandler) // as a handler whose answer broke off
				}
			}), json.RawMessage(getEvent))
			require.NoError(t, err)
			require.LessOrEqual(t, len(raw), event.MaxAnswerBytes)
			var got events.APIGatewayV2HTTPResponse
			require.NoError(t, json.Unmarshal(raw, &got))
			require.Equal(t, test.coded, got.IsBase64Encoded)
			if !test.fits {
				require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode)
				require.Contains(t, got.Body, "Function URL that streams")
				return
			}
			require.NoError(t, failed)
			body := got.Body
			if got.IsBase64Encoded {
				decoded, err := base64.StdEncoding.DecodeString(body)
				require.NoError(t, err)
				body = string(decoded)
			}
			require.Equal(t, sha256.Sum256([]byte(test.body)), sha256.Sum256([]byte(body))) // megabytes
		})
	}
}

// TestServeBrokenOff: a handler that breaks off has no answer.
func TestServeBrokenOff(t *testing.T) {
	_, err := event.Serve(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half of")
		panic(http.ErrAbortHandler)
	}), json.RawMessage(getEvent))
	require.ErrorContains(t, err, "broke off")
}

// head is what a streamed answer begins with.
type head struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers"`
}

// cut parses a streamed answer.
func cut(t *testing.T, answer []byte) (h head, body []byte) {
	t.Helper()
	text, body, found := bytes.Cut(answer, make([]byte, 8))
	require.True(t, found)
	require.NoError(t, json.Unmarshal(text, &h))
	return h, body
}

func TestStream(t *testing.T) {
	s, err := event.Stream(t.Context(), http.HandlerFunc(echo), json.RawMessage(
		`{"version":"2.0","rawPath":"/v1","rawQueryString":"a=b","body":"aGk=","isBase64Encoded":true,"requestContext":{"domainName":"h","http":{"method":"POST"}}}`))
	require.NoError(t, err)
	answer, err := io.ReadAll(s)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	h, body := cut(t, answer)
	require.Equal(t, head{http.StatusAccepted, map[string]string{"X-Two": "a, b"}}, h)
	require.Equal(t, "POST /v1 a=b h   hi", string(body))
}

// TestStreamWhileItIsMade: what a handler flushes is there before the rest is made.
func TestStreamWhileItIsMade(t *testing.T) {
	next := make(chan struct{})
	s, err := event.Stream(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "2")
		_, _ = io.WriteString(w, "1")
		_ = http.NewResponseController(w).Flush()
		<-next
		_, _ = io.WriteString(w, "2")
	}), json.RawMessage(getEvent))
	require.NoError(t, err)
	begin := make([]byte, len(`{"headers":{},"statusCode":200}`)+8+1)
	_, err = io.ReadFull(s, begin)
	require.NoError(t, err)
	h, body := cut(t, begin)
	require.Equal(t, head{http.StatusOK, map[string]string{}}, h)
	require.Equal(t, "1", string(body))
	close(next)
	rest, err := io.ReadAll(s)
	require.NoError(t, err)
	require.Equal(t, "2", string(rest))
	require.NoError(t, s.Close())
}

// TestStreamOfNothing: a handler that writes nothing has answered all the same.
func TestStreamOfNothing(t *testing.T) {
	s, err := event.Stream(t.Context(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), json.RawMessage(getEvent))
	require.NoError(t, err)
	answer, err := io.ReadAll(s)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	h, body := cut(t, answer)
	require.Equal(t, http.StatusOK, h.StatusCode)
	require.Empty(t, body)
}

// TestStreamLimit: what is larger than Lambda passes on breaks off, with an error.
func TestStreamLimit(t *testing.T) {
	chunk := make([]byte, 1<<20)
	for _, chunks := range []int{200, 201} {
		s, err := event.Stream(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for range chunks {
				if _, err := w.Write(chunk); err != nil {
					panic(http.ErrAbortHandler)
				}
			}
		}), json.RawMessage(getEvent))
		require.NoError(t, err)
		n, err := io.Copy(io.Discard, s)
		require.Equal(t, chunks > 200, err != nil)
		require.Greater(t, n, int64(199<<20))
		require.NoError(t, s.Close())
	}
}

// TestStreamThatNobodyTakes: the handler ends.
func TestStreamThatNobodyTakes(t *testing.T) {
	var failed error
	s, err := event.Stream(t.Context(), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for failed == nil {
			_, failed = w.Write(make([]byte, 1<<20))
		}
	}), json.RawMessage(getEvent))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.ErrorIs(t, failed, io.ErrClosedPipe)
}

// TestStreamThatFailsAtOnce: there is no answer to begin.
func TestStreamThatFailsAtOnce(t *testing.T) {
	_, err := event.Stream(t.Context(), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}), json.RawMessage(getEvent))
	require.ErrorContains(t, err, "broke off")
}
