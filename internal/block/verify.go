package block

import (
	"context"
	"errors"
	"fmt"
)

// maxFaults bounds what Verify gathers: an object that is all wrong need not be
// listed page by page.
const maxFaults = 16

// Verify reads the whole block and compares every byte with its checksum: the
// pages of all columns, also of those that this program does not know, and the
// tail, whose two descriptions of the rows must agree. It does not decode rows:
// VerifyRows does. Memory is that of a Scan.
//
// If progress is not nil it is called from time to time with the bytes that
// have been read, out of Description.Bytes.
//
// Returns all damage that was found, up to sixteen CorruptErrors joined, in the
// order of their offsets; or whatever kept it from reading on, joined with what
// was found until then: objstore.ErrNotExist or objstore.ErrChanged if the
// object was removed or replaced since Open.
func (r *Reader) Verify(ctx context.Context, progress func(readBytes int64)) (err error) {
	defer r.guard("pages", &err)
	if progress == nil {
		progress = func(int64) {}
	}
	v := verifier{reader: r, progress: progress}
	err = v.pages(ctx)
	if err == nil && !v.full() {
		var size int64
		size, err = v.tail(ctx)
		progress(size)
	}
	return v.result(err)
}

// faults gathers damage.
type faults []error

// note keeps damage, and returns every other error.
func (f *faults) note(err error) error {
	if err != nil && errors.Is(err, ErrCorrupt) {
		if !f.full() {
			*f = append(*f, err)
		}
		return nil
	}
	return err
}

// full reports whether there is no use in looking further.
func (f *faults) full() bool { return len(*f) >= maxFaults }

// result joins the damage and what kept from reading on.
func (f *faults) result(err error) error {
	if err = errors.Join(append(*f, err)...); err != nil {
		return fmt.Errorf("verify block: %w", err)
	}
	return nil
}

// verifier gathers pages that follow one another until they are worth a
// request.
type verifier struct {
	faults

	reader   *Reader
	progress func(int64)
	window   []spot
}

// spot is a page and what it is called.
type spot struct {
	pageRef

	name string
}

// pages verifies the magic and all pages: everything before the tail, because
// the directory's pages follow one another without a gap.
func (v *verifier) pages(ctx context.Context) error {
	r := v.reader
	start, _, err := r.get(ctx, extent{0, int64(len(magic))}, "magic")
	if err == nil && string(start) != magic {
		err = r.corrupt("magic", 0, errMagic, hintRestore)
	}
	if err := v.note(err); err != nil {
		return err
	}
	for i := range r.dir.groups {
		if err := v.group(ctx, i); err != nil {
			return err
		}
	}
	return v.flush(ctx)
}

// group verifies the tables of traces and the pages of one row group.
func (v *verifier) group(ctx context.Context, ordinal int) error {
	r := v.reader.groupReader(ordinal)
	g := r.group
	add := func(ref pageRef, what string) error {
		return v.add(ctx, spot{ref, fmt.Sprintf("row group %d, %s", ordinal, what)})
	}
	for i := range g.traces {
		if err := add(g.traces[i].table, "table of traces of "+pageName(i)); err != nil {
			return err
		}
	}
	for c := range g.chunks {
		k, column := &g.chunks[c], "column "+r.column(c).name
		if k.absent {
			if err := add(k.dict, column); err != nil {
				return err
			}
			continue
		}
		parts, err := r.chunkParts(c)
		if err != nil {
			_ = v.note(err) // it is damage
		}
		if k.encoding == encodingCodes {
			dict := k.dict
			if r.framed(c) {
				dict.size = uint32(dict.header)
			}
			if err := add(dict, column+", dictionary"); err != nil {
				return err
			}
		}
		for i, f := range parts.frames {
			if err := add(pageRef{offset: f.offset, size: f.size, sum: f.sum}, column+", "+frameName(i)); err != nil {
				return err
			}
		}
		for p, ref := range parts.pages {
			if err := add(ref, column+", "+pageName(p)); err != nil {
				return err
			}
		}
	}
	return nil
}

// add takes the next page, and verifies those before when the window is full.
func (v *verifier) add(ctx context.Context, p spot) error {
	if len(v.window) > 0 && p.end()-v.window[0].offset > windowBytes {
		if err := v.flush(ctx); err != nil {
			return err
		}
	}
	v.window = append(v.window, p)
	return nil
}

// flush verifies the pages of the window.
func (v *verifier) flush(ctx context.Context) error {
	if len(v.window) == 0 || v.full() {
		return nil
	}
	window := v.window
	v.window = v.window[:0]
	first, end := window[0].offset, window[len(window)-1].end()
	data, _, err := v.reader.get(ctx, extent{first, end}, window[0].name)
	if err != nil {
		return v.note(err)
	}
	for _, p := range window {
		stored := data[p.offset-first:][:p.size]
		if pageSum(stored) != p.sum {
			_ = v.note(v.reader.corrupt(p.name, p.offset, errChecksum, hintRestore)) // it is damage
		}
	}
	v.progress(end)
	return nil
}

// tail verifies the tail once more, and returns the size of the object.
func (v *verifier) tail(ctx context.Context) (int64, error) {
	_, object, err := v.reader.readFooter(ctx)
	return object.Size, v.note(err)
}
