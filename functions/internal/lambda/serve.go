// Package lambda asks Lambda's runtime API for events and brings it the answers.
// It is for functions that stream: the client of AWS's SDK sends streams without the
// header by which the API's description knows them.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// AddressVariable names the variable of the environment that has the API's address.
const AddressVariable = "AWS_LAMBDA_RUNTIME_API"

const (
	headerID        = "Lambda-Runtime-Aws-Request-Id"
	headerDeadline  = "Lambda-Runtime-Deadline-Ms"
	headerMode      = "Lambda-Runtime-Function-Response-Mode"
	headerErrorType = "Lambda-Runtime-Function-Error-Type"
	headerErrorBody = "Lambda-Runtime-Function-Error-Body"

	contentJSON = "application/json"
)

// errorType is that of all errors: what went wrong is in their messages.
const errorType = "Function.Failed"

// maxMessageBytes bounds what is said of an error.
const maxMessageBytes = 16 << 10

// Reply is the answer to an event.
type Reply struct {
	// Body is read once and closed. If it fails while it is streamed the client is
	// told; else the invocation fails.
	Body io.ReadCloser
	// ContentType is that of Body, "" for JSON.
	ContentType string
	// Streamed says that Body is to be passed on while it is read.
	Streamed bool
}

// JSON is a reply that is there already.
func JSON(text []byte) Reply { return Reply{Body: io.NopCloser(bytes.NewReader(text))} }

// Handler answers an event. ctx ends at the invocation's deadline, and when the
// reply was sent.
type Handler func(ctx context.Context, event []byte) (Reply, error)

// Serve hands events to handle, one after the other, until ctx ends or the API
// fails: then the environment is of no use any more, and the process has to end.
func Serve(ctx context.Context, address string, handle Handler) error {
	// A proxy that is set for other requests does not know this address.
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	c := &client{base: "http://" + address + "/2018-06-01/runtime/invocation/", http: &http.Client{Transport: transport}}
	for {
		if err := c.serveNext(ctx, handle); err != nil {
			return err
		}
	}
}

// client is one of the runtime API.
type client struct {
	base string
	http *http.Client
}

// serveNext waits for an event, which may take for ever, and sends the answer.
func (c *client) serveNext(ctx context.Context, handle Handler) error {
	header, event, err := c.do(ctx, http.MethodGet, "next", http.StatusOK, http.NoBody, nil, nil)
	if err != nil {
		return fmt.Errorf("ask for an event: %w", err)
	}
	id := header.Get(headerID)
	millis, err := strconv.ParseInt(header.Get(headerDeadline), 10, 64)
	if err != nil {
		return fmt.Errorf("invocation %s: its deadline: %w", id, err)
	}
	ctx, cancel := context.WithDeadline(ctx, time.UnixMilli(millis))
	defer cancel()
	reply, err := handle(ctx, event)
	// The answer is sent in any case: what took too long is ended by Lambda.
	sendCtx := context.WithoutCancel(ctx)
	if err == nil && reply.Streamed {
		err = c.stream(sendCtx, id, reply)
		return errors.Join(err, reply.Body.Close())
	}
	var body []byte
	if err == nil {
		body, err = io.ReadAll(reply.Body)
		err = errors.Join(err, reply.Body.Close())
	}
	if err != nil {
		return c.fail(sendCtx, id, err)
	}
	header = http.Header{"Content-Type": {orJSON(reply.ContentType)}}
	return c.send(sendCtx, id+"/response", bytes.NewReader(body), header, nil)
}

func orJSON(contentType string) string {
	if contentType == "" {
		return contentJSON
	}
	return contentType
}

// fail says that there is no answer.
func (c *client) fail(ctx context.Context, id string, reason error) error {
	header := http.Header{"Content-Type": {contentJSON}, headerErrorType: {errorType}}
	return c.send(ctx, id+"/error", bytes.NewReader(describe(reason)), header, nil)
}

// stream sends an answer while it is read. Where that fails the reason follows in
// trailers, which have to be announced.
func (c *client) stream(ctx context.Context, id string, reply Reply) error {
	trailer := http.Header{headerErrorType: nil, headerErrorBody: nil}
	header := http.Header{"Content-Type": {orJSON(reply.ContentType)}, headerMode: {"streaming"}}
	return c.send(ctx, id+"/response", &failing{reply.Body, trailer}, header, trailer)
}

func (c *client) send(ctx context.Context, path string, body io.Reader, header, trailer http.Header) error {
	if _, _, err := c.do(ctx, http.MethodPost, path, http.StatusAccepted, body, header, trailer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return nil
}

// do makes a request, and wants this status.
func (c *client) do(
	ctx context.Context, method, path string, want int, body io.Reader, header, trailer http.Header,
) (answer http.Header, content []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, nil, err
	}
	if header != nil {
		req.Header = header
	}
	if trailer != nil {
		req.Trailer, req.Close = trailer, true // a stream ends with its connection
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	if content, err = io.ReadAll(resp.Body); err != nil {
		return nil, nil, err
	}
	if resp.StatusCode != want {
		return nil, nil, fmt.Errorf("%s %s: status %d: %s", method, path, resp.StatusCode, strings.ToValidUTF8(string(content), "?"))
	}
	return resp.Header, content, nil
}

// describe is an error as Lambda knows it.
func describe(err error) []byte {
	message := err.Error()
	message = strings.ToValidUTF8(message[:min(len(message), maxMessageBytes)], "?")
	text, _ := json.Marshal(map[string]string{"errorType": errorType, "errorMessage": message}) // texts always marshal
	return text
}
