package event

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/events"
)

// MaxAnswerBytes is what Lambda takes as an answer that is not streamed, as JSON.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const MaxAnswerBytes = 6_291_556

// errTooLarge ends a handler whose answer has become larger than it may.
var errTooLarge = errors.New("the answer is too large for Lambda")

// Serve has handler answer an event, and returns the answer as Lambda takes it. One
// that is too large becomes an error that says what to do. The error is ErrNotHTTP,
// and means that there is nobody to answer, or says that handler has failed.
func Serve(ctx context.Context, handler http.Handler, raw json.RawMessage) (json.RawMessage, error) {
	req, err := request(ctx, raw)
	if err != nil {
		return nil, err
	}
	r := recorder{header: http.Header{}}
	err = run(handler, &r, req)
	if r.size > MaxAnswerBytes { // which may be why it failed
		return r.refused()
	}
	if err != nil {
		return nil, err
	}
	return r.response()
}

// recorder gathers a response.
type recorder struct {
	header http.Header
	sent   http.Header // as it was when the status was written
	status int         // 0 before
	body   bytes.Buffer
	size   int // of the body; above the limit, not all of it is there
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status, r.sent = status, r.header.Clone()
	}
}

// Write implements http.ResponseWriter. It fails with errTooLarge.
func (r *recorder) Write(p []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.size += len(p); r.size > MaxAnswerBytes {
		return 0, errTooLarge
	}
	return r.body.Write(p)
}

// response is what was gathered, in the smaller one of the two forms in which an
// event can hold it.
func (r *recorder) response() (json.RawMessage, error) {
	r.WriteHeader(http.StatusOK)
	response := events.APIGatewayV2HTTPResponse{StatusCode: r.status, Headers: fields(r.sent)}
	if body := r.body.Bytes(); utf8.Valid(body) { // else JSON cannot hold it as it is
		response.Body = string(body)
		text, err := encode(&response)
		if err != nil || len(text) <= MaxAnswerBytes {
			return text, err
		}
	}
	response.Body, response.IsBase64Encoded = base64.StdEncoding.EncodeToString(r.body.Bytes()), true
	text, err := encode(&response)
	if err == nil && len(text) > MaxAnswerBytes {
		return r.refused()
	}
	return text, err
}

// refused is the answer in place of one that is too large: a status that no client
// takes for a failure that passes.
func (r *recorder) refused() (json.RawMessage, error) {
	return encode(&events.APIGatewayV2HTTPResponse{
		StatusCode: http.StatusUnprocessableEntity, Headers: map[string]string{"Content-Type": "text/plain; charset=utf-8"},
		Body: fmt.Sprintf("the answer is larger than what Lambda passes on at once (%d bytes with its encoding): ask for less (a lower limit, a shorter range), "+
			"accept it compressed (Accept-Encoding: gzip), or reach the function through a Function URL that streams (docs/functions.md), which passes on %d MB",
			MaxAnswerBytes, MaxStreamBytes>>20),
	})
}

// encode is json.Marshal without escapes that only HTML needs.
func encode(response *events.APIGatewayV2HTTPResponse) (json.RawMessage, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(response); err != nil {
		return nil, fmt.Errorf("encode the answer: %w", err)
	}
	return bytes.TrimSpace(text.Bytes()), nil
}
