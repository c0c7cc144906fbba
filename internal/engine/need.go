package engine

import "slices"

// need is what a trace must have at least so that a pipeline can find it: a
// formula, without negation, of leaves. It is the first phase's question, which
// every trace of the answer passes, and few others.
type need struct {
	op   needOp
	leaf int // of needLeaf
	args []need
}

type needOp uint8

const (
	needLeaf needOp = iota
	needAll         // of none: every trace
	needAny         // of none: no trace
)

// maxLeaves is the number of bits of a leafSet. What a query needs beyond them
// is not asked for.
const maxLeaves = 64

// leafSet has bit i if leaf i holds for a trace.
type leafSet uint64

// leaf is a kind of row, and how many of it a trace must have.
type leaf struct {
	rowTest
	least int
}

func (n *need) holds(s leafSet) bool {
	switch n.op {
	case needAll:
		for i := range n.args {
			if !n.args[i].holds(s) {
				return false
			}
		}
		return true
	case needAny:
		for i := range n.args {
			if n.args[i].holds(s) {
				return true
			}
		}
		return false
	default:
		return s>>n.leaf&1 != 0
	}
}

// always reports whether every trace will do.
func (n *need) always() bool { return n.op == needAll && len(n.args) == 0 }

// allNeeds leaves out what is always there.
func allNeeds(list ...need) need {
	all := need{op: needAll}
	for _, n := range list {
		switch {
		case n.op == needAny && len(n.args) == 0:
			return n
		case n.op == needAll:
			all.args = append(all.args, n.args...)
		case n.op != needLeaf || !slices.ContainsFunc(all.args, func(m need) bool { return m.op == needLeaf && m.leaf == n.leaf }):
			all.args = append(all.args, n)
		}
	}
	if len(all.args) == 1 {
		return all.args[0]
	}
	return all
}

// renumber replaces the numbers of leaves.
func (n *need) renumber(numbers []int) need {
	m := need{op: n.op}
	if n.op == needLeaf {
		m.leaf = numbers[n.leaf]
	}
	for i := range n.args {
		m.args = append(m.args, n.args[i].renumber(numbers))
	}
	return m
}

// used marks the leaves that the formula asks for.
func (n *need) used(marks []bool) {
	if n.op == needLeaf {
		marks[n.leaf] = true
	}
	for i := range n.args {
		n.args[i].used(marks)
	}
}
