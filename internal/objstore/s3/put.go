package s3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/spanlake/spanlake/internal/objstore"
)

// Put implements objstore.Bucket: by one request, or in parts if the body is
// larger than Options.PartBytes. The body is read twice where its checksum
// comes first: over http, and with ChecksumWhenRequired.
func (b *Bucket) Put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	if err := b.put(ctx, key, body, opts); err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	return nil
}

func (b *Bucket) put(ctx context.Context, key string, body io.ReadSeeker, opts objstore.PutOptions) error {
	if err := check(ctx, key); err != nil {
		return err
	}
	size, err := body.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("measure the body: %w", err)
	}
	if size > b.opts.PartBytes {
		return b.putParts(ctx, key, body, size, opts)
	}
	_, err = b.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.opts.Bucket, Key: &key, IfNoneMatch: ifNoneMatch(opts), IfMatch: quote(opts.IfMatch),
		Body: &section{body: body, size: size}, ContentLength: &size,
	})
	return b.unmet(ctx, err, opts)
}

// unmet translates the error of a write under the conditions of opts. S3 calls
// an object that was deleted not found, which to a writer is one that changed.
func (b *Bucket) unmet(ctx context.Context, err error, opts objstore.PutOptions) error {
	if err == nil {
		return nil
	}
	if opts.IfMatch == "" {
		return b.translate(ctx, err, objstore.ErrExist)
	}
	err = b.translate(ctx, err, objstore.ErrChanged)
	if errors.Is(err, objstore.ErrNotExist) {
		return objstore.ErrChanged
	}
	return err
}

func ifNoneMatch(opts objstore.PutOptions) *string {
	if opts.IfNotExist {
		return aws.String("*")
	}
	return nil
}

// section is a part of a body. It hides the body's other methods from the SDK,
// such as Close, and tells its errors from those of the network. One section
// of a body can be in use at a time.
type section struct {
	body       io.ReadSeeker
	base, size int64 // where it begins and how long it is
	offset     int64 // from base
}

func (s *section) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.offset
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	s.offset = offset
	return offset, nil
}

// Read seeks first: another section was read before.
func (s *section) Read(p []byte) (int, error) {
	left := s.size - s.offset
	if left <= 0 {
		return 0, io.EOF
	}
	if _, err := s.body.Seek(s.base+s.offset, io.SeekStart); err != nil {
		return 0, &bodyError{err}
	}
	n, err := s.body.Read(p[:min(int64(len(p)), left)])
	s.offset += int64(n)
	switch {
	case err == nil || errors.Is(err, io.EOF) && s.offset == s.size:
		return n, nil
	case errors.Is(err, io.EOF):
		err = errors.New("ends before its size")
	}
	return n, &bodyError{err}
}

// bodyError is an error of the body that a caller gave to Put.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read the body: " + e.err.Error() }

func (e *bodyError) Unwrap() error { return e.err }
