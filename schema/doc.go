// Package schema defines what spanlake stores: the row of one span, the names
// of projects, the hash that assigns traces to partitions, and the grammar of
// block names with the covering rule.
//
// It is the lowest floor: it imports nothing of this module and does no I/O.
// Its README is the reference for programs that read the bucket.
package schema

// FormatVersion is the version of the block format that this program writes.
// A reader reads every earlier version.
const FormatVersion = 1
