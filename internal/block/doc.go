// Package block writes and reads blocks: Parquet objects that hold the spans
// of one project and one range of the log, one row per span in the order of
// schema.Compare.
//
// Encode makes a block of rows; it is a pure function, so the same rows always
// give the same bytes. Open reads a block from a bucket with range requests:
// one for its tail (the page directory, the trace filter and the Parquet
// footer), then only what a Trace or a Scan needs. Describe and Verify look at
// a block as an object, for operators. Every byte that a Reader uses is covered
// by a checksum of ours; whatever is wrong with an object is reported as a
// CorruptError.
//
// This is the only package that imports arrow, and only for writing: the
// directory repeats in compact form what the reader would take from the
// Parquet footer and the page headers, which are there for other programs.
//
// Format: schema/README.md.
package block
