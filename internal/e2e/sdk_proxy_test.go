//go:build sdk

package e2e_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// exchange is a request of a program and how it was answered.
type exchange struct {
	method, path string
	status       int
	body         string // of the answer
}

// watcher stands between a program and the server and notes what passes.
type watcher struct {
	url string
	// edit may change an answer, as another server would have given it.
	edit func(path string, body []byte) []byte

	mu   sync.Mutex
	seen []exchange
}

func startWatcher(t *testing.T, server string, edit func(path string, body []byte) []byte) *watcher {
	t.Helper()
	target, err := url.Parse("http://" + server)
	require.NoError(t, err)
	transport := &http.Transport{DisableCompression: true}
	w := &watcher{edit: edit}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // links in answers begin with it
		},
		ModifyResponse: w.note,
	})
	t.Cleanup(func() {
		front.Close()
		transport.CloseIdleConnections()
	})
	w.url = front.URL
	return w
}

func (w *watcher) note(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if w.edit != nil {
		body = w.edit(r.Request.URL.Path, body)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, exchange{r.Request.Method, r.Request.URL.Path, r.StatusCode, string(body)})
	return nil
}

// exchanges are all until now.
func (w *watcher) exchanges() []exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]exchange(nil), w.seen...)
}
