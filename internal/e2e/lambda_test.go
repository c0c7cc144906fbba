package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lambdaTimeout is what the runtime gives a function for an invocation, and
// taskTimeout one that works for minutes.
const (
	lambdaTimeout = 20 * time.Second
	taskTimeout   = 2 * time.Minute
)

// maxFunctionBytes bounds a function's binary.
const maxFunctionBytes = 45 << 20

// buildFunction builds a function as make functions does, for this machine.
func buildFunction(t *testing.T, name string) string {
	t.Helper()
	known := map[string]*program{"ingest": &programs.ingest, "flush": &programs.flush, "compact": &programs.compact, "query": &programs.query}
	path := known[name].build(t, "bootstrap-"+name, "-tags", "lambda.norpc", "-trimpath", "-ldflags", "-s -w", "../../functions/"+name)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(maxFunctionBytes))
	return path
}

// lambda runs a function's real binary as AWS does: it speaks the runtime API, of
// which the process asks for its next event and to which it brings the answer.
type lambda struct {
	t         *testing.T
	timeout   time.Duration // of an invocation
	process   *process
	next      chan invocation
	pending   chan invocation // the one that the process has, if any
	failed    chan string     // what it said instead of an answer
	requested atomic.Int64    // of invocations
}

type invocation struct {
	id    string
	event []byte
	reply chan functionReply
}

// functionReply is what a function has answered: whole, or while it is made.
type functionReply struct {
	body   []byte
	stream io.Reader // nil: body is all. It fails where the function says that it broke off.
}

// startLambda starts a function's binary with a few variables.
func startLambda(t *testing.T, name string, timeout time.Duration, env ...string) *lambda {
	t.Helper()
	l := &lambda{t: t, timeout: timeout, next: make(chan invocation), pending: make(chan invocation, 1), failed: make(chan string, 1)}
	mux := http.NewServeMux()
	const prefix = "/2018-06-01/runtime/"
	mux.HandleFunc("GET "+prefix+"invocation/next", l.serveNext)
	mux.HandleFunc("POST "+prefix+"invocation/{id}/response", l.serveResponse)
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
	l.process = runProcess(t, append([]string{
		"AWS_LAMBDA_RUNTIME_API=" + listener.Addr().String(), "AWS_LAMBDA_FUNCTION_NAME=" + name,
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
	}, env...), buildFunction(t, name))
	return l
}

func (l *lambda) serveNext(w http.ResponseWriter, req *http.Request) {
	select {
	case i := <-l.next:
		l.pending <- i
		w.Header().Set("Lambda-Runtime-Aws-Request-Id", i.id)
		w.Header().Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(l.timeout).UnixMilli(), 10))
		w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:123456789012:function:ingest")
		_, _ = w.Write(i.event)
	case <-req.Context().Done():
	}
}

// serveResponse takes an answer. One that is streamed is passed on as it comes.
func (l *lambda) serveResponse(w http.ResponseWriter, req *http.Request) {
	reply, send := functionReply{}, func() error { return nil }
	if req.Header.Get("Lambda-Runtime-Function-Response-Mode") == "streaming" {
		reader, writer := io.Pipe()
		reply.stream = reader
		send = func() error {
			_, err := io.Copy(writer, req.Body)
			if reason := req.Trailer.Get("Lambda-Runtime-Function-Error-Body"); err == nil && reason != "" {
				text, decodeErr := base64.StdEncoding.DecodeString(reason)
				err = errors.Join(errors.New(string(text)), decodeErr)
			}
			return writer.CloseWithError(err)
		}
	} else {
		var err error
		if reply.body, err = io.ReadAll(req.Body); err != nil {
			return // the function was killed
		}
	}
	i := <-l.pending
	if i.id != req.PathValue("id") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	i.reply <- reply
	if send() == nil {
		w.WriteHeader(http.StatusAccepted)
	}
}

// invoke gives the function an event and returns its answer.
func (l *lambda) invoke(event []byte) []byte {
	l.t.Helper()
	body, ended := l.outcome(l.begin(event))
	require.False(l.t, ended, "the function has ended: %s", l.process.stderr)
	return body
}

// begin gives the function an event.
func (l *lambda) begin(event []byte) invocation {
	l.t.Helper()
	i, ended := l.offer(event)
	require.False(l.t, ended, "the function has ended: %s", l.process.stderr)
	return i
}

// offer gives the function an event, unless it has ended.
func (l *lambda) offer(event []byte) (i invocation, ended bool) {
	l.t.Helper()
	i = invocation{id: strconv.FormatInt(l.requested.Add(1), 10), event: event, reply: make(chan functionReply, 1)}
	select {
	case l.next <- i:
	case <-l.process.exited:
		return i, true
	case <-time.After(2 * lambdaTimeout):
		require.Fail(l.t, "the function does not ask for events")
	}
	return i, false
}

// outcome returns the answer to an event, or that the function has ended.
func (l *lambda) outcome(i invocation) (body []byte, ended bool) {
	l.t.Helper()
	select {
	case reply := <-i.reply:
		return reply.body, false
	case text := <-l.failed:
		<-l.pending
		return []byte(text), false
	case <-l.process.exited:
		return nil, true
	case <-time.After(l.timeout + lambdaTimeout):
		require.Fail(l.t, "the function does not answer")
		return nil, false
	}
}

// freeze stops the process as AWS does between invocations.
func (l *lambda) freeze() { l.process.signal(l.t, syscall.SIGSTOP) }
func (l *lambda) thaw()   { l.process.signal(l.t, syscall.SIGCONT) }

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
	return l.reply(l.invoke(httpEvent(l.t, http.MethodPost, path, "", headers, body)))
}

// httpEvent is a request as API Gateway and Function URLs pass it on.
func httpEvent(t *testing.T, method, path, query string, headers map[string]string, body []byte) []byte {
	t.Helper()
	event, err := json.Marshal(map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": headers,
		"requestContext": map[string]any{
			"accountId": "123456789012", "apiId": "abc", "domainName": "abc.execute-api.eu-west-1.amazonaws.com", "domainPrefix": "abc",
			"http": map[string]any{
				"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": headers["user-agent"],
			},
			"requestId": "JKJaXmPLvHcESHA=", "routeKey": "$default", "stage": "$default",
			"time": "10/Mar/2026:05:16:23 +0000", "timeEpoch": 1773119783636,
		},
		"body": base64.StdEncoding.EncodeToString(body), "isBase64Encoded": true,
	})
	require.NoError(t, err)
	return event
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
