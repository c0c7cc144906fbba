// Package s3 is a bucket on Amazon S3, or on a server that speaks its protocol.
// The server must answer GETs with what PUTs before have stored, list keys in
// the order of their bytes, and honour If-None-Match on PUT and on the
// completion of an upload; S3 Express One Zone does not list in order.
package s3

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/spanlake/spanlake/internal/objstore"
)

var _ objstore.Bucket = (*Bucket)(nil)

// Bucket keeps its objects in an S3 bucket. Use Open. Put objstore.Retry around
// it: it repeats nothing itself but parts of large objects.
type Bucket struct {
	opts        Options
	client      *s3.Client
	transport   *http.Transport
	partRetryer aws.Retryer
}

// Close lets go of the connections that are not in use. The bucket can be used
// afterwards.
func (b *Bucket) Close() { b.transport.CloseIdleConnections() }

// Get implements objstore.Bucket.
func (b *Bucket) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	data, object, err := b.get(ctx, key, opts)
	if err != nil {
		return nil, objstore.Object{}, fmt.Errorf("get %s: %w", key, err)
	}
	return data, object, nil
}

func (b *Bucket) get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	if err := check(ctx, key); err != nil {
		return nil, objstore.Object{}, err
	}
	// No object is as large: this finds ranges that are malformed.
	if _, _, err := opts.Range(math.MaxInt64); err != nil {
		return nil, objstore.Object{}, err
	}
	header := rangeHeader(opts)
	reply, err := b.getObject(ctx, key, header, opts.IfMatch)
	if isStatus(err, http.StatusRequestedRangeNotSatisfiable) && opts.Offset <= 0 {
		// Only an empty object has no first and no last byte. Ask for all of
		// it, which describes it; it may have grown by now.
		reply, err = b.getObject(ctx, key, "", opts.IfMatch)
	}
	if err != nil {
		return nil, objstore.Object{}, b.translate(ctx, err, objstore.ErrChanged)
	}
	defer reply.Body.Close()
	data, err := readReply(reply)
	if ended := ctx.Err(); ended != nil {
		return nil, objstore.Object{}, ended
	}
	if err != nil {
		return nil, objstore.Object{}, fmt.Errorf("%w: read the reply: %w", objstore.ErrTransient, err)
	}
	return describeReply(key, reply, data, opts)
}

// readReply reads past the last byte: the checksum is compared there.
func readReply(reply *s3.GetObjectOutput) ([]byte, error) {
	size := max(aws.ToInt64(reply.ContentLength), 0)
	content := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := content.ReadFrom(reply.Body)
	return content.Bytes(), err
}

func (b *Bucket) getObject(ctx context.Context, key, header, etag string) (*s3.GetObjectOutput, error) {
	input := &s3.GetObjectInput{Bucket: &b.opts.Bucket, Key: &key, IfMatch: quote(etag)}
	if header == "" {
		return b.client.GetObject(ctx, input)
	}
	input.Range = &header
	return b.client.GetObject(ctx, input, func(o *s3.Options) {
		// A checksum is that of the whole object. Some servers send it with
		// a part of the object, too.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
}

// rangeHeader is what opts ask for, empty for the whole object.
func rangeHeader(opts objstore.GetOptions) string {
	switch {
	case opts.Offset < 0:
		// The smallest number has no positive counterpart.
		return "bytes=" + strconv.FormatInt(max(opts.Offset, -math.MaxInt64), 10)
	case opts.Length > 0 && opts.Offset <= math.MaxInt64-opts.Length:
		return fmt.Sprintf("bytes=%d-%d", opts.Offset, opts.Offset+opts.Length-1)
	case opts.Offset > 0 || opts.Length > 0:
		return fmt.Sprintf("bytes=%d-", opts.Offset)
	}
	return ""
}

// describeReply returns the bytes that opts select and the object that they
// belong to. A server may send more than it was asked for.
func describeReply(key string, reply *s3.GetObjectOutput, data []byte, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	object := newObject(key, int64(len(data)), reply.ETag, reply.LastModified)
	if reply.ContentRange == nil {
		start, end, err := opts.Range(object.Size)
		if err != nil {
			return nil, objstore.Object{}, err
		}
		return data[start:end], object, nil
	}
	var first, last int64
	if _, err := fmt.Sscanf(*reply.ContentRange, "bytes %d-%d/%d", &first, &last, &object.Size); err != nil {
		return nil, objstore.Object{}, fmt.Errorf("content range %q: %w", *reply.ContentRange, err)
	}
	start, end, err := opts.Range(object.Size)
	if err != nil {
		return nil, objstore.Object{}, err
	}
	if first != start || last+1 != end || end-start != int64(len(data)) {
		return nil, objstore.Object{}, fmt.Errorf("asked for bytes %d to %d, got %q and %d bytes", start, end-1, *reply.ContentRange, len(data))
	}
	return data, object, nil
}

// Stat implements objstore.Bucket.
func (b *Bucket) Stat(ctx context.Context, key string) (objstore.Object, error) {
	object, err := b.stat(ctx, key)
	if err != nil {
		return objstore.Object{}, fmt.Errorf("stat %s: %w", key, err)
	}
	return object, nil
}

func (b *Bucket) stat(ctx context.Context, key string) (objstore.Object, error) {
	if err := check(ctx, key); err != nil {
		return objstore.Object{}, err
	}
	reply, err := b.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.opts.Bucket, Key: &key})
	if err != nil {
		return objstore.Object{}, b.translate(ctx, err, nil)
	}
	return newObject(key, aws.ToInt64(reply.ContentLength), reply.ETag, reply.LastModified), nil
}

// Delete implements objstore.Bucket.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	err := check(ctx, key)
	if err == nil {
		if _, err = b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.opts.Bucket, Key: &key}); err != nil {
			err = b.translate(ctx, err, nil)
		}
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	return nil
}

func check(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return objstore.CheckKey(key)
}

// newObject leaves out fractions of a second: only listings of some servers
// have them.
func newObject(key string, size int64, etag *string, modTime *time.Time) objstore.Object {
	return objstore.Object{
		Key: key, Size: size,
		ETag:    strings.Trim(aws.ToString(etag), `"`),
		ModTime: aws.ToTime(modTime).Truncate(time.Second),
	}
}

// quote is an ETag as headers have it, nil if it is empty.
func quote(etag string) *string {
	if etag == "" {
		return nil
	}
	return aws.String(`"` + etag + `"`)
}
