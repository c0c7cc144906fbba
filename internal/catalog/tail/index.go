package tail

import (
	"bytes"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/spanlake/spanlake/schema"
)

// index tells which messages may hold rows of a trace: a search looks up one
// trace after the other, and each would read all of the log's tail.
type index struct {
	messages []indexed // by position
	hashes   int
	rows     int
	open     []schema.TraceID // of rows that are pieces of spans; ascending once it is whole
}

type indexed struct {
	position uint64
	traces   []uint32 // hashes of its trace ids, sorted
}

// maxHashes bounds an index to 4 MB. A tail of more traces is read whole for
// every lookup.
const maxHashes = 1 << 20

// full reports whether the index knows nothing because there was too much.
func (x *index) full() bool { return x.hashes > maxHashes }

func (x *index) add(position uint64, rows []schema.Span) {
	x.rows += len(rows)
	for i := range rows {
		if rows[i].Fragment != schema.FragmentNone {
			x.open = append(x.open, rows[i].TraceID)
		}
	}
	if x.full() {
		return
	}
	traces := make([]uint32, 0, len(rows))
	for i := range rows {
		if i == 0 || rows[i].TraceID != rows[i-1].TraceID {
			traces = append(traces, hash(rows[i].TraceID))
		}
	}
	slices.Sort(traces)
	traces = slices.Clone(slices.Compact(traces))
	x.messages = append(x.messages, indexed{position, traces})
	if x.hashes += len(traces); x.full() {
		x.messages = nil
	}
}

// finish is called when all messages were added.
func (x *index) finish() *index {
	slices.SortFunc(x.open, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) })
	x.open = slices.Compact(x.open)
	return x
}

func hash(id schema.TraceID) uint32 { return uint32(xxhash.Sum64(id[:])) } //nolint:gosec // the lower half is as good

// maxSkip is how many messages in vain are cheaper than a read of their own,
// which takes three requests to the server.
const maxSkip = 4

func (m *indexed) mayHold(id schema.TraceID) bool {
	_, ok := slices.BinarySearch(m.traces, hash(id))
	return ok
}

type span struct{ first, last uint64 }

// ranges returns few ranges of positions with every message that may hold rows
// of the traces.
func (x *index) ranges(ids ...schema.TraceID) []span {
	var found []span
	for _, m := range x.messages {
		if !slices.ContainsFunc(ids, m.mayHold) {
			continue
		}
		if n := len(found); n > 0 && m.position-found[n-1].last <= maxSkip+1 {
			found[n-1].last = m.position
			continue
		}
		found = append(found, span{m.position, m.position})
	}
	return found
}
