// Package docs has what the program itself shows of its documents.
package docs

import _ "embed"

// TraceQL is the description of the query language, Markdown.
//
//go:embed traceql.md
var TraceQL string
