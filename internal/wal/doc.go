// Package wal is the log: the write-ahead log that holds every acknowledged
// span until it is in a block. It is JetStream, one stream per partition.
//
// A partition's messages are numbered 1, 2, 3 … by the server: a position. A
// message is a payload (AppendPayload) of one or more projects' spans, and may
// be a cut, which ends a batch. A builder reads from the log's first message,
// stores a batch as blocks and then purges up to, not including, its cut: the
// kept cut. That purge is the commit. The rules are in DESIGN.md, "The log
// protocol"; this package keeps those that concern one stream:
//
//   - Publish returns only after the server has stored and synced the message,
//     and Open refuses a server or stream whose settings promise less.
//   - Read never resumes. When it cannot prove that a message is the next one it
//     returns ErrReset, and the caller drops what it holds and reads again.
//   - A stream's name is never used twice: it contains the epoch. Positions are
//     compared only within one epoch of one partition.
//   - Nothing is published in a session before the log's end was compared with
//     the highest position that any block covers (a restored backup).
//
// A session is one connection to the server with all these checks made. There
// is no reconnecting within a session: when the connection dies, publishes fail
// at once, reads reset, and a new session is made with all checks again.
//
//	          dial, settings, record, epochs, end of log
//	Open ──▶ connecting ────────────────────────────────▶ ready
//	             ▲                                          │ connection lost, stream gone,
//	             └───────── wait (100 ms … 5 s) ◀───────────┘ leader elected
//
// A small key-value bucket, the control record, holds what must be agreed on
// once: the partition count, the window tree, and each partition's epoch.
package wal
