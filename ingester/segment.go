package ingester

import (
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/wal"
	"github.com/spanlake/spanlake/schema"
)

// segment is a batch in memory: everything after one cut up to and including
// the next, or up to the log's end while it is open. One goroutine appends;
// any number of queries read.
type segment struct {
	stream   wal.Stream
	first    uint64    // first position of the batch
	logNanos uint64    // log time of its first message
	opened   time.Time // when the batch began, by the earlier of the log's clock and ours

	decoder  *otlp.Decoder // of the appending goroutine
	damaged  []damaged     // of the appending goroutine, then of the storing one
	storedAt time.Time     // guarded by partition.mu; zero: not stored yet

	mu       sync.RWMutex
	last     uint64 // last position applied
	closed   bool   // last is a cut
	bytes    int
	projects map[schema.ProjectID]*projectRows
	claims   map[string]struct{} // keys of the claims that the batch refers to
}

// projectRows are one project's rows in the order of the log. They are only
// ever appended to, so a prefix that was read under the lock stays valid.
type projectRows struct {
	spans   []schema.Span
	byTrace map[schema.TraceID][]int32 // indexes into spans
}

// damaged is what could not be decoded, to be kept raw.
type damaged struct {
	position uint64
	part     int // entry within the message, -1: the whole message
	raw      []byte
	err      error
}

func newSegment(stream wal.Stream, msg wal.Message) *segment {
	opened := time.Now()
	if msg.Time.Before(opened) {
		opened = msg.Time
	}
	return &segment{
		stream: stream, first: msg.Position, last: msg.Position - 1,
		logNanos: uint64(max(msg.Time.UnixNano(), 0)), opened: opened,
		decoder: otlp.NewDecoder(), projects: make(map[schema.ProjectID]*projectRows),
		claims: make(map[string]struct{}),
	}
}

// apply adds a message, of which payload is the content with its claims
// redeemed, or err says why it could not be decoded. What cannot be decoded is
// set aside and never stops the partition. It returns the spans added.
func (s *segment) apply(msg wal.Message, payload wal.Payload, claims []string, err error) (spans int) {
	if err != nil {
		s.damaged = append(s.damaged, damaged{msg.Position, -1, msg.Payload, err})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range claims {
		s.claims[c] = struct{}{}
	}
	for i, e := range payload.Entries {
		n, err := s.add(e, msg.Position)
		if err != nil {
			s.damaged = append(s.damaged, damaged{msg.Position, i, e.Wire, err})
			continue
		}
		spans += n
		s.bytes += len(e.Wire)
	}
	s.last = msg.Position
	if wal.IsCut(msg.Payload) {
		s.closed = true
		s.decoder = nil
	}
	return spans
}

// add decodes one entry into its project's rows. REQUIRES: s.mu.
func (s *segment) add(e wal.Entry, position uint64) (int, error) {
	rows := s.projects[e.Project]
	if rows == nil {
		rows = &projectRows{byTrace: make(map[schema.TraceID][]int32)}
	}
	before := len(rows.spans)
	spans, err := s.decoder.Decode(e.Wire, position, rows.spans)
	if err != nil {
		return 0, err
	}
	rows.spans = spans
	for i := before; i < len(spans); i++ {
		id := spans[i].TraceID
		rows.byTrace[id] = append(rows.byTrace[id], int32(i)) //nolint:gosec // a batch holds far fewer than 2^31 rows
	}
	s.projects[e.Project] = rows
	return len(spans) - before, nil
}

func (s *segment) size() (bytes, spans int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, rows := range s.projects {
		spans += len(rows.spans)
	}
	return s.bytes, spans
}

// view is one project's part of a segment as a query sees it. It implements
// catalog.Segment. Rows that arrive later do not show in it.
type view struct {
	*engine.Memory
	spans       []schema.Span // in the order of the log
	first, last uint64
	closed      bool
}

func (s *segment) view(project schema.ProjectID) *view {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows := s.projects[project]
	if rows == nil {
		rows = &projectRows{}
	}
	byTrace := func(id schema.TraceID) []int32 {
		s.mu.RLock()
		defer s.mu.RUnlock()
		return rows.byTrace[id]
	}
	return &view{
		Memory: engine.NewMemory(rows.spans, byTrace), spans: rows.spans,
		first: s.first, last: s.last, closed: s.closed,
	}
}

// Range returns the first and the last position that the segment covers, and
// whether it ends in a cut.
func (v *view) Range() (first, last uint64, closed bool) { return v.first, v.last, v.closed }
