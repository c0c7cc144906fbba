package e2e_test

import (
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/spanlake/spanlake/schema"
)

// spanKey names a span. No two that a test sends are the same.
type spanKey struct {
	project schema.ProjectID
	trace   schema.TraceID
	span    schema.SpanID
}

func (k spanKey) String() string { return fmt.Sprintf("span %s/%s/%s", k.project, k.trace, k.span) }

// sentSpan is what is known of a span.
type sentSpan struct {
	digest   uint64 // of the fullSpan
	attempts int    // requests with it that reached the server or may have
	acked    bool   // one of them was acknowledged
}

// ledger keeps account of the spans that were sent. Safe for concurrent use.
type ledger struct {
	seed maphash.Seed

	mu     sync.Mutex
	spans  map[spanKey]sentSpan
	traces map[schema.ProjectID]map[schema.TraceID]bool // those that may exist
	acks   int                                          // requests acknowledged
	full   map[string]int                               // requests refused because the log was full, by protocol
}

func newLedger() *ledger {
	return &ledger{
		seed: maphash.MakeSeed(), spans: make(map[spanKey]sentSpan),
		traces: make(map[schema.ProjectID]map[schema.TraceID]bool), full: make(map[string]int),
	}
}

// digest is the same for equal spans of this ledger.
func (l *ledger) digest(s fullSpan) uint64 { return maphash.String(l.seed, string(s)) }

// sending notes that a request's spans may be there from now on.
func (l *ledger) sending(project schema.ProjectID, data *tracepb.TracesData) error {
	found, err := l.found(project, data)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range found {
		s := l.spans[f.key]
		s.digest = f.digest
		s.attempts++
		l.spans[f.key] = s
		if l.traces[project] == nil {
			l.traces[project] = make(map[schema.TraceID]bool)
		}
		l.traces[project][f.key.trace] = true
	}
	return nil
}

// acknowledged notes that a request's spans must be there from now on.
func (l *ledger) acknowledged(project schema.ProjectID, data *tracepb.TracesData) error {
	found, err := l.found(project, data)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range found {
		s := l.spans[f.key]
		s.acked = true
		l.spans[f.key] = s
	}
	l.acks++
	return nil
}

func (l *ledger) ackedRequests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acks
}

// refusedFull notes that a request was refused because the log was full.
func (l *ledger) refusedFull(protocol string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full[protocol]++
}

// fullRefusals counts them.
func (l *ledger) fullRefusals(protocol string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full[protocol]
}

// tracesOf lists the traces of a project that may be there.
func (l *ledger) tracesOf(project schema.ProjectID) []schema.TraceID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.traces[project]))
}

// ledgerFind is a span that a query returned.
type ledgerFind struct {
	key    spanKey
	digest uint64 // 0: the query tells the id only
}

// found takes a trace that a query returned apart.
func (l *ledger) found(project schema.ProjectID, data *tracepb.TracesData) ([]ledgerFind, error) {
	var found []ledgerFind
	for _, rs := range data.GetResourceSpans() {
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				full, err := newFullSpan(rs, ss, s)
				if err != nil {
					return nil, err
				}
				key := spanKey{project, schema.TraceID(s.GetTraceId()), schema.SpanID(s.GetSpanId())}
				found = append(found, ledgerFind{key, l.digest(full)})
			}
		}
	}
	return found, nil
}

// judge compares what queries have found, each span of the ledger that scope
// selects, with what was sent: an acknowledged span must be there once and
// unchanged, another one at most once, and nothing else.
func (l *ledger) judge(found []ledgerFind, scope func(spanKey) bool) (faults []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := make(map[spanKey]int)
	for _, f := range found {
		times[f.key]++
		switch s, sent := l.spans[f.key]; {
		case !sent:
			faults = append(faults, fmt.Sprintf("%s was never sent", f.key))
		case f.digest != 0 && f.digest != s.digest:
			faults = append(faults, fmt.Sprintf("%s is changed", f.key))
		}
		if times[f.key] == 2 {
			faults = append(faults, fmt.Sprintf("%s is doubled", f.key))
		}
	}
	for key, s := range l.spans {
		if s.acked && times[key] == 0 && scope(key) {
			faults = append(faults, fmt.Sprintf("%s was acknowledged and is missing", key))
		}
	}
	slices.Sort(faults)
	return faults
}

// row is a row of a visible block.
type row struct {
	key      spanKey
	block    schema.BlockName
	position uint64
}

// judgeRows looks at the level below queries, where nothing is folded: a span
// must not have more rows than it was sent, and no position of the log may be
// in two visible blocks of a project. complete means that the log is empty, so
// that acknowledged spans must have a row.
func (l *ledger) judgeRows(rows []row, complete bool) (faults []string) {
	type position struct {
		project               schema.ProjectID
		partition, partitions int
		epoch, position       uint64
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	times := make(map[spanKey]int)
	holders := make(map[position]schema.BlockName)
	for _, r := range rows {
		times[r.key]++
		if times[r.key] == l.spans[r.key].attempts+1 {
			faults = append(faults, fmt.Sprintf("%s has more rows than it was sent", r.key))
		}
		b := r.block
		if r.position < b.First || r.position > b.Last {
			faults = append(faults, fmt.Sprintf("%s holds position %d", b.Key(), r.position))
		}
		p := position{b.Project, b.Partition, b.Partitions, b.Epoch, r.position}
		if holder, held := holders[p]; held && holder != b {
			faults = append(faults, fmt.Sprintf("position %d is in %s and in %s", r.position, holder.Key(), b.Key()))
		}
		holders[p] = b
	}
	for key, s := range l.spans {
		if complete && s.acked && times[key] == 0 {
			faults = append(faults, fmt.Sprintf("%s was acknowledged and has no row", key))
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

func TestLedger(t *testing.T) {
	const project = schema.ProjectID("p")
	everything := func(spanKey) bool { return true }
	acked, unknown, resent := spanKey{project, schema.TraceID{1}, schema.SpanID{1}}, spanKey{project, schema.TraceID{1}, schema.SpanID{2}}, spanKey{project, schema.TraceID{2}, schema.SpanID{3}}
	l := newLedger()
	l.spans = map[spanKey]sentSpan{acked: {digest: 11, attempts: 1, acked: true}, unknown: {digest: 12, attempts: 1}, resent: {digest: 13, attempts: 2, acked: true}}
	first, second := ledgerFind{acked, 11}, ledgerFind{resent, 13}
	for _, tc := range []struct {
		name  string
		found []ledgerFind
		scope func(spanKey) bool
		fault string // part of the only one, "" for none
	}{
		{"acknowledged ones", []ledgerFind{first, second}, everything, ""},
		{"without content", []ledgerFind{{key: acked}, {key: resent}}, everything, ""},
		{"unknown outcome", []ledgerFind{first, second, {unknown, 12}}, everything, ""},
		{"other traces are not asked for", []ledgerFind{first}, func(k spanKey) bool { return k.trace == acked.trace }, ""},
		{"missing", []ledgerFind{first}, everything, "missing"},
		{"doubled", []ledgerFind{first, second, second}, everything, "doubled"},
		{"unknown outcome, doubled", []ledgerFind{first, second, {unknown, 12}, {unknown, 12}}, everything, "doubled"},
		{"changed", []ledgerFind{first, {resent, 14}}, everything, "changed"},
		{"never sent", []ledgerFind{first, second, {spanKey{project, schema.TraceID{9}, schema.SpanID{}}, 1}}, everything, "never sent"},
		{"in another project", []ledgerFind{first, second, {spanKey{"q", acked.trace, acked.span}, 11}}, everything, "never sent"},
	} {
		t.Run(tc.name, func(t *testing.T) { requireFault(t, tc.fault, l.judge(tc.found, tc.scope)) })
	}

	a := schema.BlockName{Project: project, Partitions: 1, Epoch: 1, First: 1, Last: 5}
	b, later, foreign := a, a, a
	b.First, b.Last = 6, 9
	later.Epoch, foreign.Project = 2, "q"
	for _, tc := range []struct {
		name     string
		rows     []row
		complete bool
		fault    string
	}{
		{"once each", []row{{acked, a, 1}, {resent, b, 6}}, true, ""},
		{"resent and stored twice", []row{{acked, a, 1}, {resent, a, 2}, {resent, b, 6}}, true, ""},
		{"one position, two epochs", []row{{acked, a, 1}, {resent, later, 1}}, true, ""},
		{"one position, two projects", []row{{acked, a, 1}, {resent, foreign, 1}}, true, ""},
		{"still in the log", []row{{acked, a, 1}}, false, ""},
		{"missing", []row{{acked, a, 1}}, true, "has no row"},
		{"more rows than sent", []row{{acked, a, 1}, {acked, b, 6}, {resent, b, 6}}, true, "more rows"},
		{"one position in two blocks", []row{{acked, a, 1}, {resent, schema.BlockName{Project: project, Partitions: 1, Epoch: 1, First: 1, Last: 9}, 1}}, true, "is in"},
		{"position outside the block", []row{{acked, a, 1}, {resent, a, 6}}, true, "holds position"},
	} {
		t.Run(tc.name, func(t *testing.T) { requireFault(t, tc.fault, l.judgeRows(tc.rows, tc.complete)) })
	}
}

func requireFault(t *testing.T, want string, faults []string) {
	t.Helper()
	if want == "" {
		require.Empty(t, faults)
		return
	}
	require.Len(t, faults, 1)
	require.Contains(t, faults[0], want)
}

// parseSpanKey reads the ids of a search's reply.
func parseSpanKey(project schema.ProjectID, trace, span string) (spanKey, error) {
	key := spanKey{project: project}
	if n, err := hex.Decode(key.trace[:], []byte(trace)); err != nil || n != len(key.trace) {
		return key, fmt.Errorf("trace id %q", trace)
	}
	if n, err := hex.Decode(key.span[:], []byte(span)); err != nil || n != len(key.span) {
		return key, fmt.Errorf("span id %q", span)
	}
	return key, nil
}
