package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/functions/internal/event"
	"github.com/spanlake/spanlake/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asked lets an invoker ask a server that answers as Lambda does.
func asked(t *testing.T, version string, answer http.HandlerFunc) *invoker {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL_LAMBDA": server.URL, "AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret",
	} {
		t.Setenv(name, value)
	}
	f := &function{}
	require.NoError(t, f.shareWithOthers(t.Context(), func(name string) string {
		return map[string]string{"AWS_LAMBDA_FUNCTION_NAME": "query", "AWS_LAMBDA_FUNCTION_VERSION": version}[name]
	}))
	i, ok := f.workers.(*invoker)
	require.True(t, ok)
	return i
}

func TestAsk(t *testing.T) {
	for _, version := range []string{"$LATEST", "7"} {
		i := asked(t, version, func(w http.ResponseWriter, req *http.Request) {
			body, err := io.ReadAll(req.Body)
			task, ok := parseTask(body)
			qualifier := req.URL.Query().Get("Qualifier")
			if err != nil || !ok || req.URL.Path != "/2015-03-31/functions/query/invocations" || (qualifier == "7") != (version == "7") {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			_ = json.NewEncoder(w).Encode(taskReply{append([]byte("done "), task.Job...)})
		})
		got, err := i.Ask(t.Context(), []byte("job"))
		require.NoError(t, err)
		require.Equal(t, "done job", string(got))
	}
}

// TestAskFails: what says whether somebody else may be asked.
func TestAskFails(t *testing.T) {
	throttled := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException")
		w.WriteHeader(http.StatusTooManyRequests)
	}
	for _, test := range []struct {
		name     string
		answer   http.HandlerFunc
		want     error
		attempts int64
	}{
		{"no environment to spare", throttled, wire.ErrNobody, invokeAttempts},
		{"may not", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
			w.WriteHeader(http.StatusForbidden)
		}, wire.ErrNobody, 1},
		{"it crashed", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Function-Error", "Unhandled")
			_, _ = io.WriteString(w, `{"errorMessage":"RequestId: 1 Error: Runtime exited"}`)
		}, wire.ErrLost, 1},
		{"no answer", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `null`) }, wire.ErrLost, 1},
		{"another answer", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `[]`) }, wire.ErrLost, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var attempts atomic.Int64
			i := asked(t, "", func(w http.ResponseWriter, req *http.Request) {
				attempts.Add(1)
				test.answer(w, req)
			})
			_, err := i.Ask(t.Context(), []byte("job"))
			require.ErrorIs(t, err, test.want)
			require.Equal(t, test.attempts, attempts.Load())
		})
	}
}

// TestAskAfterThrottling: an environment that is there at the next attempt is asked.
func TestAskAfterThrottling(t *testing.T) {
	var attempts atomic.Int64
	i := asked(t, "", func(w http.ResponseWriter, _ *http.Request) {
		if attempts.Add(1) < 3 {
			w.Header().Set("X-Amzn-Errortype", "TooManyRequestsException")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_ = json.NewEncoder(w).Encode(taskReply{[]byte("done")})
	})
	got, err := i.Ask(t.Context(), []byte("job"))
	require.NoError(t, err)
	require.Equal(t, "done", string(got))
}

func TestAskEnds(t *testing.T) {
	begun := make(chan struct{})
	i := asked(t, "", func(_ http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body) // after that the end is noticed
		close(begun)
		<-req.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	_, err := i.Ask(ctx, []byte("job"))
	require.ErrorIs(t, err, context.Canceled)
}

// TestAskTooLarge: on both sides of what Lambda takes as an event.
func TestAskTooLarge(t *testing.T) {
	i := asked(t, "", func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		_ = json.NewEncoder(w).Encode(taskReply{[]byte("done")})
	})
	const frame = len(`{"task":"job","job":""}`)
	largest := make([]byte, (event.MaxAnswerBytes-frame)/4*3)
	_, err := i.Ask(t.Context(), largest)
	require.NoError(t, err)
	_, err = i.Ask(t.Context(), make([]byte, len(largest)+1))
	require.ErrorIs(t, err, wire.ErrTooLarge)
}

// TestTasksAreRefused: by a function that gives out none, and of a kind that is not
// known.
func TestTasksAreRefused(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-1")
	cfg, err := loadConfig(enough(), 0)
	require.NoError(t, err)
	f, err := newFunction(t.Context(), cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = f.handle(t.Context(), []byte(plainTask))
	require.ErrorIs(t, err, errNoTasks)
	f.cfg.fanOut = 2
	_, err = f.handle(t.Context(), []byte(`{"task":"compact"}`))
	require.ErrorContains(t, err, `unknown task "compact"`)
}
