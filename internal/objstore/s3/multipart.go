package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/spanlake/spanlake/internal/objstore"
)

const (
	// maxParts is the limit of S3.
	maxParts = 10_000
	// abortTimeout bounds the clearing up after an upload, which goes on when
	// the caller is gone.
	abortTimeout = 10 * time.Second
)

// putParts stores a body in parts, one after the other. What is large was
// merged in the background: there, several uploads at once are worth more than
// one that needs the memory of several parts.
//
// Nobody sees the object before the upload is completed. A crash in between
// leaves parts behind, which a lifecycle rule of the bucket should remove.
func (b *Bucket) putParts(ctx context.Context, key string, body io.ReadSeeker, size int64, opts objstore.PutOptions) error {
	if opts.IfNotExist {
		// The condition is judged at the end: do not begin what cannot win.
		switch _, err := b.stat(ctx, key); {
		case err == nil:
			return objstore.ErrExist
		case !errors.Is(err, objstore.ErrNotExist):
			return err
		}
	}
	created, err := b.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &b.opts.Bucket, Key: &key, ChecksumAlgorithm: b.partChecksum(),
	})
	if err != nil {
		return b.translate(ctx, err, nil)
	}
	parts, err := b.uploadParts(ctx, key, created.UploadId, body, size)
	if err == nil {
		err = b.complete(ctx, key, created.UploadId, parts, opts)
	}
	if err == nil {
		return nil
	}
	if abortErr := b.abort(ctx, key, created.UploadId); abortErr != nil {
		// As text: whether the Put is worth repeating, err says alone.
		err = fmt.Errorf("%w (and its parts stay: %s)", err, abortErr.Error())
	}
	return err
}

func (b *Bucket) uploadParts(ctx context.Context, key string, upload *string, body io.ReadSeeker, size int64) ([]types.CompletedPart, error) {
	partBytes := max(b.opts.PartBytes, (size+maxParts-1)/maxParts)
	var parts []types.CompletedPart
	for base := int64(0); base < size; base += partBytes {
		part, err := b.uploadPart(ctx, key, upload, int32(len(parts)+1), //nolint:gosec // at most maxParts
			&section{body: body, base: base, size: min(partBytes, size-base)})
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// uploadPart has the SDK repeat: to repeat the whole Put for one part would
// send all the others again. Therefore its error is not ErrTransient.
func (b *Bucket) uploadPart(ctx context.Context, key string, upload *string, number int32, body *section) (types.CompletedPart, error) {
	reply, err := b.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &b.opts.Bucket, Key: &key, UploadId: upload, PartNumber: &number,
		Body: body, ContentLength: &body.size, ChecksumAlgorithm: b.partChecksum(),
	}, func(o *s3.Options) { o.Retryer = b.partRetryer })
	if err != nil {
		if ended := ctx.Err(); ended != nil {
			return types.CompletedPart{}, ended
		}
		return types.CompletedPart{}, fmt.Errorf("part %d: %w", number, b.explain(err, nil))
	}
	return types.CompletedPart{
		PartNumber: &number, ETag: reply.ETag, ChecksumCRC32: reply.ChecksumCRC32,
	}, nil
}

// partChecksum is what the parts carry, and the upload is begun with: a server
// refuses one without the other.
func (b *Bucket) partChecksum() types.ChecksumAlgorithm {
	if b.client.Options().RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		return ""
	}
	return types.ChecksumAlgorithmCrc32
}

func (b *Bucket) complete(ctx context.Context, key string, upload *string, parts []types.CompletedPart, opts objstore.PutOptions) error {
	_, err := b.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.opts.Bucket, Key: &key, UploadId: upload, IfNoneMatch: ifNoneMatch(opts), IfMatch: quote(opts.IfMatch),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return b.unmet(ctx, err, opts)
}

// abort removes the parts of an upload, if it has not been completed after all.
func (b *Bucket) abort(ctx context.Context, key string, upload *string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	_, err := b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.opts.Bucket, Key: &key, UploadId: upload})
	if err != nil && !isStatus(err, http.StatusNotFound) {
		return b.translate(ctx, err, nil)
	}
	return nil
}
