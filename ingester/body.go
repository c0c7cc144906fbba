package ingester

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
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
	if limit := r.cfg.MaxBodyBytes; limit > 0 && req.ContentLength > limit {
		return nil, fmt.Errorf("%w: %d bytes as sent, at most %d fit: send fewer spans at once, or compress them", errTooLarge, req.ContentLength, limit)
	}
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

// readFrom reads src to its end, into parts that double what there is: how large
// a compressed body becomes is not known beforehand. The parts are joined at
// the end, so that a body which turns out to be too large has taken no more
// than the limit.
func (b *body) readFrom(src io.Reader, contentLength int64) error {
	limit := int(b.receiver.cfg.MaxRequestBytes)
	want := max(cap(b.bytes), firstBodyBytes, int(min(contentLength+1, int64(limit))))
	var parts [][]byte
	for read := 0; ; {
		if err := b.allocate(min(want, limit+1-read)); err != nil {
			return err
		}
		ended, err := b.fill(src)
		read += len(b.bytes)
		switch {
		case read > limit:
			return fmt.Errorf("%w: more than %d bytes after decompression", errTooLarge, limit)
		case err != nil:
			return fmt.Errorf("%w after %d bytes: %w", errEncoding, read, err)
		case ended:
			b.join(parts, read)
			return nil
		}
		parts = append(parts, b.bytes)
		b.bytes, want = nil, read
	}
}

// allocate makes b.bytes an empty buffer with room for capacity bytes at least,
// and charges it to the budget.
func (b *body) allocate(capacity int) error {
	capacity = max(capacity, cap(b.bytes))
	if err := b.receiver.admit(int64(capacity)); err != nil {
		return err
	}
	b.charged += int64(capacity)
	if capacity > cap(b.bytes) {
		b.bytes = make([]byte, 0, capacity)
	}
	return nil
}

// fill reads until b.bytes is full or src has ended.
func (b *body) fill(src io.Reader) (ended bool, err error) {
	for len(b.bytes) < cap(b.bytes) {
		n, err := src.Read(b.bytes[len(b.bytes):cap(b.bytes)])
		b.bytes = b.bytes[:len(b.bytes)+n]
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// join puts the earlier parts before b.bytes. The moment of copying, in which
// memory is taken twice, is not charged: a request as large as is allowed has
// to fit into the budget.
func (b *body) join(parts [][]byte, size int) {
	if len(parts) == 0 {
		return
	}
	joined := make([]byte, 0, size)
	for _, part := range append(parts, b.bytes) {
		joined = append(joined, part...)
	}
	b.bytes = joined
	b.receiver.inflight.give(b.charged - int64(size))
	b.charged = int64(size)
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
	case "deflate":
		z, err := inflate(src)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: deflate: %w", errEncoding, err)
		}
		return z, func() { _ = z.Close() }, nil
	}
	return nil, nil, fmt.Errorf("%w: Content-Encoding %q, want gzip, deflate, zstd or identity", errUnsupported, encoding)
}

// inflate reads what HTTP calls deflate: by its standard a stream of zlib, but some
// clients leave zlib's header and sum out.
func inflate(src io.Reader) (io.ReadCloser, error) {
	buffered := bufio.NewReader(src)
	if head, err := buffered.Peek(2); err == nil && head[0]&0xf == 8 && binary.BigEndian.Uint16(head)%31 == 0 {
		z, err := zlib.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("zlib: %w", err)
		}
		return z, nil
	}
	return flate.NewReader(buffered), nil
}
