package block

import (
	"context"
	"fmt"
	"math"

	"github.com/spanlake/spanlake/internal/vec"
)

// Totals adds up a number over the rows of each trace for which the filter holds.
// It reads the columns in which the number stands, and the tables of traces. Errors
// are those of Scan.
func (r *Reader) Totals(ctx context.Context, filter *vec.Filter, number vec.Column) (totals *vec.Totals, err error) {
	defer r.guard("totals", &err)
	w := walker{reader: r, filter: filter}
	totals = &vec.Totals{Pure: true}
	for {
		g, selected, err := w.next(ctx, func(*rowGroup) bool { return false })
		if err == nil && g != nil {
			totals.Pure = totals.Pure && g.onlyNumbers(number)
			err = (&adder{groupReader: g, totals: totals}).run(ctx, selected, number)
		}
		if err != nil {
			return nil, fmt.Errorf("add up block: %w", err)
		}
		if g == nil {
			return totals, nil
		}
	}
}

// onlyNumbers reports whether what stands in the places of a column are numbers.
func (g *groupReader) onlyNumbers(column vec.Column) bool {
	for _, h := range g.holdingsOf(column) {
		if h.kind != kindInt && h.kind != kindDouble {
			return false
		}
	}
	return true
}

// adder adds up the rows of one row group.
type adder struct {
	*groupReader

	totals *vec.Totals
	end    int // row after those of the last trace
}

func (a *adder) run(ctx context.Context, selected vec.Bitmap, number vec.Column) error {
	m := a.newMeasure(number)
	if len(m.parts) == 0 {
		return nil
	}
	if err := a.keepAllSections(ctx); err != nil {
		return err
	}
	var numbers vec.Numbers
	return a.eachTask(ctx, tasksOf(a.group.pages, selected), m.appendColumns(nil), func(t *task) error {
		if err := m.load(a.groupReader, t.rows, &numbers); err != nil {
			return err
		}
		for i, kind := range numbers.Kinds {
			if kind == vec.NoNumber {
				continue
			}
			total, err := a.totalOf(int(t.rows[i]))
			if err != nil {
				return err
			}
			if word := numbers.Words[i]; kind == vec.Int {
				total.AddInt(int64(word))
			} else {
				total.AddFloat(math.Float64frombits(word))
			}
		}
		return nil
	})
}

// totalOf is the total that a row counts for. Rows come in ascending order.
func (a *adder) totalOf(row int) (*vec.Total, error) {
	if row >= a.end {
		section, err := a.readSection(a.group.sectionOf(row))
		if err != nil {
			return nil, err
		}
		trace := section.traceOf(row)
		a.end = section.first[trace+1]
		a.totals.Of = append(a.totals.Of, vec.Total{ID: section.id(trace)})
	}
	return &a.totals.Of[len(a.totals.Of)-1], nil
}
