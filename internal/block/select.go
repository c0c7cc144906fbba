package block

import (
	"context"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/vec"
)

const (
	// prefetchColumnBytes is the largest column of a row group that is
	// fetched along with the others of a filter, whether rows are left for it
	// or not: less than what a request of its own costs.
	prefetchColumnBytes = 1 << 20
	// prefetchBytes bounds what is fetched so.
	prefetchBytes = 8 << 20
)

// selector decides predicates on the rows of one row group. It is a vec.Rows.
type selector struct {
	*groupReader

	filter *vec.Filter
	probes map[*vec.Predicate]*probe
	list   []*probe // in the order of the filter
	// fetchPages fetches extents in place of those of the last call.
	fetchPages func([]extent) error
	// fetchFrames does so with frames of content.
	fetchFrames func([]extent) error
	match       matchScratch
}

var _ vec.Rows = (*selector)(nil)

// newSelector finds the places of all predicates of a filter.
func (r *Reader) newSelector(ordinal int, filter *vec.Filter) *selector {
	s := &selector{groupReader: r.groupReader(ordinal), filter: filter, probes: make(map[*vec.Predicate]*probe)}
	for _, p := range filter.Predicates(nil) {
		if s.probes[p] == nil {
			pr := s.newProbe(p)
			s.probes[p], s.list = pr, append(s.list, pr)
		}
	}
	return s
}

// undecided calls f with the places whose dictionaries decide something.
func (s *selector) undecided(f func(*vec.Predicate, *place) error) error {
	for _, pr := range s.list {
		for i := range pr.places {
			if pl := &pr.places[i]; s.coded(pl) && !pl.never {
				if err := f(pr.predicate, pl); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// dictionaries are the places of the dictionaries that decide something.
func (s *selector) dictionaries() (list []extent) {
	_ = s.undecided(func(_ *vec.Predicate, pl *place) error { // which returns no other error
		list = append(list, s.chunk(pl.column).dict.extent())
		return nil
	})
	return list
}

// rows returns the rows for which the filter holds, nil if there are none.
// REQUIRES: the dictionaries were fetched. What else is fetched is left to the
// reading of the rows.
func (s *selector) rows(ctx context.Context) (vec.Bitmap, error) {
	selected := vec.FullBitmap(s.group.rows())
	if err := s.narrow(ctx, selected); err != nil || !selected.Any() {
		return nil, err
	}
	return selected, nil
}

// narrow leaves out the rows for which the filter does not hold. REQUIRES: the
// dictionaries were fetched.
func (s *selector) narrow(ctx context.Context, selected vec.Bitmap) error {
	if err := s.settle(); err != nil {
		return err
	}
	switch s.fate(s.filter) {
	case fateNever:
		selected.Clear()
		return nil
	case fateAlways:
		return nil
	case fateOpen:
	}
	if err := s.prefetch(ctx, selected); err != nil {
		return err
	}
	s.begin(ctx)
	return s.filter.Select(s, selected)
}

// begin says how to fetch what predicates need.
func (s *selector) begin(ctx context.Context) {
	s.fetchPages = func(list []extent) error { return s.fetch(ctx, list) }
	s.fetchFrames = func(list []extent) error { return s.fetchTextExtents(ctx, list) }
}

// settle decides what dictionaries decide. REQUIRES: they were fetched.
func (s *selector) settle() error {
	if err := s.undecided(s.decideEntries); err != nil {
		return err
	}
	for _, pr := range s.list {
		pr.settle(s.groupReader)
	}
	return nil
}

// prefetch fetches what the selected rows need of the cheap columns of all
// predicates at once.
func (s *selector) prefetch(ctx context.Context, selected vec.Bitmap) error {
	var wanted []extent
	seen := make(map[int]bool)
	left := int64(prefetchBytes)
	for _, pr := range s.list {
		if pr.always() {
			continue
		}
		for i := range pr.places {
			pl := &pr.places[i]
			grid, size := s.group.pages, s.chunk(pl.column).data().size()
			if seen[pl.column] || s.weight(pl) > costNumbers || size > min(prefetchColumnBytes, left) {
				continue
			}
			seen[pl.column] = true
			left -= size
			pages, err := s.pages(pl.column)
			if err != nil {
				return err
			}
			for p, ref := range pages {
				if encoding.AnyBit(selected, grid[p], grid[p+1]) {
					wanted = append(wanted, ref.extent())
				}
			}
		}
	}
	return s.keep(ctx, wanted)
}

// fate is what is known of a filter without reading a row.
type fate uint8

const (
	fateOpen fate = iota
	fateNever
	fateAlways
)

func (s *selector) fate(f *vec.Filter) fate {
	switch f.Op {
	case vec.OpTrue:
		return fateAlways
	case vec.OpFalse:
		return fateNever
	case vec.OpPredicate:
		return s.probes[f.Predicate].fate()
	case vec.OpNot:
		switch s.fate(f.Args[0]) {
		case fateNever:
			return fateAlways
		case fateAlways:
			return fateNever
		case fateOpen:
		}
		return fateOpen
	case vec.OpAnd:
		return s.fateOfAll(f.Args, fateAlways, fateNever)
	case vec.OpOr:
		return s.fateOfAll(f.Args, fateNever, fateAlways)
	}
	return fateOpen
}

// fateOfAll is decisive if that of one argument is, neutral if that of all are.
func (s *selector) fateOfAll(args []*vec.Filter, neutral, decisive fate) fate {
	all := neutral
	for _, arg := range args {
		switch s.fate(arg) {
		case decisive:
			return decisive
		case neutral:
		default:
			all = fateOpen
		}
	}
	return all
}

func (pr *probe) fate() fate {
	switch {
	case pr.none():
		return fateNever
	case pr.always():
		return fateAlways
	}
	return fateOpen
}

// Cost is about the bytes that Test reads, 0 for none.
func (s *selector) Cost(p *vec.Predicate) int { return s.probes[p].cost }

// Test clears the rows for which p does not hold.
func (s *selector) Test(p *vec.Predicate, selected vec.Bitmap) error {
	pr := s.probes[p]
	switch pr.fate() {
	case fateNever:
		selected.Clear()
		return nil
	case fateAlways:
		return nil
	case fateOpen:
	}
	open := selected.Clone()
	clear(selected)
	for i := range pr.places {
		if !open.Any() {
			return nil
		}
		if err := s.test(&pr.places[i], p, open, selected); err != nil {
			return err
		}
	}
	if p.Absent {
		for i, word := range open {
			selected[i] |= word
		}
	}
	return nil
}

// test decides the open rows that have a value in one place: they are no longer
// open, and held if the predicate holds.
func (s *selector) test(pl *place, p *vec.Predicate, open, held vec.Bitmap) error {
	grid := s.group.pages
	pages, err := s.pages(pl.column)
	if err != nil {
		return err
	}
	for next := 0; next < len(pages); {
		var wanted []extent
		var size int64
		end := next
		for ; end < len(pages) && (size == 0 || size+int64(pages[end].size) <= windowBytes); end++ {
			if encoding.AnyBit(open, grid[end], grid[end+1]) {
				wanted = append(wanted, pages[end].extent())
				size += int64(pages[end].size)
			}
		}
		if err := s.fetchPages(wanted); err != nil {
			return err
		}
		if s.framed(pl.column) && !pl.never {
			if err := s.decideTexts(pl, next, end, open); err != nil {
				return err
			}
		}
		for ; next < end; next++ {
			if !encoding.AnyBit(open, grid[next], grid[next+1]) {
				continue
			}
			if err := s.testPage(pl, p, next, open, held); err != nil {
				return err
			}
		}
	}
	return nil
}
