package engine

import "github.com/spanlake/spanlake/traceql"

// relation tells of each span of b whether it stands in a relation to a span
// of a, which are rows of the trace in ascending order. The verdict has the
// places of b.
type relation func(t *tree, a, b []int32) []bool

// relationOf is the relation of a plain operator; for A op B, the spans of B.
func relationOf(op traceql.SpansetOp) relation {
	switch op {
	case traceql.SpansetChild:
		return childrenOf
	case traceql.SpansetParent:
		return parentsOf
	case traceql.SpansetDescendant:
		return descendantsOf
	case traceql.SpansetAncestor:
		return ancestorsOf
	case traceql.SpansetSibling:
		return siblingsOf
	default:
		return nil
	}
}

// converse is the operator for which B op A finds the spans of A that A op B
// relates spans of B to.
func converse(op traceql.SpansetOp) traceql.SpansetOp {
	switch op {
	case traceql.SpansetChild:
		return traceql.SpansetParent
	case traceql.SpansetParent:
		return traceql.SpansetChild
	case traceql.SpansetDescendant:
		return traceql.SpansetAncestor
	case traceql.SpansetAncestor:
		return traceql.SpansetDescendant
	default:
		return op
	}
}

// structural makes the operator on what both sides give.
func structural(op traceql.SpansetOp) func(t *tree, a, b []int32) []int32 {
	related := relationOf(op.Relation())
	switch {
	case op.IsNegated():
		return func(t *tree, a, b []int32) []int32 { return keep(b, related(t, a, b), false) }
	case op.IsUnion():
		back := relationOf(converse(op.Relation()))
		return func(t *tree, a, b []int32) []int32 {
			return unionOf(keep(a, back(t, b, a), true), keep(b, related(t, a, b), true))
		}
	default:
		return func(t *tree, a, b []int32) []int32 { return keep(b, related(t, a, b), true) }
	}
}

// keep returns the rows of which the verdict is as wanted.
func keep(rows []int32, verdict []bool, wanted bool) []int32 {
	var kept []int32
	for i, row := range rows {
		if verdict[i] == wanted {
			kept = append(kept, row)
		}
	}
	return kept
}

// marked returns which nodes the spans stand in.
func (t *tree) marked(rows []int32, of []int32) []bool {
	nodes := make([]bool, len(t.first))
	for _, row := range rows {
		if n := of[row]; n != noNode {
			nodes[n] = true
		}
	}
	return nodes
}

func childrenOf(t *tree, a, b []int32) []bool { return in(t.marked(a, t.node), b, t.parent) }

func parentsOf(t *tree, a, b []int32) []bool { return in(t.marked(a, t.parent), b, t.node) }

// in tells of each row whether its node is marked.
func in(marked []bool, rows []int32, of []int32) []bool {
	verdict := make([]bool, len(rows))
	for i, row := range rows {
		n := of[row]
		verdict[i] = n != noNode && marked[n]
	}
	return verdict
}

// descendantsOf goes up from each span of b until it meets a span of a or a
// node of which it knows the answer.
func descendantsOf(t *tree, a, b []int32) []bool {
	const unknown, no, yes = 0, 1, 2
	of := t.marked(a, t.node)
	known := make([]uint8, len(t.first)) // whether a span of a stands at the node or above it
	var way []int32
	verdict := make([]bool, len(b))
	for i, row := range b {
		way = way[:0]
		at, answer := t.parent[row], uint8(no)
		for ; at != noNode; at = t.up[at] {
			if known[at] != unknown {
				answer = known[at]
				break
			}
			way = append(way, at)
			if of[at] {
				answer = yes
				break
			}
		}
		for _, n := range way {
			known[n] = answer
		}
		verdict[i] = answer == yes
	}
	return verdict
}

// ancestorsOf marks all nodes above the spans of a, each once.
func ancestorsOf(t *tree, a, b []int32) []bool {
	above := make([]bool, len(t.first))
	for _, row := range a {
		for at := t.parent[row]; at != noNode && !above[at]; at = t.up[at] {
			above[at] = true
		}
	}
	return in(above, b, t.node)
}

// siblingsOf counts the spans of a by parent; a span is no sibling of itself.
func siblingsOf(t *tree, a, b []int32) []bool {
	count := make([]int32, len(t.first))
	for _, row := range a {
		if p := t.parent[row]; p != noNode {
			count[p]++
		}
	}
	verdict := make([]bool, len(b))
	for i, row := range b {
		for len(a) > 0 && a[0] < row {
			a = a[1:]
		}
		p := t.parent[row]
		if p == noNode {
			continue
		}
		others := count[p]
		if len(a) > 0 && a[0] == row {
			others--
		}
		verdict[i] = others > 0
	}
	return verdict
}
