// Package oracle answers TraceQL queries in the plainest way: every stage is a
// loop over all spans of every trace, written down from the description of the
// language (docs/traceql.md), one file for each of its sections. It is the
// measure that engines are held against, so it shares nothing with them: no
// index, no early end, nothing compiled, nothing remembered. Attributes are
// read through internal/otlp.
//
// It is no engine to use: a structural operator takes the square of the number
// of spans.
package oracle
