package block

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// markRows is how many rows of an input a mark stands for, about: row groups end
// at marks, and have no more rows than they should but for a mark of each input.
const markRows = 64

// mark is some traces of an input that follow one another.
type mark struct {
	first schema.TraceID
	rows  int
	bytes int // of the rows in memory, about
}

// cuts returns the ends of the row groups: the traces that begin the next one, and
// nil for the last.
func (m *merger) cuts(ctx context.Context) ([]*schema.TraceID, error) {
	var marks []mark
	for _, in := range m.inputs {
		var err error
		if marks, err = in.appendMarks(ctx, marks); err != nil {
			return nil, fmt.Errorf("read the traces of block %s: %w", in.reader.key, err)
		}
	}
	slices.SortFunc(marks, func(a, b mark) int { return bytes.Compare(a.first[:], b.first[:]) })
	var ends []*schema.TraceID
	rows, size := 0, 0
	for i := range marks {
		k := &marks[i]
		full := size+k.bytes > m.groupBytes || rows+k.rows > m.limits.groupRows
		if rows > 0 && full && k.first != marks[i-1].first {
			ends, rows, size = append(ends, &k.first), 0, 0
		}
		rows, size = rows+k.rows, size+k.bytes
	}
	return append(ends, nil), nil
}

// appendMarks reads the tables of traces.
func (in *mergeInput) appendMarks(ctx context.Context, marks []mark) (_ []mark, err error) {
	defer in.reader.guard("table of traces", &err)
	for i := range in.reader.dir.groups {
		g := in.reader.groupReader(i)
		for k := range g.group.traces {
			if err := g.fetch(ctx, g.missingSection(nil, k)); err != nil {
				return nil, err
			}
			s, err := g.readSection(k)
			if err != nil {
				return nil, err
			}
			for from := 0; from < s.traces(); {
				to := from + 1
				for to < s.traces() && s.first[to]-s.first[from] < markRows {
					to++
				}
				rows := s.first[to] - s.first[from]
				marks = append(marks, mark{s.id(from), rows, rows * in.rowBytes})
				from = to
			}
		}
	}
	return marks, nil
}
