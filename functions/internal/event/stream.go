package event

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
)

const (
	// MaxStreamBytes is what Lambda passes on of an answer that is streamed.
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	MaxStreamBytes = 200 << 20
	// StreamType is the content type of an answer that begins with its status and
	// headers. https://docs.aws.amazon.com/lambda/latest/dg/response-streaming-tutorial.html
	StreamType = "application/vnd.awslambda.http-integration-response"
	// streamBuffer is how much is gathered before it is sent.
	streamBuffer = 32 << 10
)

// separator stands between the head of an answer and its body.
var separator = [8]byte{}

// Streamed is an answer that is sent while it is made. Reading fails where the
// handler broke off. It has to be closed.
type Streamed struct {
	io.Reader

	pipe  *io.PipeReader
	ended chan struct{} // closed when the handler has come to its end
}

// Close ends the handler, whose writes fail, and waits for it.
func (s *Streamed) Close() error {
	_ = s.pipe.Close() // it never fails
	<-s.ended
	return nil
}

// Stream has handler answer an event, and returns as soon as its status is known.
// ctx is the handler's until the answer is closed. Errors are those of Serve.
func Stream(ctx context.Context, handler http.Handler, raw json.RawMessage) (*Streamed, error) {
	req, err := request(ctx, raw)
	if err != nil {
		return nil, err
	}
	reader, writer := io.Pipe()
	s := &Streamed{pipe: reader, ended: make(chan struct{})}
	w := &streamWriter{header: http.Header{}, begun: make(chan []byte, 1), out: bufio.NewWriterSize(writer, streamBuffer)}
	failed := make(chan error, 1)
	go func() {
		defer close(s.ended)
		err := run(handler, w, req)
		if err == nil {
			w.WriteHeader(http.StatusOK)
			err = w.out.Flush()
		}
		failed <- err
		_ = writer.CloseWithError(err) // it never fails
	}()
	select {
	case head := <-w.begun:
		s.Reader = io.MultiReader(bytes.NewReader(head), reader)
		return s, nil
	case err := <-failed:
		select {
		case head := <-w.begun: // both have happened
			s.Reader = io.MultiReader(bytes.NewReader(head), reader)
			return s, nil
		default:
		}
		_ = s.Close() // see there
		return nil, err
	}
}

// streamWriter passes a response on.
type streamWriter struct {
	header http.Header
	once   sync.Once
	begun  chan []byte // gets the head, once
	out    *bufio.Writer
	size   int64
}

var _ http.Flusher = (*streamWriter)(nil)

// Header implements http.ResponseWriter.
func (w *streamWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *streamWriter) WriteHeader(status int) {
	w.once.Do(func() {
		headers := fields(w.header)
		delete(headers, "Content-Length") // it is sent in chunks
		// Two maps of numbers and texts always marshal.
		head, _ := json.Marshal(map[string]any{"statusCode": status, "headers": headers})
		w.begun <- append(head, separator[:]...)
	})
}

// Write implements http.ResponseWriter. It fails when the answer is larger than
// Lambda passes on, and when nobody takes it any more.
func (w *streamWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.size += int64(len(p)); w.size > MaxStreamBytes {
		return 0, fmt.Errorf("%w: more than %d MB", errTooLarge, MaxStreamBytes>>20)
	}
	return w.out.Write(p)
}

// Flush implements http.Flusher.
func (w *streamWriter) Flush() {
	w.WriteHeader(http.StatusOK)
	_ = w.out.Flush() // the next write tells
}
