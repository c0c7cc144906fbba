package lambda

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
)

// failing ends where reading a body fails, and leaves the reason in trailers.
type failing struct {
	body    io.Reader
	trailer http.Header
}

// Read implements io.Reader.
func (f *failing) Read(p []byte) (int, error) {
	n, err := f.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.trailer.Set(headerErrorType, errorType)
		f.trailer.Set(headerErrorBody, base64.StdEncoding.EncodeToString(describe(err)))
		err = io.EOF
	}
	return n, err //nolint:wrapcheck // io.EOF has to be itself
}
