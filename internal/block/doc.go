// Package block writes and reads blocks: Parquet objects that hold the spans
// of one project and one range of the log, one row per span in the order of
// schema.Compare.
//
// Encode makes a block of rows; it is a pure function, so the same rows always
// give the same bytes. Open reads a block from a bucket with range requests:
// one for its tail (the page directory, the trace filter and the Parquet
// footer), then only what a query needs. Describe and Verify look at a block as
// an object, for operators. Every byte that a Reader uses is covered by a
// checksum of ours; whatever is wrong with an object is reported as a
// CorruptError.
//
// The writer looks at all rows first: their order (order.go), which attributes
// occur how often (shred.go), what they share (shared.go). It then reads the rows
// of each row group once, in their order, into columns' cells (package cells):
// those that every span has (fixed.go) and those of attributes (gather.go), which
// decides where pages begin (plan.go); and it writes column after column
// (encode.go, columns_gathered.go, chunk_write.go).
//
// A filter is decided row group by row group (walk.go, select.go). The places
// where a predicate's field may stand are known from the directory (place.go);
// what their dictionaries hold is decided first, by package verdict, and then
// pages are matched as they lie (match.go), by package encoding. What is left
// is a bitmap of rows: Find reads their traces' entries in the trace tables
// (trace_section.go), Scan and Traces read the rows, and of each column only the
// pages that have some (rows.go, read_values.go); assemble.go puts attributes
// together again.
//
// What other programs read of a block, the Parquet footer and the headers of
// pages, package parquet writes; the directory repeats in compact form what the
// reader would take from there.
//
// Format: schema/README.md.
package block
