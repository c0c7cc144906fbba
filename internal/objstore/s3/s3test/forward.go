package s3test

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// Forward passes requests on to a server, such as a Server's Endpoint, as they
// came: signatures stay good. It leaves no connection open.
func Forward(t testing.TB, endpoint string) http.Handler {
	t.Helper()
	target, err := url.Parse(endpoint)
	require.NoError(t, err)
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // the signature covers it
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {
			panic(http.ErrAbortHandler) // the client sees what the proxy saw: no reply
		},
	}
}
