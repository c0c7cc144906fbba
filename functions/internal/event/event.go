// Package event lets HTTP handlers answer the events of API Gateway's HTTP APIs
// and of Function URLs, which are both in payload format 2.0.
package event

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// ErrNotHTTP means that an event is not a request over HTTP: the function was
// invoked by something that it is not for, or with another payload format.
var ErrNotHTTP = errors.New("not an HTTP event in payload format 2.0")

// defaultStage is the one that is not part of paths.
const defaultStage = "$default"

// Serve has handler answer an event. The error is ErrNotHTTP, and means that there
// is nobody to answer.
func Serve(ctx context.Context, handler http.Handler, raw json.RawMessage) (events.APIGatewayV2HTTPResponse, error) {
	req, err := request(ctx, raw)
	if err != nil {
		return events.APIGatewayV2HTTPResponse{}, err
	}
	r := recorder{header: http.Header{}}
	handler.ServeHTTP(&r, req)
	return r.response(), nil
}

// request is what a server would have made of the request that the event
// describes. Repeated headers come joined by commas.
func request(ctx context.Context, raw json.RawMessage) (*http.Request, error) {
	var e events.APIGatewayV2HTTPRequest
	if err := json.Unmarshal(raw, &e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotHTTP, err)
	}
	http2 := e.RequestContext.HTTP
	if e.Version != "2.0" || http2.Method == "" {
		return nil, fmt.Errorf("%w: version %q, method %q", ErrNotHTTP, e.Version, http2.Method)
	}
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
			return nil, fmt.Errorf("%w: body: %w", ErrNotHTTP, err)
		}
	}
	path := e.RawPath
	if stage := e.RequestContext.Stage; stage != "" && stage != defaultStage {
		path = strings.TrimPrefix(path, "/"+stage)
	}
	target, err := url.Parse(path)
	if err != nil || !strings.HasPrefix(path, "/") || target.Host != "" {
		return nil, fmt.Errorf("%w: path %q", ErrNotHTTP, e.RawPath)
	}
	target.RawQuery = e.RawQueryString
	req, err := http.NewRequestWithContext(ctx, http2.Method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotHTTP, err)
	}
	for name, value := range e.Headers {
		req.Header.Set(name, value)
	}
	req.Host, req.RemoteAddr = e.RequestContext.DomainName, http2.SourceIP
	return req, nil
}

// recorder gathers a response.
type recorder struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int         // 0 before
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(p)
}

func (r *recorder) response() events.APIGatewayV2HTTPResponse {
	r.WriteHeader(http.StatusOK)
	response := events.APIGatewayV2HTTPResponse{StatusCode: r.status, Headers: make(map[string]string, len(r.sent))}
	for name, values := range r.sent {
		response.Headers[name] = strings.Join(values, ", ")
	}
	response.Body = r.body.String()
	if !utf8.ValidString(response.Body) { // JSON cannot hold it as it is
		response.Body, response.IsBase64Encoded = base64.StdEncoding.EncodeToString(r.body.Bytes()), true
	}
	return response
}
