package block

import (
	"context"

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

	probes map[*vec.Predicate]*probe
	list   []*probe // in the order of the filter
	// fetchPages fetches extents in place of those of the last call.
	fetchPages func([]extent) error
	match      matchScratch
}

var _ vec.Rows = (*selector)(nil)

// selectRows returns the rows for which the filter holds, nil if there are none. What it fetches, it
// leaves to the reading of the rows that follows.
func (g *groupReader) selectRows(ctx context.Context, filter *vec.Filter) (vec.Bitmap, error) {
	selected := vec.FullBitmap(g.group.rows())
	s := &selector{
		groupReader: g,
		probes:      make(map[*vec.Predicate]*probe),
		fetchPages:  func(list []extent) error { return g.fetch(ctx, list) },
	}
	if err := s.plan(ctx, filter); err != nil {
		return nil, err
	}
	switch s.fate(filter) {
	case fateNever:
		return nil, nil
	case fateAlways:
		return selected, nil
	case fateOpen:
	}
	if err := s.prefetch(ctx); err != nil {
		return nil, err
	}
	if err := filter.Select(s, selected); err != nil || !selected.Any() {
		return nil, err
	}
	return selected, nil
}

// plan finds the places of all predicates and decides their dictionaries, which
// it fetches at once.
func (s *selector) plan(ctx context.Context, filter *vec.Filter) error {
	var wanted []extent
	for _, p := range filter.Predicates(nil) {
		if s.probes[p] != nil {
			continue
		}
		pr := s.newProbe(p)
		s.probes[p], s.list = pr, append(s.list, pr)
		for i := range pr.places {
			if pl := &pr.places[i]; s.coded(pl) && !pl.never {
				wanted = append(wanted, s.chunk(pl.column).dict.extent())
			}
		}
	}
	if err := s.keep(ctx, wanted); err != nil {
		return err
	}
	for _, pr := range s.list {
		for i := range pr.places {
			if pl := &pr.places[i]; s.coded(pl) && !pl.never {
				if err := s.decideEntries(pl, pr.predicate); err != nil {
					return err
				}
			}
		}
		pr.settle(s.groupReader)
	}
	return nil
}

// prefetch fetches the cheap columns of all predicates at once.
func (s *selector) prefetch(ctx context.Context) error {
	var wanted []extent
	seen := make(map[int]bool)
	left := int64(prefetchBytes)
	for _, pr := range s.list {
		if pr.always() {
			continue
		}
		for i := range pr.places {
			pl := &pr.places[i]
			pages := s.chunk(pl.column).pages
			x := extent{pages[0].offset, pages[len(pages)-1].end()}
			if seen[pl.column] || s.weight(pl) > costNumbers || x.size() > min(prefetchColumnBytes, left) {
				continue
			}
			seen[pl.column] = true
			left -= x.size()
			wanted = append(wanted, x)
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
	grid, pages := s.grid(pl.column), s.chunk(pl.column).pages
	for next := 0; next < len(pages); {
		var wanted []extent
		var size int64
		end := next
		for ; end < len(pages) && (size == 0 || size+int64(pages[end].size) <= windowBytes); end++ {
			if anyIn(open, grid[end], grid[end+1]) {
				wanted = append(wanted, pages[end].extent())
				size += int64(pages[end].size)
			}
		}
		if err := s.fetchPages(wanted); err != nil {
			return err
		}
		for ; next < end; next++ {
			if !anyIn(open, grid[next], grid[next+1]) {
				continue
			}
			if err := s.testPage(pl, p, next, open, held); err != nil {
				return err
			}
		}
	}
	return nil
}
