// Package engine answers queries. Compile turns a parsed search into a Plan:
// closures that judge whole traces, and filters by which the sources choose
// rows. Search runs a plan over the blocks and live segments of partitions.
// Metrics queries have plans of their own, which share all of this.
//
// A trace is always judged as a whole: its rows are gathered from every source
// of its partition, folded, and only then compared with the query. So an
// answer does not depend on how a trace is cut into blocks, on what is still
// live, or on how often a span was delivered.
//
// # Two phases
//
// The first phase looks for traces that may match. From the pipeline it derives
// a need: kinds of rows that a trace must have, joined by and and or (derive.go).
// {A} > {B} needs a row of A and one of B; {A} | count() > 3 needs four of A;
// {A} !> {B} needs only one of B; max(f) > 5 needs a row with f > 5, rootName =
// "x" one with that name. Each source is asked for each kind, and what several
// sources saw of one trace is joined (collect.go). A need may be fulfilled by
// traces that do not match, and is fulfilled by all that do.
//
// The second phase puts candidates together, newest first, and runs the stages
// on them until no other candidate can displace the traces that were found
// (candidates.go, assemble.go). Where a pipeline looks at nothing but the spans
// of its first filter, a source that has all of a trace sends these rows and a
// summary of the rest instead (summarize.go). While few candidates match, only
// the fields that decide are read of them, and the rest for the answer.
//
// # Stages
//
// A stage maps spansets to spansets, one file each: op_filter.go,
// op_combine.go, op_structural.go, op_scalar.go, op_group.go, op_select.go,
// op_coalesce.go. Spans hang together by ids (tree.go): a parent is every span
// with the id that its child names, so the two halves of a call that share an id
// are parents together. The children of a parent that has not arrived are
// siblings and the tops of trees of their own; where links go round in a circle,
// its first span is the top. Numbers of the nested-set model follow the order of
// the trace, roots first; nestedSetParent is -1 of a root, and 0 at the top of a
// tree whose root is missing, for which a place is kept in the numbering. Every
// operator takes time in proportion to the spans.
//
// An operand of an operator must give one spanset: by() in one needs a
// coalesce() behind it (ErrSplit). by() groups by type and value, lists as a
// whole, and what is absent, opaque or the empty list as nil. Outside of
// comparisons a field of events or links is that of the last one that has it.
// Aggregates skip what is no number, lists too; sums of ints and of durations
// are exact.
//
// # Meaning of conditions
//
// An absent attribute makes every comparison false, != and !~ too; only = nil
// finds it. A comparison of different types is false; int, float and duration
// are one type, compared by value. A list (an array attribute) makes a
// comparison true if it is true for one of its elements; != and !~ are true if
// no element is equal or matches, of those that can be compared, and there is
// one. The empty list is absent. ! is true negation. && and || are false unless
// both sides are booleans, so that a bare absent attribute makes them false; a
// comparison always is one. Maps and bytes are present, and equal nothing. A
// comparison with fields of events or links is true if it is true for one
// event or link, the same one on both sides; two comparisons may be true for
// different ones. Arithmetic with lists, and division by zero, has no value. A
// resource without service.name has the empty string there.
package engine
