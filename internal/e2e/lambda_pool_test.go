package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// maxAnswerBytes is what Lambda takes of an event, and of an answer that is not
// streamed.
const maxAnswerBytes = 6_291_556

// pool is what AWS has of a function: several environments, each of which is frozen
// between its invocations. It answers Lambda's Invoke API, so that the function can
// invoke itself, and requests, as a Function URL or an HTTP API does.
type pool struct {
	t    *testing.T
	api  *httptest.Server // of Lambda
	idle chan *lambda

	tasks     atomic.Int64 // that were done
	throttled atomic.Int64 // that found no environment
	crashed   atomic.Int64 // whose environment has ended
}

// newPool starts so many environments of a function.
func newPool(t *testing.T, count int, start func(env ...string) *lambda, env ...string) *pool {
	t.Helper()
	p := &pool{t: t, idle: make(chan *lambda, count)}
	p.api = httptest.NewServer(http.HandlerFunc(p.serveInvoke))
	t.Cleanup(p.api.Close)
	for range count {
		l := start(append(env, "AWS_ENDPOINT_URL_LAMBDA="+p.api.URL, "AWS_REGION=eu-west-1")...)
		l.freeze()
		p.idle <- l
	}
	return p
}

// errEnded means that an environment was lost.
var errEnded = errors.New("the function has ended")

// invoke gives an event to an environment, which is thawed for that, and its answer
// to use. It is not for the test's own goroutine only.
func (p *pool) invoke(l *lambda, event []byte, use func(functionReply)) error {
	_ = l.process.cmd.Process.Signal(syscall.SIGCONT) // fails if it has ended, which is seen below
	defer func() {
		_ = l.process.cmd.Process.Signal(syscall.SIGSTOP)
		p.idle <- l
	}()
	i := invocation{id: strconv.FormatInt(l.requested.Add(1), 10), event: event, reply: make(chan functionReply, 1)}
	timer := time.NewTimer(l.timeout + lambdaTimeout)
	defer timer.Stop()
	select {
	case l.next <- i:
	case <-l.process.exited:
		return errEnded
	case <-timer.C:
		return errors.New("the function does not ask for events")
	}
	select {
	case reply := <-i.reply:
		use(reply)
		return nil
	case text := <-l.failed:
		<-l.pending
		return errors.New(text)
	case <-l.process.exited:
		return errEnded
	case <-timer.C:
		return errors.New("the function does not answer")
	}
}

// serveInvoke is Lambda's Invoke API, for who has signed the request.
func (p *pool) serveInvoke(w http.ResponseWriter, req *http.Request) {
	event, err := io.ReadAll(req.Body)
	refuse := func(status int, reason string) {
		w.Header().Set("X-Amzn-Errortype", reason)
		w.WriteHeader(status)
	}
	signed := strings.HasPrefix(req.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ") && strings.Contains(req.Header.Get("Authorization"), "/eu-west-1/lambda/aws4_request")
	switch {
	case err != nil:
		return
	case !signed:
		refuse(http.StatusForbidden, "AccessDeniedException")
		return
	case req.Method != http.MethodPost || req.URL.Path != "/2015-03-31/functions/query/invocations":
		refuse(http.StatusNotFound, "ResourceNotFoundException")
		return
	case len(event) > maxAnswerBytes:
		refuse(http.StatusRequestEntityTooLarge, "RequestTooLargeException")
		return
	}
	var l *lambda
	select {
	case l = <-p.idle:
	default:
		p.throttled.Add(1)
		refuse(http.StatusTooManyRequests, "TooManyRequestsException")
		return
	}
	err = p.invoke(l, event, func(reply functionReply) {
		p.tasks.Add(1)
		_, _ = w.Write(reply.body)
	})
	if err != nil {
		p.crashed.Add(1)
		w.Header().Set("X-Amz-Function-Error", "Unhandled")
		_ = json.NewEncoder(w).Encode(map[string]string{"errorMessage": err.Error()})
	}
}

// front returns a client of the function's URL. How it answers is up to the
// function.
func (p *pool) front() *client {
	p.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(p.serveHTTP))
	p.t.Cleanup(server.Close)
	address := server.Listener.Addr().(*net.TCPAddr).String()
	return newClient(p.t, endpoints{api: address, grpc: address, http: address})
}

func (p *pool) serveHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	headers := map[string]string{"host": req.Host, "x-forwarded-for": "192.0.2.7"}
	for name, values := range req.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	event := httpEvent(p.t, req.Method, req.URL.EscapedPath(), req.URL.RawQuery, headers, body)
	var l *lambda
	select {
	case l = <-p.idle:
	case <-req.Context().Done():
		return
	}
	err = p.invoke(l, event, func(reply functionReply) { passOn(w, reply) })
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
}

// passOn gives a client the answer of a function.
func passOn(w http.ResponseWriter, reply functionReply) {
	var head httpReply
	if reply.stream == nil {
		if len(reply.body) > maxAnswerBytes || json.Unmarshal(reply.body, &head) != nil || head.StatusCode == 0 {
			http.Error(w, "not an answer that Lambda takes", http.StatusBadGateway)
			return
		}
		body := []byte(head.Body)
		if head.IsBase64Encoded {
			body, _ = base64.StdEncoding.DecodeString(head.Body) // a broken one is not what the test expects
		}
		reply.stream = bytes.NewReader(body)
	} else if err := readHead(reply.stream, &head); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	for name, value := range head.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(head.StatusCode)
	_, err := io.Copy(w, reply.stream)
	if err != nil {
		panic(http.ErrAbortHandler) // the client sees that the answer broke off
	}
}

// readHead reads what stands before the body of a streamed answer.
func readHead(stream io.Reader, head *httpReply) error {
	var text []byte
	for one := make([]byte, 1); !bytes.HasSuffix(text, make([]byte, 8)); text = append(text, one[0]) {
		if _, err := io.ReadFull(stream, one); err != nil {
			return err
		}
	}
	return json.Unmarshal(bytes.TrimRight(text, "\x00"), head)
}

// plain asks Lambda's API without a signature.
func (p *pool) plain(ctx context.Context, event string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api.URL+"/2015-03-31/functions/query/invocations", strings.NewReader(event))
	if err != nil {
		return 0, err
	}
	resp, err := p.api.Client().Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// requireNotFound: the path is none of the function's.
func requireNotFound(t *testing.T, c *client, path string) {
	t.Helper()
	got, err := c.get(t.Context(), "shop", path)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, got.status, string(got.body))
}
