package s3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/spanlake/spanlake/internal/objstore"
)

// translate turns what the SDK returned into the errors of objstore, with
// unmet as what a condition that does not hold means.
func (b *Bucket) translate(ctx context.Context, err, unmet error) error {
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if transient(err) {
		return fmt.Errorf("%w: %w", objstore.ErrTransient, b.explain(err, unmet))
	}
	return b.explain(err, unmet)
}

// explain makes the error's text anew: the SDK's own names neither the bucket
// nor what to do. No part of a request but the server's address is in it.
func (b *Bucket) explain(err, unmet error) error {
	var (
		body        *bodyError
		credentials *credentialsError
		response    *awshttp.ResponseError
		request     *url.Error
	)
	switch {
	case errors.As(err, &body):
		return body
	case errors.As(err, &credentials):
		return credentials
	case errors.As(err, &request): // in a response's error, too, when there was none
		return fmt.Errorf("reach %s: %w", server(request.URL), request.Err)
	case errors.As(err, &response):
		return b.explainResponse(response, unmet)
	}
	return err
}

func (b *Bucket) explainResponse(response *awshttp.ResponseError, unmet error) error {
	status, code, text := response.HTTPStatusCode(), "", "no further words"
	if api, ok := errors.AsType[smithy.APIError](response); ok {
		code, text = api.ErrorCode(), api.ErrorMessage()
	}
	switch {
	case code == "NoSuchBucket":
		return fmt.Errorf("bucket %s does not exist: create it, or name another one", b.opts.Bucket)
	case code == "NoSuchKey", status == http.StatusNotFound && code == "NotFound": // what HEAD makes of it
		return objstore.ErrNotExist
	case status == http.StatusPreconditionFailed && unmet != nil:
		return unmet
	case status == http.StatusRequestedRangeNotSatisfiable:
		return objstore.ErrRange
	}
	return fmt.Errorf("%s%s: %s (HTTP status %d, request %q)", hint(code, status), code, text, status, response.ServiceRequestID())
}

// server is the address in a URL, without the rest of it.
func server(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the server"
	}
	return u.Scheme + "://" + u.Host
}

// hint is what an operator can do about an answer.
func hint(code string, status int) string {
	switch code {
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken", "TokenRefreshRequired":
		return "check the credentials: "
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
		return "check the region: "
	case "RequestTimeTooSkewed":
		return "check this machine's clock: "
	}
	switch status {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect:
		return "check the region and the endpoint: "
	case http.StatusForbidden, http.StatusUnauthorized:
		return "check the credentials and what they permit: "
	}
	return ""
}

// transient reports whether the SDK's error may vanish when the request is
// repeated.
func transient(err error) bool {
	var (
		body        *bodyError
		credentials *credentialsError
		certificate *tls.CertificateVerificationError
		response    *awshttp.ResponseError
		api         smithy.APIError
	)
	switch {
	case errors.As(err, &body), errors.As(err, &credentials), errors.As(err, &certificate):
		return false
	case errors.As(err, &api) && transientCode(api.ErrorCode()):
		return true
	case errors.As(err, &response) && transientStatus(response.HTTPStatusCode()):
		return true
	case errors.Is(err, io.ErrUnexpectedEOF):
		return true
	}
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err) == aws.TrueTernary
}

// transientCode reports whether a code means to try again, also after a status
// of 200.
func transientCode(code string) bool {
	return code == "InternalError" || code == "ServiceUnavailable"
}

// transientStatus adds to what the SDK knows. 409 is what a conditional write
// gets while another one is in flight: neither has won yet.
func transientStatus(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusConflict
}

// isStatus reports whether the server answered with the status.
func isStatus(err error, status int) bool {
	var response *awshttp.ResponseError
	return errors.As(err, &response) && response.HTTPStatusCode() == status
}
