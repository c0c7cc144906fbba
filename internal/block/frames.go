package block

import (
	"fmt"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/block/parquet"
)

// frameWriter gathers the dictionary of a column of content.
type frameWriter struct {
	codec  *codec
	bytes  int // from when on a frame ends
	frames []frame
	stored []byte // of all frames
	codes  []uint32
	raw    int // bytes of all frames decompressed

	entries int
	pending []byte // plain values of the frame that is begun
	open    []int  // by its entry: which of codes it has
}

// add appends the text of the next row that has one.
func (w *frameWriter) add(text []byte) {
	w.pending = encoding.AppendBytes(w.pending, text)
	w.open = append(w.open, len(w.codes))
	w.codes = append(w.codes, 0)
	if len(w.pending) >= w.bytes {
		w.end()
	}
}

// end ends the frame that is begun.
func (w *frameWriter) end() {
	if len(w.open) == 0 {
		return
	}
	for i, n := range w.open {
		w.codes[n] = uint32(w.entries + i)
	}
	start := len(w.stored)
	w.stored = w.codec.compress(w.stored, w.pending)
	w.account(w.stored[start:], len(w.open), len(w.pending))
	w.pending, w.open = w.pending[:0], w.open[:0]
}

// copy appends a frame of another block as it is, and returns the code of its first
// entry. Who calls it adds the codes.
func (w *frameWriter) copy(f *frame, stored []byte) (first uint32) {
	first = uint32(w.entries)
	w.stored = append(w.stored, stored...)
	w.account(stored, int(f.n), int(f.raw))
	return first
}

func (w *frameWriter) account(stored []byte, entries, raw int) {
	w.frames = append(w.frames, frame{
		first: uint32(w.entries), n: uint32(entries), size: uint32(len(stored)), raw: uint32(raw), sum: pageSum(stored),
	})
	w.entries += entries
	w.raw += raw
}

// contentChunk writes a column of content of which the texts lie at hand.
func (e *encoder) contentChunk(meta *parquet.Group, w *chunkWriter, grid []int, data cells.Column) (int64, error) {
	f := e.frames()
	f.codes = make([]uint32, 0, data.Values)
	for i := range data.Values {
		e.scratch.raw = data.Body(e.scratch.raw[:0], i, i+1)
		f.add(e.scratch.raw[encoding.LengthBytes:])
	}
	return e.framedChunk(meta, w, grid, f, data)
}

func (e *encoder) frames() *frameWriter {
	return &frameWriter{codec: e.content, bytes: e.limits.frameBytes}
}

// framedChunk writes a column of content of which the frames are known. Of data
// only which rows have a value counts.
func (e *encoder) framedChunk(meta *parquet.Group, w *chunkWriter, grid []int, f *frameWriter, data cells.Column) (int64, error) {
	if f.end(); f.raw > maxFramedBytes || len(f.stored) > maxFramedBytes {
		return 0, fmt.Errorf("%w: content of %d bytes in a row group", ErrTooLarge, f.raw)
	}
	stats := parquet.Stats{Nulls: w.rows - data.Values}
	codes := cells.Coded(f.codes, nil, f.entries).Optional(data.Defined, data.Values)
	w.encoding, w.chunk.entries = encodingCodes, f.entries
	if err := e.pages(w, grid, &codes); err != nil {
		return 0, err
	}
	w.chunk.compressed = true // whatever the data pages are
	e.out = parquet.AppendDictionaryHeader(e.out, f.raw, len(f.stored), f.entries)
	header := e.since(w.start)
	offset := e.offset()
	w.chunk.dict = pageRef{
		offset: w.start, size: uint32(len(header) + len(f.stored)), raw: uint32(f.raw), header: uint16(len(header)), sum: pageSum(header),
	}
	e.out = append(e.out, f.stored...)
	for i := range f.frames {
		f.frames[i].offset = offset
		offset = f.frames[i].extent().end
	}
	w.chunk.frames = f.frames
	w.raw += int64(len(header)) + int64(f.raw)
	w.place(e.offset())
	e.out = append(e.out, e.scratch.pages...)
	return w.finish(meta, stats)
}
