// Package traceqltest checks engines of TraceQL.
//
// Run plays text scripts: a script loads spans, asks queries and says what the
// answers are. Any engine can be put behind the interface Engine. The scripts in
// Scripts cover the language section by section. Package oracle has an engine
// that is slow and plain on purpose, package random makes queries and traces to
// compare engines by.
//
// # Scripts
//
// A script is a list of commands with indented lines below them, and comments
// that begin with #. A blank line ends a command.
//
//	load
//	  trace 1
//	    a 0s 10s server service=shop .level=0
//	      b 1s 3s client error .level=1 resource.zone="eu"
//	        event retry 1500ms .n=1
//	      c 4s 2s .tags=["x","y"]
//
//	eval { .level = 1 }
//	  1: b
//
// load replaces the spans by those below it. A trace has its id in hexadecimal,
// a span has a name that is unique in the script, its start after 2026-01-01
// and its duration; then, in any order, its kind, its status, name="…" if the
// span has another name than the script uses, id=… in hexadecimal (without it
// spans are numbered from 1 in each trace), parent=… for a parent that is
// another than the indentation says, message="…" of the status, service="…",
// scope="…", version="…", and attributes: .key=value of the span,
// resource.key=value, instrumentation.key=value. Values are a number, a
// duration, a string in quotes, true, false, nil for the value that holds
// nothing, b"…" for bytes, a list in brackets or a map in braces. A line that
// begins with the word event or link belongs to the span above it.
//
// eval is a search, with what it finds below it: one line for each spanset,
// with the trace, the attributes of the spanset in parentheses, and the names of
// the spans. A span has the attributes behind it that the query selects.
//
//	eval range 10s 0s 60s { } | rate() by (name)
//	  {name="a"} 0 0.1 0 _ 0 0 0
//
// eval range is a metrics query with step, start and end, eval instant one with
// start and end. Each line is a series with its points; _ is no point.
//
//	fail { 1 }
//	  filter must be boolean
//
// fail is a query that is refused, with a part of the message below it.
package traceqltest
