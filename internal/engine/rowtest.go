package engine

import (
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/traceql"
)

// rowTest is a condition on single rows, true for every row for which what it
// stands for is true in its trace.
type rowTest struct {
	filter *vec.Filter
	may    condition
	sure   bool // filter holds for no other rows than may does
	fields []traceql.FieldExpr
	text   string // equal for equal tests
}

// everyRow holds for all rows.
func everyRow() rowTest {
	return rowTest{filter: bound(modeMay), may: func(*frame) bool { return true }, sure: true}
}

// rowTest compiles what single rows say of e.
func (c *compiler) rowTest(e traceql.FieldExpr) (rowTest, error) {
	if l, ok := e.(*traceql.Literal); ok && l.Value.IsTrue() {
		return everyRow(), nil
	}
	c.loose = false
	t := rowTest{fields: []traceql.FieldExpr{e}, text: e.String()}
	var err error
	if t.filter, err = c.filter(e, modeMay); err != nil {
		return t, err
	}
	t.sure = !c.loose
	if c.partsOf(e).has(partTrace) {
		t.may, err = c.condition(e, modeMay)
	} else {
		t.may, err = c.exact(e)
	}
	return t, err
}

// bothTests holds for the rows for which a and b hold.
func bothTests(a, b rowTest) rowTest {
	switch {
	case a.text == "" || a.text == b.text:
		return b
	case b.text == "":
		return a
	}
	return rowTest{
		filter: allFilters([]*vec.Filter{a.filter, b.filter}),
		may:    func(f *frame) bool { return a.may(f) && b.may(f) },
		sure:   a.sure && b.sure,
		fields: append(slices.Clip(a.fields), b.fields...),
		text:   "(" + a.text + ") and (" + b.text + ")",
	}
}

// eitherTest holds for the rows for which a or b holds.
func eitherTest(a, b rowTest) rowTest {
	switch {
	case a.text == "" || a.text == b.text:
		return a
	case b.text == "":
		return b
	}
	return rowTest{
		filter: anyFilters([]*vec.Filter{a.filter, b.filter}),
		may:    func(f *frame) bool { return a.may(f) || b.may(f) },
		sure:   a.sure && b.sure,
		fields: append(slices.Clip(a.fields), b.fields...),
		text:   "(" + a.text + ") or (" + b.text + ")",
	}
}
