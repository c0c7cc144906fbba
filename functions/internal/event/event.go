// Package event lets HTTP handlers answer the events of API Gateway's HTTP APIs
// and of Function URLs, which are both in payload format 2.0. Answers are gathered
// (Serve), or sent while they are made (Stream), which takes a Function URL with the
// invoke mode RESPONSE_STREAM.
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

	"github.com/aws/aws-lambda-go/events"
)

// ErrNotHTTP means that an event is not a request over HTTP: the function was
// invoked by something that it is not for, or with another payload format.
var ErrNotHTTP = errors.New("not an HTTP event in payload format 2.0")

// defaultStage is the one that is not part of paths.
const defaultStage = "$default"

// errBroken stands for a handler that has broken its answer off.
var errBroken = errors.New("the answer broke off")

// run has handler answer, and returns errBroken if it broke off, in the way that
// http.Server knows.
func run(handler http.Handler, w http.ResponseWriter, req *http.Request) (err error) {
	defer func() {
		switch reason := recover(); reason {
		case nil:
		case http.ErrAbortHandler: // the handler has told why
			err = errBroken
		default:
			panic(reason) // ends the process, with the reason and the place
		}
	}()
	handler.ServeHTTP(w, req)
	return nil
}

// fields are the headers of an answer, of which each has one value in an event.
func fields(header http.Header) map[string]string {
	all := make(map[string]string, len(header))
	for name, values := range header {
		all[name] = strings.Join(values, ", ")
	}
	return all
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
