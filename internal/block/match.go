package block

import (
	"math"
	"math/bits"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/block/verdict"
	"github.com/spanlake/spanlake/internal/vec"
)

// matchScratch is memory that pages use one after another. Its bitmaps are of
// the rows of a page, or of those that have a value.
type matchScratch struct {
	open    vec.Bitmap // rows that are not decided
	wanted  []uint64   // of those, the values to look at
	holds   []uint64   // values for which the predicate holds
	present []uint64   // values in which the field is, nil: all

	presentWords, words, spread, found []uint64
	ints                               []int64
	narrow                             []int32
	doubles                            []float64
}

// testPage is test for one page.
func (s *selector) testPage(pl *place, p *vec.Predicate, page int, open, held vec.Bitmap) error {
	grid := s.group.pages
	from, n := grid[page], grid[page+1]-grid[page]
	s.scratch.raw = s.scratch.raw[:0]
	view, err := s.page(pl.column, page, n, &s.scratch.raw)
	if err != nil || view.count == 0 {
		return err
	}
	m := &s.match
	m.open = open.Extract(m.open, from, from+n)
	if err := s.matchValues(pl, p, view); err != nil {
		return s.corruptPage(pl.column, page, err)
	}
	holds, present := m.holds, m.present
	if defined := view.defined; defined != nil {
		encoding.Expand(resize(&m.words, len(m.open)), holds, defined, n)
		holds = m.words
		if present == nil {
			present = defined
		} else {
			encoding.Expand(resize(&m.spread, len(m.open)), present, defined, n)
			present = m.spread
		}
	}
	settleRows(open, held, m.open, holds, present, from)
	return nil
}

// settleRows moves the rows of a page, which begin at row from, out of open: those
// that are present, all if it is nil; and into held if they are in holds too.
func settleRows(open, held, page vec.Bitmap, holds, present []uint64, from int) {
	shift := from % 64
	for i, rows := range page {
		decided := rows
		if present != nil {
			decided &= present[i]
		}
		holding := decided & holds[i]
		w := from/64 + i
		open[w] &^= decided << shift
		held[w] |= holding << shift
		if shift > 0 && w+1 < len(open) {
			open[w+1] &^= decided >> (64 - shift)
			held[w+1] |= holding >> (64 - shift)
		}
	}
}

// matchValues sets the bitmaps holds and present of a page's values, the latter to nil if all are. Values of rows that are not open need not be right.
func (s *selector) matchValues(pl *place, p *vec.Predicate, view *pageView) error {
	m, body, count := &s.match, view.body, view.count
	resize(&m.holds, (count+63)/64)
	m.present = nil
	switch {
	case pl.never && pl.present == nil:
		clear(m.holds)
		return nil
	case s.coded(pl), s.framed(pl.column):
		return m.matchCodes(pl, body, count)
	case pl.kind == placeInts && p.Between != nil:
		return m.matchBetween(s.chunk(pl.column).encoding, s.column(pl.column).physical, p.Between, view)
	case pl.kind == placeInts:
		return m.matchInts(s.chunk(pl.column).encoding, s.column(pl.column).physical, p.Int, body, count)
	case pl.kind == placeDoubles:
		return m.matchDoubles(p.Float, body, count)
	case pl.kind == placeBools:
		return m.matchBools(p.Bool, body, count)
	}
	return m.matchBytes(pl, body, view.defined, count)
}

func (m *matchScratch) matchCodes(pl *place, body []byte, count int) error {
	if len(body) == 0 {
		return encoding.ErrMalformed
	}
	width, packed := int(body[0]), body[1:]
	if err := pl.holds.Match(m.holds, packed, count, width); err != nil || pl.present == nil {
		return err
	}
	m.present = resize(&m.presentWords, len(m.holds))
	return pl.present.Match(m.present, packed, count, width)
}

func (m *matchScratch) matchBetween(e pageEncoding, t physical, within *vec.Interval, view *pageView) error {
	body, count := view.body, view.count
	switch {
	case view.index != nil && view.defined == nil:
		return view.index.Match(m.holds, m.open, within.Least, within.Most)
	case view.index != nil:
		return view.index.Match(m.holds, nil, within.Least, within.Most)
	case e == encodingDelta:
		return encoding.MatchDelta(m.holds, body, count, within.Least, within.Most)
	case t == physicalInt64:
		return encoding.MatchInt64s(m.holds, body, count, within.Least, within.Most)
	case within.Least > math.MaxInt32 || within.Most < math.MinInt32:
		clear(m.holds)
		return nil
	}
	least, most := max(within.Least, math.MinInt32), min(within.Most, math.MaxInt32)
	return encoding.MatchInt32s(m.holds, body, count, int32(least), int32(most))
}

func (m *matchScratch) matchInts(e pageEncoding, t physical, holds func(int64) bool, body []byte, count int) error {
	ints := resize(&m.ints, count)
	var err error
	switch {
	case e == encodingDelta:
		err = encoding.DecodeDelta(ints, body)
	case t == physicalInt64:
		err = encoding.DecodeInt64s(ints, body)
	default:
		narrow := resize(&m.narrow, count)
		err = encoding.DecodeInt32s(narrow, body)
		for i, v := range narrow {
			ints[i] = int64(v)
		}
	}
	if err == nil {
		matchEach(m.holds, ints, holds)
	}
	return err
}

func (m *matchScratch) matchDoubles(holds func(float64) bool, body []byte, count int) error {
	doubles := resize(&m.doubles, count)
	if err := encoding.DecodeDoubles(doubles, body); err != nil {
		return err
	}
	matchEach(m.holds, doubles, holds)
	return nil
}

func matchEach[T any](dst []uint64, values []T, holds func(T) bool) {
	clear(dst)
	for i, v := range values {
		if holds(v) {
			dst[i/64] |= 1 << (i % 64)
		}
	}
}

func (m *matchScratch) matchBools(holds func(bool) bool, body []byte, count int) error {
	if err := encoding.DecodeBools(m.holds, body, count); err != nil {
		return err
	}
	var ifTrue, ifFalse uint64
	if holds(true) {
		ifTrue = math.MaxUint64
	}
	if holds(false) {
		ifFalse = math.MaxUint64
	}
	for i, w := range m.holds {
		m.holds[i] = w&ifTrue | ^w&ifFalse
	}
	return nil
}

// matchBytes decides the values of open rows.
func (m *matchScratch) matchBytes(pl *place, body []byte, defined []uint64, count int) error {
	wanted := []uint64(m.open)
	if defined != nil {
		wanted = resize(&m.wanted, len(m.holds)+1)
		clear(wanted)
		encoding.Compact(wanted, m.open, defined)
		wanted = wanted[:len(m.holds)]
	}
	if len(pl.literal) > 0 {
		if err := encoding.FindBytes(m.holds, body, pl.literal, count); err != nil {
			return err
		}
		found := resize(&m.found, len(m.holds))
		for i, w := range m.holds {
			found[i] = w & wanted[i]
		}
		wanted = found
	}
	clear(m.holds)
	if !pl.text {
		m.present = resize(&m.presentWords, len(m.holds))
		clear(m.present)
	}
	return m.decideWanted(pl.decide, encoding.NewByteArrays(body), wanted)
}

// decideWanted decides the wanted ones of a page's values.
func (m *matchScratch) decideWanted(decide verdict.Decider, values encoding.ByteArrays, wanted []uint64) error {
	next := 0
	for w, word := range wanted {
		for ; word != 0; word &= word - 1 {
			i := 64*w + bits.TrailingZeros64(word)
			if err := values.Skip(i - next); err != nil {
				return err
			}
			value, err := values.Next()
			if err != nil {
				return err
			}
			next = i + 1
			said := decide(value)
			if said == verdict.Malformed {
				return errStructure
			}
			bit := word & -word
			if said == verdict.Holds {
				m.holds[w] |= bit
			}
			if said != verdict.Absent && m.present != nil {
				m.present[w] |= bit
			}
		}
	}
	return nil
}
