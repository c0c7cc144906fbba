package ingester

import (
	"slices"
	"sync"
	"time"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/llm"
	"github.com/spanlake/spanlake/internal/llm/price"
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

	decoder *otlp.Decoder   // of the appending goroutine
	derive  *llm.Normalizer // likewise
	prices  llm.Tables
	joined  *llm.Spans // derives of spans that queries put together
	damaged []damaged  // of the appending goroutine, then of the storing one
	bytes   int        // memory taken; of the appending goroutine until the batch is closed

	waits    bool      // guarded by partition.mu: closed and not stored yet
	storedAt time.Time // guarded by partition.mu; zero: not stored yet
	cutSpans bool      // of the appending goroutine until the batch is closed: its cut carries spans

	mu       sync.RWMutex
	last     uint64 // last position applied
	closed   bool   // last is a cut
	projects map[schema.ProjectID]*projectRows
	claims   map[string]struct{} // keys of the claims that the batch refers to
}

// damaged is what could not be decoded, to be kept raw.
type damaged struct {
	position uint64
	part     int // entry within the message, -1: the whole message
	raw      []byte
	err      error
}

func newSegment(stream wal.Stream, prices llm.Tables, msg wal.Message) *segment {
	opened := time.Now()
	if msg.Time.Before(opened) {
		opened = msg.Time
	}
	return &segment{
		stream: stream, first: msg.Position, last: msg.Position - 1,
		logNanos: uint64(max(msg.Time.UnixNano(), 0)), opened: opened,
		decoder: otlp.NewDecoder(), derive: llm.New(price.Shipped()), prices: prices,
		joined: llm.NewSpans(prices), projects: make(map[schema.ProjectID]*projectRows),
		claims: make(map[string]struct{}),
	}
}

// apply adds a message, of which payload is the content with its claims
// redeemed, or err says why it could not be decoded. What cannot be decoded is
// set aside and never stops the partition. It returns the spans added and the
// bytes of memory that they take.
func (s *segment) apply(msg wal.Message, payload wal.Payload, claims []string, err error) (spans, bytes int) {
	before := s.bytes
	if err != nil {
		s.damaged = append(s.damaged, damaged{msg.Position, -1, msg.Payload, err})
		s.bytes += len(msg.Payload)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range claims {
		s.claims[c] = struct{}{}
	}
	for i, e := range payload.Entries {
		s.bytes += len(e.Wire) // rows share its memory
		n, err := s.add(e, msg.Position)
		if err != nil {
			s.damaged = append(s.damaged, damaged{msg.Position, i, e.Wire, err})
			continue
		}
		spans += n
	}
	s.last = msg.Position
	if wal.IsCut(msg.Payload) {
		s.closed = true
		s.cutSpans = !wal.IsCutMarker(msg.Payload)
		s.decoder, s.derive = nil, nil
	}
	return spans, s.bytes - before
}

// add decodes one entry into its project's rows. REQUIRES: s.mu.
func (s *segment) add(e wal.Entry, position uint64) (int, error) {
	rows := s.projects[e.Project]
	if rows == nil {
		rows = &projectRows{byTrace: make(map[schema.TraceID][]int32)}
	}
	before := rows.bytes() + s.decoder.SharedBytes()
	s.derive.SetPrices(s.prices(e.Project))
	n, err := rows.add(s.decoder, s.derive, e.Wire, position)
	if err != nil {
		return 0, err
	}
	s.projects[e.Project] = rows
	s.bytes += rows.bytes() + s.decoder.SharedBytes() - before
	return n, nil
}

func (s *segment) spans() (n int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, rows := range s.projects {
		n += rows.pages.Rows()
	}
	return n
}

// rows are a project's rows so far, and by what they were derived.
func (s *segment) rows(project schema.ProjectID) (otlp.Pages, block.Derivation) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if rows := s.projects[project]; rows != nil {
		return slices.Clone(rows.pages), rows.derivedBy()
	}
	return nil, block.Derivation{}
}

// view is one project's part of a segment as a query sees it. It implements
// catalog.Segment. Rows that arrive later do not show in it.
type view struct {
	*engine.Memory
	first, last uint64
	oldestEnd   uint64
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
	memory := engine.NewMemory(slices.Clone(rows.pages), byTrace)
	memory.SetOpen(rows.openTraces(), s.joined.Of(project))
	return &view{Memory: memory, first: s.first, last: s.last, oldestEnd: rows.oldestEnd}
}

// OldestEnd is when the row ended that expires first.
func (v *view) OldestEnd() uint64 { return v.oldestEnd }

// Range returns the first and the last position that the segment covers.
func (v *view) Range() (first, last uint64) { return v.first, v.last }
