package block

import (
	"context"

	"github.com/spanlake/spanlake/internal/vec"
)

// dictionaryBytes is about how much of the dictionaries of the row groups to
// come is fetched at once.
const dictionaryBytes = 4 << 20

// walker goes through the row groups of a block and decides a filter on their
// rows.
type walker struct {
	reader *Reader
	filter *vec.Filter

	ordinal int         // of the row group behind the queue
	queue   []*selector // row groups whose dictionaries were fetched
}

// next returns the next row group that has selected rows, or any that is wanted
// whether it has or not: then they may be nil. It returns nil after the last.
func (w *walker) next(ctx context.Context, wanted func(*rowGroup) bool) (*groupReader, vec.Bitmap, error) {
	for {
		// What is in memory is read without anyone else asking.
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		if len(w.queue) == 0 {
			if w.ordinal == len(w.reader.dir.groups) {
				return nil, nil, nil
			}
			if err := w.fetch(ctx); err != nil {
				return nil, nil, err
			}
		}
		s := w.queue[0]
		w.queue = w.queue[1:]
		selected, err := s.rows(ctx)
		if err != nil {
			return nil, nil, err
		}
		if selected != nil || wanted(s.group) {
			return s.groupReader, selected, nil
		}
	}
}

// fetch reads the dictionaries of the row groups to come.
func (w *walker) fetch(ctx context.Context) error {
	var list []extent
	var size int64
	for w.ordinal < len(w.reader.dir.groups) && (len(w.queue) == 0 || size < dictionaryBytes) {
		s := w.reader.newSelector(w.ordinal, w.filter)
		w.ordinal++
		w.queue = append(w.queue, s)
		for _, x := range s.missing(s.dictionaries()) {
			list, size = append(list, x), size+x.size()
		}
	}
	if len(list) == 0 {
		return nil
	}
	fetched, err := w.reader.fetch(ctx, list)
	if err != nil {
		return err
	}
	for _, s := range w.queue {
		s.kept = fetched
	}
	return nil
}
