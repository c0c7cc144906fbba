package lambda_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/spanlake/spanlake/functions/internal/lambda"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sent is what the API has got of an invocation.
type sent struct {
	path    string
	header  http.Header
	trailer http.Header
	body    string
	chunked bool
}

// serve has handle answer one event.
func serve(t *testing.T, handle lambda.Handler) sent {
	t.Helper()
	answers := make(chan sent, 1)
	events := make(chan string, 1)
	events <- "event"
	deadline := time.Now().Add(time.Hour).UnixMilli()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			select {
			case e := <-events:
				w.Header().Set("Lambda-Runtime-Aws-Request-Id", "id-1")
				w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(deadline, 10))
				_, _ = io.WriteString(w, e)
			case <-req.Context().Done():
			}
			return
		}
		body, err := io.ReadAll(req.Body)
		if err == nil {
			answers <- sent{req.URL.Path, req.Header, req.Trailer, string(body), len(req.TransferEncoding) > 0}
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- lambda.Serve(ctx, strings.TrimPrefix(server.URL, "http://"), func(ctx context.Context, event []byte) (lambda.Reply, error) {
			if at, _ := ctx.Deadline(); string(event) != "event" || at.UnixMilli() != deadline {
				return lambda.Reply{}, fmt.Errorf("event %q, deadline %s", event, at)
			}
			return handle(ctx, event)
		})
	}()
	got := <-answers
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	return got
}

// closing tells that a body was closed.
type closing struct {
	io.Reader

	closed *bool
}

func (c closing) Close() error {
	*c.closed = true
	return nil
}

func TestServe(t *testing.T) {
	const prefix = "/2018-06-01/runtime/invocation/id-1/"
	broken := errors.New("broken\xff")
	for _, test := range []struct {
		name     string
		body     io.Reader // nil: the handler fails
		mime     string
		streamed bool
		want     sent
	}{
		{"there already", strings.NewReader("{}"), "", false, sent{path: prefix + "response", body: "{}"}},
		{"of another type", strings.NewReader("x"), "text/plain", false, sent{path: prefix + "response", body: "x"}},
		{"cannot be read", iotest.ErrReader(broken), "", false, sent{path: prefix + "error", body: `{"errorMessage":"broken?","errorType":"Function.Failed"}`}},
		{"failed", nil, "", false, sent{path: prefix + "error", body: `{"errorMessage":"broken?","errorType":"Function.Failed"}`}},
		{"streamed", strings.NewReader("x"), "a/b", true, sent{path: prefix + "response", body: "x", chunked: true}},
		{
			"streamed, broken off", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), "a/b", true,
			sent{path: prefix + "response", body: "half", chunked: true, trailer: http.Header{
				"Lambda-Runtime-Function-Error-Type": {"Function.Failed"},
				"Lambda-Runtime-Function-Error-Body": {base64.StdEncoding.EncodeToString([]byte(`{"errorMessage":"broken?","errorType":"Function.Failed"}`))},
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			closed := false
			got := serve(t, func(context.Context, []byte) (lambda.Reply, error) {
				if test.body == nil {
					closed = true // there is nothing to close
					return lambda.Reply{}, broken
				}
				return lambda.Reply{Body: closing{test.body, &closed}, ContentType: test.mime, Streamed: test.streamed}, nil
			})
			require.True(t, closed)
			require.Equal(t, test.want.path, got.path)
			require.Equal(t, test.want.body, got.body)
			require.Equal(t, test.want.chunked, got.chunked)
			mime := test.mime
			if mime == "" {
				mime = "application/json"
			}
			require.Equal(t, mime, got.header.Get("Content-Type"))
			if !test.streamed {
				require.Empty(t, got.header.Get("Lambda-Runtime-Function-Response-Mode"))
				return
			}
			require.Equal(t, "streaming", got.header.Get("Lambda-Runtime-Function-Response-Mode"))
			require.Len(t, got.trailer, 2, "announced")
			for name, values := range test.want.trailer {
				require.Equal(t, values, got.trailer[name])
			}
			if test.want.trailer == nil {
				require.Empty(t, got.trailer.Get("Lambda-Runtime-Function-Error-Type"))
			}
		})
	}
}

// TestServeEndsWithTheAPI: a process whose API fails is of no use.
func TestServeEndsWithTheAPI(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		header http.Header
		want   string
	}{
		{"refused", http.StatusForbidden, nil, "status 403: no"},
		{"no deadline", http.StatusOK, http.Header{"Lambda-Runtime-Aws-Request-Id": {"id-1"}}, "its deadline"},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				maps.Copy(w.Header(), test.header)
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, "no")
			}))
			defer server.Close()
			err := lambda.Serve(t.Context(), strings.TrimPrefix(server.URL, "http://"), func(context.Context, []byte) (lambda.Reply, error) {
				return lambda.Reply{Body: io.NopCloser(new(bytes.Buffer))}, nil
			})
			require.ErrorContains(t, err, test.want)
		})
	}
}
