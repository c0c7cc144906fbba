package block

import (
	"context"
	"math"

	"github.com/spanlake/spanlake/internal/block/verdict"
	"github.com/spanlake/spanlake/internal/vec"
)

// rowMatcher decides predicates on a few rows of a row group, each by itself and
// not by the page. It is a vec.Rows, of which row i is rows[i].
type rowMatcher struct {
	*selector

	rows  []int32 // ascending
	value values
	open  []int32 // those of rows that are not decided
	at    []int32 // where they stand in rows
}

var _ vec.Rows = (*rowMatcher)(nil)

// matched returns which of the rows the filter holds for. REQUIRES: the selector
// is settled.
func (m *rowMatcher) matched(ctx context.Context) (vec.Bitmap, error) {
	m.begin(ctx)
	selected := vec.FullBitmap(len(m.rows))
	switch m.fate(m.filter) {
	case fateNever:
		selected.Clear()
		return selected, nil
	case fateAlways:
		return selected, nil
	case fateOpen:
	}
	return selected, m.filter.Select(m, selected)
}

// Test clears the rows for which p does not hold.
func (m *rowMatcher) Test(p *vec.Predicate, selected vec.Bitmap) error {
	pr := m.probes[p]
	switch pr.fate() {
	case fateNever:
		selected.Clear()
		return nil
	case fateAlways:
		return nil
	case fateOpen:
	}
	m.open, m.at = m.open[:0], m.at[:0]
	for i := selected.Next(0); i < len(m.rows); i = selected.Next(i + 1) {
		m.open, m.at = append(m.open, m.rows[i]), append(m.at, int32(i))
	}
	for i := range pr.places {
		if len(m.open) == 0 {
			return nil
		}
		if err := m.testPlace(&pr.places[i], p, selected); err != nil {
			return err
		}
	}
	if !p.Absent {
		for _, i := range m.at {
			selected.Unset(int(i))
		}
	}
	return nil
}

// testPlace decides the open rows that have a value in one place: they are no
// longer open, and cleared if the predicate does not hold.
func (m *rowMatcher) testPlace(pl *place, p *vec.Predicate, selected vec.Bitmap) error {
	var wanted []extent
	if m.coded(pl) && m.dicts[pl.column] == nil { // it decides nothing
		wanted = append(wanted, m.chunk(pl.column).dict.extent())
	}
	m.eachRowPage(pl.column, &task{rows: m.open}, func(ref pageRef) { wanted = append(wanted, ref.extent()) })
	if err := m.fetchPages(wanted); err != nil {
		return err
	}
	if m.framed(pl.column) {
		list, err := m.appendFrames(nil, pl.column, m.open)
		if err == nil {
			err = m.fetchFrames(list)
		}
		if err != nil {
			return err
		}
	}
	if err := m.load(&m.value, pl.column, m.open); err != nil {
		return err
	}
	left := 0
	for i, row := range m.open {
		switch pl.decideRow(p, &m.value, i) {
		case verdict.Absent:
			m.open[left], m.at[left] = row, m.at[i]
			left++
		case verdict.Fails:
			selected.Unset(int(m.at[i]))
		case verdict.Holds:
		case verdict.Malformed:
			return m.corruptPage(pl.column, pageOf(m.group.pages, int(row)), errStructure)
		}
	}
	m.open, m.at = m.open[:left], m.at[:left]
	return nil
}

// decideRow decides one of the values of a place.
func (pl *place) decideRow(p *vec.Predicate, v *values, i int) verdict.Verdict {
	if v.dict != nil {
		code := v.codes[i]
		switch {
		case code == noCode || pl.present != nil && !pl.present.Has(int(code)):
			return verdict.Absent
		case pl.never:
			return verdict.Fails
		}
		return verdict.Of(pl.holds.Has(int(code)))
	}
	if pl.kind == placeBytes {
		text := v.text(i)
		switch {
		case text == nil:
			return verdict.Absent
		case pl.never:
			return verdict.Fails
		}
		return pl.decide(text)
	}
	word, ok := v.word(i)
	switch {
	case !ok:
		return verdict.Absent
	case pl.never:
		return verdict.Fails
	case pl.kind == placeInts && p.Between != nil:
		return verdict.Of(p.Between.Least <= int64(word) && int64(word) <= p.Between.Most)
	case pl.kind == placeInts:
		return verdict.Of(p.Int(int64(word)))
	case pl.kind == placeDoubles:
		return verdict.Of(p.Float(math.Float64frombits(word)))
	default:
		return verdict.Of(p.Bool(word != 0))
	}
}
