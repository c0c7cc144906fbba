// Package erasure knows which rows of a project are to be gone. A request names
// traces, and for every partition of the log the position at which it was
// accepted: it is about the rows of these traces up to there. Requests are objects
// of the bucket (Store); every process hides these rows from the moment at which
// it sees one (Watch), the compactor removes them, and a receipt takes the
// request's place when nothing of them is left.
package erasure
