// Package llm brings what SDKs say about calls of models into one set of
// attributes: those of OpenTelemetry's GenAI conventions, and where these have
// none, spanlake's own. It adds, and changes nothing that was sent
// (docs/design/0011-llm.md, docs/llm.md).
//
// What a span says of itself is decided here, row by row: a pure function of the
// row and the table of prices, of which Version is part. What depends on the
// rest of the trace, whether a span's usage counts, is decided by queries.
package llm

// Version is of the tables and rules of this package: another one may derive
// other attributes of a row.
const Version = 1
