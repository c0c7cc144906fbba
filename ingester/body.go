package ingester

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

var (
	// errTooLarge is answered with 413.
	errTooLarge = errors.New("the request is too large")
	// errEncoding means that the body is not what Content-Encoding says.
	errEncoding = errors.New("the body cannot be read")
)

const (
	firstBodyBytes = 64 << 10
	// maxKeptBody bounds the buffers that wait for the next request.
	maxKeptBody = 4 << 20
	// maxZstdWindow is what a decoder must support by RFC 8878; larger windows
	// would let a client decide how much memory a request takes.
	maxZstdWindow = 8 << 20
)

// bodies reads and decompresses request bodies into pooled memory.
type bodies struct {
	buffers sync.Pool // *[]byte
	gzips   sync.Pool // *gzip.Reader
	zstds   sync.Pool // *zstd.Decoder
}

// body is a decompressed request. Its memory is charged to the receiver's
// in-flight budget until release.
type body struct {
	bytes    []byte
	receiver *Receiver
	charged  int64
}

// readBody returns the decompressed body of req, at most MaxRequestBytes of it.
// The caller must release it.
func (r *Receiver) readBody(req *http.Request) (*body, error) {
	src, closeSrc, err := r.bodies.decompress(req.Header.Get("Content-Encoding"), req.Body)
	if err != nil {
		return nil, err
	}
	defer closeSrc()
	b := &body{receiver: r}
	if kept, ok := r.bodies.buffers.Get().(*[]byte); ok {
		b.bytes = (*kept)[:0]
	}
	if err := b.readFrom(src, req.ContentLength); err != nil {
		b.release()
		return nil, err
	}
	return b, nil
}

// readFrom reads src to its end. Memory doubles as the body grows, up to the
// limit: how large a compressed body becomes is not known beforehand.
func (b *body) readFrom(src io.Reader, contentLength int64) error {
	limit := int(b.receiver.cfg.MaxRequestBytes)
	want := max(cap(b.bytes), firstBodyBytes, int(min(contentLength+1, int64(limit))))
	for {
		if err := b.grow(min(want, limit+1)); err != nil {
			return err
		}
		for len(b.bytes) < cap(b.bytes) {
			n, err := src.Read(b.bytes[len(b.bytes):cap(b.bytes)])
			b.bytes = b.bytes[:len(b.bytes)+n]
			if len(b.bytes) > limit {
				return fmt.Errorf("%w: more than %d bytes after decompression", errTooLarge, limit)
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("%w after %d bytes: %w", errEncoding, len(b.bytes), err)
			}
		}
		want = 2 * cap(b.bytes)
	}
}

// grow makes room for capacity bytes and charges it to the budget.
func (b *body) grow(capacity int) error {
	charge := int64(max(capacity, cap(b.bytes))) - b.charged
	if err := b.receiver.admit(charge); err != nil {
		return err
	}
	b.charged += charge
	if capacity > cap(b.bytes) {
		grown := make([]byte, len(b.bytes), capacity)
		copy(grown, b.bytes)
		b.bytes = grown
	}
	return nil
}

// release gives the memory back. Nothing may use the bytes afterwards.
func (b *body) release() {
	b.receiver.inflight.give(b.charged)
	b.charged = 0
	if kept := b.bytes; cap(kept) > 0 && cap(kept) <= maxKeptBody {
		b.receiver.bodies.buffers.Put(&kept)
	}
	b.bytes = nil
}

// decompress wraps src by the names of HTTP's content codings.
func (p *bodies) decompress(encoding string, src io.Reader) (io.Reader, func(), error) {
	switch encoding {
	case "", "identity":
		return src, func() {}, nil
	case "gzip":
		z, ok := p.gzips.Get().(*gzip.Reader)
		if !ok {
			z = new(gzip.Reader)
		}
		if err := z.Reset(src); err != nil {
			p.gzips.Put(z)
			return nil, nil, fmt.Errorf("%w: gzip: %w", errEncoding, err)
		}
		return z, func() { p.gzips.Put(z) }, nil
	case "zstd":
		z, ok := p.zstds.Get().(*zstd.Decoder)
		if !ok {
			var err error
			z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderLowmem(true))
			if err != nil {
				return nil, nil, fmt.Errorf("zstd: %w", err)
			}
		}
		if err := z.Reset(src); err != nil {
			p.zstds.Put(z)
			return nil, nil, fmt.Errorf("%w: zstd: %w", errEncoding, err)
		}
		return z, func() {
			_ = z.Reset(nil) // lets src go
			p.zstds.Put(z)
		}, nil
	}
	return nil, nil, fmt.Errorf("%w: Content-Encoding %q, want gzip, zstd or identity", errUnsupported, encoding)
}
