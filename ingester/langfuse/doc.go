// Package langfuse takes what SDKs of Langfuse send that do not speak OTLP: events
// that create and update traces, observations and scores, in batches
// (docs/llm-langfuse.md). Each event becomes one row, a piece of a span, which is
// folded with the others of it wherever the trace is put together: so nothing depends
// on the order of events or on how they were put into batches, and an event that is
// sent again changes nothing.
package langfuse
