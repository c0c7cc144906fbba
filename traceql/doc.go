// Package traceql is the query language: it reads the text of a query, checks
// its types and gives back a tree that can be printed again. It knows nothing
// of storage; package engine evaluates the tree.
//
// The language is that of Grafana Tempo. This version takes one span filter,
// { ... }, with an optional with(...) clause. Everything else of the language
// is recognised and refused with an error that wraps ErrUnsupported.
// ParseLenient takes what can be used of a query that is still being typed.
//
// Precedence, loosest first: && and || (one level), comparisons, + - and unary
// minus, !, * / %, ^. All associate to the left except ^.
package traceql
