package block

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/schema"
)

// Ranger reads ranges of objects, as objstore.Bucket does.
type Ranger interface {
	// Get returns the bytes that opts select and describes the object.
	Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error)
}

// Reader reads one block. It keeps the block's directory and trace filter in
// memory, about 2 bytes per trace, 8 per page and column and 24 more once these
// pages were asked for, and no connection. It is safe for concurrent use and
// needs no closing.
type Reader struct {
	bucket  Ranger
	name    schema.BlockName
	key     string
	etag    string // all ranges are of the object that Open saw
	dir     *directory
	columns columnIndex
	filter  filter
	held    *atomic.Int64 // about the bytes of all of these

	cache  *Cache // nil: none
	number uint64 // in the cache
}

// Open reads the tail of the block of the given key with one range request and
// verifies it. Later requests of the Reader return objstore.ErrChanged if the
// object has been replaced since.
//
// Returns schema.ErrBadName for a key that is not a block's,
// objstore.ErrNotExist if the block was compacted away (list again),
// ErrCorrupt if the tail is damaged, and ErrVersion if the block is newer than
// this program.
func Open(ctx context.Context, bucket Ranger, key string) (*Reader, error) {
	name, err := schema.ParseBlockName(key)
	if err != nil {
		return nil, fmt.Errorf("open block: %w", err)
	}
	r := &Reader{bucket: bucket, name: name, key: key}
	if err := r.open(ctx); err != nil {
		return nil, fmt.Errorf("open block: %w", err)
	}
	return r, nil
}

// Name is the block's name.
func (r *Reader) Name() schema.BlockName { return r.name }

// MayContain is false if the block has no span of the trace. It is true for
// every trace that it has, and wrongly for about one of a thousand others.
func (r *Reader) MayContain(id schema.TraceID) bool { return r.filter.mayContain(id) }

// OpenTraces are the traces with rows that are fragments, in ascending order.
// They belong to the reader: read only.
func (r *Reader) OpenTraces(context.Context) ([]schema.TraceID, error) { return r.dir.open, nil }

// Spans is the number of rows.
func (r *Reader) Spans() int { return r.dir.rows }

// Bytes is about the memory that the Reader holds. It grows as columns are read
// for the first time.
func (r *Reader) Bytes() int64 { return r.held.Load() }

// minTailBytes is the tail of a block without rows, at least.
const minTailBytes = tailSumBytes + footerFrameBytes

// footerFrameBytes is the length and the magic behind a Parquet footer.
const footerFrameBytes = 4 + len(magic)

func (r *Reader) open(ctx context.Context) (err error) {
	defer r.guard("tail", &err)
	if r.name.TailBytes < uint64(minTailBytes) || r.name.TailBytes > math.MaxInt32 {
		return r.corrupt("tail", 0, errMismatch, hintName)
	}
	size := int64(r.name.TailBytes)
	tail, object, err := r.bucket.Get(ctx, r.key, objstore.GetOptions{Offset: -size})
	if errors.Is(err, objstore.ErrRange) {
		return r.corrupt("tail", 0, errTruncated, hintRestore)
	}
	if err != nil {
		return fmt.Errorf("read tail of %s: %w", r.key, err)
	}
	r.etag = object.ETag
	start := object.Size - size
	if int64(len(tail)) != size || start < 0 {
		return r.corrupt("tail", max(start, 0), errTruncated, hintRestore)
	}
	if !validTail(tail) {
		return r.corrupt("tail", start, errChecksum, hintRestore)
	}
	_, err = r.parseTail(tail, start)
	return err
}

// parseTail reads a tail whose checksum is right, which begins at the given
// offset: the directory, the filter, and the frame of the Parquet footer, which
// it returns.
func (r *Reader) parseTail(tail []byte, start int64) (footer []byte, err error) {
	frame := footerBytes(tail[tailSumBytes:])
	if frame < 0 {
		return nil, r.corrupt("footer", start, errStructure, hintRestore)
	}
	// What is kept, without the footer, which is not.
	kept := bytes.Clone(tail[tailSumBytes : len(tail)-frame])
	dir, rest, err := parseDirectory(kept)
	switch {
	case errors.Is(err, ErrVersion):
		return nil, fmt.Errorf("block %s: %w: upgrade this program", r.key, err)
	case err != nil:
		return nil, r.corrupt("directory", start+tailSumBytes, err, hintRestore)
	}
	header := appendFilterHeader(nil, dir.bitset)
	if len(rest) != len(header)+dir.bitset || !bytes.HasPrefix(rest, header) {
		return nil, r.corrupt("trace filter", start, errStructure, hintRestore)
	}
	if dir.dataBytes != start || dir.project != r.name.Project || uint64(dir.rows) != r.name.Spans {
		return nil, r.corrupt("directory", start+tailSumBytes, errMismatch, hintName)
	}
	r.dir, r.columns, r.filter = dir, dir.index, rest[len(header):]
	r.held = new(atomic.Int64)
	r.held.Store(dir.memoryBytes() + int64(len(kept)) + int64(len(r.key)))
	return tail[len(tail)-frame : len(tail)-footerFrameBytes], nil
}

// footerBytes is the size of the Parquet footer that b ends with, with its
// length and the magic; negative if there is none.
func footerBytes(b []byte) int {
	end := len(b) - footerFrameBytes
	if end < 0 || string(b[end+4:]) != magic {
		return -1
	}
	if size := binary.LittleEndian.Uint32(b[end:]); uint64(size) <= uint64(end) {
		return int(size) + footerFrameBytes
	}
	return -1
}

func (r *Reader) corrupt(section string, offset int64, err error, hint string) error {
	return &CorruptError{Name: r.key, Section: section, Offset: offset, Err: err, Hint: hint}
}

// guard, deferred, turns a panic of a decoder into an error: what reaches a
// decoder has a valid checksum, so it is a defect of the program that wrote
// the block or of this one, and must cost one query, not the process.
func (r *Reader) guard(section string, err *error) {
	if p := recover(); p != nil {
		*err = r.corrupt(section, 0, errPanic(p), hintRestore)
	}
}
