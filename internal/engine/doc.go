// Package engine answers queries. Compile turns a parsed query into a Plan: a
// tree of closures that judges one span at a time, and a filter by which the
// sources choose rows. Search runs a plan over the blocks and live segments of
// partitions.
//
// A trace is always judged as a whole: its rows are gathered from every source
// of its partition, folded, and only then compared with the query. So an
// answer does not depend on how a trace is cut into blocks, on what is still
// live, or on how often a span was delivered.
//
// # Meaning of conditions
//
// An absent attribute makes every comparison false, != and !~ too; only = nil
// finds it. A comparison of different types is false; int, float and duration
// are one type, compared by value. A list (an array attribute) makes a
// comparison true if it is true for one of its elements, != and !~ included;
// the empty list is absent.
// ! is true negation. && and || are false unless both sides are booleans, so
// that a bare absent attribute makes them false; a comparison always is one. Maps and bytes are present, and equal nothing. A
// comparison with fields of events or links is true if it is true for one
// event or link, the same one on both sides; two comparisons may be true for
// different ones. Arithmetic with lists, and division by zero, has no value. A
// resource without service.name has the empty string there.
package engine
