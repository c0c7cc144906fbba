package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lambdaTimeout is what the runtime gives a function for an invocation.
const lambdaTimeout = 20 * time.Second

// lambda runs a function's real binary as AWS does: it speaks the runtime API, of
// which the process asks for its next event and to which it brings the answer.
type lambda struct {
	t         *testing.T
	process   *process
	next      chan invocation
	pending   chan invocation // the one that the process has, if any
	failed    chan string     // what it said instead of an answer
	requested atomic.Int64    // of invocations
}

type invocation struct {
	id    string
	event []byte
	reply chan []byte
}

// startLambda starts the binary with a few variables.
func startLambda(t *testing.T, bootstrap string, env ...string) *lambda {
	t.Helper()
	l := &lambda{t: t, next: make(chan invocation), pending: make(chan invocation, 1), failed: make(chan string, 1)}
	mux := http.NewServeMux()
	const prefix = "/2018-06-01/runtime/"
	mux.HandleFunc("GET "+prefix+"invocation/next", l.serveNext)
	mux.HandleFunc("POST "+prefix+"invocation/{id}/response", func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			l.answer(w, req.PathValue("id"), body)
		}
	})
	fail := func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body) // shown to a person
		l.failed <- string(body)
		w.WriteHeader(http.StatusAccepted)
	}
	mux.HandleFunc("POST "+prefix+"invocation/{id}/error", fail)
	mux.HandleFunc("POST "+prefix+"init/error", fail)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = server.Serve(listener) // until it is closed
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-stopped
	})
	l.process = runProcess(t, append(env, "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=ingest",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST"), bootstrap)
	return l
}

func (l *lambda) serveNext(w http.ResponseWriter, req *http.Request) {
	select {
	case i := <-l.next:
		l.pending <- i
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(lambdaTimeout).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:ingest")
		_, _ = w.Write(i.event)
	case <-req.Context().Done():
	}
}

func (l *lambda) answer(w http.ResponseWriter, id string, body []byte) {
	i := <-l.pending
	if i.id != id {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	i.reply <- body
	w.WriteHeader(http.StatusAccepted)
}

// invoke gives the function an event and returns its answer.
func (l *lambda) invoke(event []byte) []byte {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 2*lambdaTimeout)
	defer cancel()
	i := invocation{id: strconv.FormatInt(l.requested.Add(1), 10), event: event, reply: make(chan []byte, 1)}
	select {
	case l.next <- i:
	case <-l.process.exited:
		require.Fail(l.t, "the function has ended", "%s", l.process.stderr)
	case <-ctx.Done():
		require.Fail(l.t, "the function does not ask for events")
	}
	select {
	case body := <-i.reply:
		return body
	case text := <-l.failed:
		<-l.pending
		return []byte(text)
	case <-l.process.exited:
		require.Fail(l.t, "the function has ended", "%s", l.process.stderr)
	case <-ctx.Done():
		require.Fail(l.t, "the function does not answer")
	}
	return nil
}

// httpReply is the answer to an event of HTTP.
type httpReply struct {
	StatusCode      int               `json:"statusCode"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
}

// post sends a body as API Gateway passes it on, with pairs of key and value as
// headers, in lower case. The answer's body is decoded.
func (l *lambda) post(path string, body []byte, header ...string) httpReply {
	l.t.Helper()
	headers := map[string]string{
		"accept": "*/*", "content-length": strconv.Itoa(len(body)), "host": "abc.execute-api.eu-west-1.amazonaws.com",
		"user-agent": "OTel-OTLP-Exporter-Go/1.38.0", "x-amzn-trace-id": "Root=1-5f84c7a9-0e4f5b1f4f5b1f4f5b1f4f5b", "x-forwarded-for": "192.0.2.7",
		"x-forwarded-port": "443", "x-forwarded-proto": "https",
	}
	for i := 0; i < len(header); i += 2 {
		headers[header[i]] = header[i+1]
	}
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "headers": headers,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "abc", "domainName": "abc.execute-api.eu-west-1.amazonaws.com", "domainPrefix": "abc",
			"http": map[string]any{
				"method": http.MethodPost, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": headers["user-agent"],
			},
			"requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default", "stage": "$default",
			"time": "10/Mar/2026:05:16:23 +0000", "timeEpoch": 1773119783636,
		},
		"body": base64.StdEncoding.EncodeToString(body), "isBase64Encoded": true,
	})
	require.NoError(l.t, err)
	return l.reply(l.invoke(event))
}

func (l *lambda) reply(text []byte) (r httpReply) {
	l.t.Helper()
	require.NoError(l.t, json.Unmarshal(text, &r), "%s", text)
	require.NotZero(l.t, r.StatusCode, "%s", text)
	if r.IsBase64Encoded {
		decoded, err := base64.StdEncoding.DecodeString(r.Body)
		require.NoError(l.t, err)
		r.Body = string(decoded)
	}
	return r
}
