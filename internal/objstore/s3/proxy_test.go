package s3_test

import (
	"crypto/x509"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/objstore/s3/s3test"
)

// proxy stands before a server, sees every request and can do it harm.
type proxy struct {
	url         string
	certificate *x509.Certificate // nil over http
	forward     *httputil.ReverseProxy

	mu       sync.Mutex
	requests []string // method and operation, such as "PUT uploadId"
	headers  []http.Header
	faults   []fault
}

// fault replaces the next request that it matches. It may pass it on.
type fault struct {
	match string // how the entry in requests begins
	do    func(p *proxy, w http.ResponseWriter, r *http.Request)
}

func newProxy(t *testing.T, server *s3test.Server, listen func(*httptest.Server)) *proxy {
	t.Helper()
	target, err := url.Parse(server.Endpoint)
	require.NoError(t, err)
	transport := &http.Transport{}
	p := &proxy{forward: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		Transport: transport,
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // the client sees what the proxy saw: no reply
		},
	}}
	front := httptest.NewUnstartedServer(p)
	front.Config.ErrorLog = log.New(t.Output(), "", 0)
	listen(front)
	p.url, p.certificate = front.URL, front.Certificate()
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		transport.CloseIdleConnections()
	})
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.Method
	for _, parameter := range []string{"uploads", "uploadId", "list-type"} {
		if r.URL.Query().Has(parameter) {
			name = r.Method + " " + parameter
		}
	}
	p.mu.Lock()
	p.requests, p.headers = append(p.requests, name), append(p.headers, r.Header.Clone())
	var do func(*proxy, http.ResponseWriter, *http.Request)
	if len(p.faults) > 0 && strings.HasPrefix(name, p.faults[0].match) {
		do, p.faults = p.faults[0].do, p.faults[1:]
	}
	p.mu.Unlock()
	if do != nil {
		do(p, w, r)
		return
	}
	p.forward.ServeHTTP(w, r)
}

// inject makes the next requests fail, one after the other.
func (p *proxy) inject(faults ...fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, faults...)
}

// seen returns the requests since the last call, and checks that all faults
// have happened.
func (p *proxy) seen(t *testing.T) []string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Empty(t, p.faults, "faults that did not happen")
	requests := p.requests
	p.requests, p.headers = nil, nil
	return requests
}

func status(match string, code int, name string) fault {
	return fault{match, func(_ *proxy, w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>`+name+`</Code><Message>as injected</Message></Error>`)
	}}
}

// lostReply has the server do what it is asked for, and breaks the connection.
func lostReply(match string) fault {
	return fault{match, func(p *proxy, _ http.ResponseWriter, r *http.Request) {
		p.forward.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}}
}

// changedReply sends another body than the server.
func changedReply(match string, change func([]byte) []byte) fault {
	return fault{match, func(p *proxy, w http.ResponseWriter, r *http.Request) {
		reply := httptest.NewRecorder()
		p.forward.ServeHTTP(reply, r)
		maps.Copy(w.Header(), reply.Header())
		w.WriteHeader(reply.Code)
		_, _ = w.Write(change(reply.Body.Bytes()))
	}}
}

// answer is what no good server says.
func answer(match string, header http.Header, body string) fault {
	return fault{match, func(_ *proxy, w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), header)
		if header.Get("Content-Range") != "" {
			w.WriteHeader(http.StatusPartialContent)
		}
		_, _ = io.WriteString(w, body)
	}}
}

// stalled does not answer before the client has gone.
func stalled(match string, reached func()) fault {
	return fault{match, func(_ *proxy, _ http.ResponseWriter, r *http.Request) {
		reached()
		_, _ = io.Copy(io.Discard, r.Body) // or the client's end goes unnoticed
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}}
}

func (p *proxy) pass(_ *proxy, w http.ResponseWriter, r *http.Request) { p.forward.ServeHTTP(w, r) }
