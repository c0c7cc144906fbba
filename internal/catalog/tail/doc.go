// Package tail reads, for one query at a time, the part of a log that nobody
// holds in memory: what a builder has not read because its memory is full, or
// all of the log where no builder runs. It decodes messages as builders do and
// keeps none of them: memory is bounded by a few messages for each of a fixed
// number of reads, whatever the log holds.
package tail
