// Package traceql is the query language: it reads the text of a query, checks
// its types and gives back a tree that can be printed again. It knows nothing
// of storage; package engine evaluates the tree.
//
// The language is that of Grafana Tempo, described with all differences in
// docs/traceql.md. A Query has a Pipeline of stages that finds traces, or
// Metrics, functions of what pipelines find over time. Every error of Parse is
// an *Error that says where a mistake is and what to write instead.
// ParseLenient takes what can be used of a query that is still being typed.
//
// Precedence, loosest first: |, then && and || (one level), comparisons and
// operators on the tree of spans (one level), + - and unary minus, !, * / %,
// ^. All associate to the left except ^.
package traceql
