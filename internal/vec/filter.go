package vec

import "slices"

// Op says how a Filter combines.
type Op uint8

// The kinds of a Filter.
const (
	OpTrue      Op = iota // every row
	OpFalse               // no row
	OpPredicate           // Predicate holds
	OpAnd                 // all of Args hold
	OpOr                  // one of Args holds
	OpNot                 // Args[0] does not hold
)

// Filter is a condition on rows. It is immutable and safe for concurrent use.
type Filter struct {
	Op        Op
	Predicate *Predicate
	Args      []*Filter
}

// Rows are what a filter is decided on: a row group of a block, or rows in
// memory.
type Rows interface {
	// Test clears the bits of the selected rows for which p does not hold.
	Test(p *Predicate, selected Bitmap) error
	// Cost estimates what Test costs when every row is selected, in any
	// unit. A cost of 0 means that Test reads nothing.
	Cost(p *Predicate) int
}

// Select clears the bits of the selected rows for which f does not hold. What
// costs least is asked first, and nothing is asked of no rows.
func (f *Filter) Select(rows Rows, selected Bitmap) error {
	if !selected.Any() {
		return nil
	}
	switch f.Op {
	case OpTrue:
		return nil
	case OpFalse:
		selected.Clear()
		return nil
	case OpPredicate:
		return rows.Test(f.Predicate, selected)
	case OpAnd:
		for _, arg := range f.byCost(rows) {
			if err := arg.Select(rows, selected); err != nil {
				return err
			}
		}
		return nil
	case OpNot:
		held := selected.Clone()
		if err := f.Args[0].Select(rows, held); err != nil {
			return err
		}
		selected.AndNot(held)
		return nil
	default:
		return f.selectAny(rows, selected)
	}
}

// selectAny asks each argument about the rows that none before it holds for.
func (f *Filter) selectAny(rows Rows, selected Bitmap) error {
	open := selected.Clone()
	for _, arg := range f.byCost(rows) {
		if !open.Any() {
			break
		}
		held := open.Clone()
		if err := arg.Select(rows, held); err != nil {
			return err
		}
		open.AndNot(held)
	}
	selected.AndNot(open)
	return nil
}

// byCost returns the arguments, the cheapest first.
func (f *Filter) byCost(rows Rows) []*Filter {
	type priced struct {
		arg  *Filter
		cost int
	}
	list := make([]priced, len(f.Args))
	for i, arg := range f.Args {
		list[i] = priced{arg, arg.cost(rows)}
	}
	slices.SortStableFunc(list, func(a, b priced) int { return a.cost - b.cost })
	args := make([]*Filter, len(list))
	for i := range list {
		args[i] = list[i].arg
	}
	return args
}

func (f *Filter) cost(rows Rows) int {
	if f.Op == OpPredicate {
		return rows.Cost(f.Predicate)
	}
	sum := 0
	for _, arg := range f.Args {
		sum += arg.cost(rows)
	}
	return sum
}

// Predicates appends the predicates of f to list.
func (f *Filter) Predicates(list []*Predicate) []*Predicate {
	if f.Op == OpPredicate {
		list = append(list, f.Predicate)
	}
	for _, arg := range f.Args {
		list = arg.Predicates(list)
	}
	return list
}
