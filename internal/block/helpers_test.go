package block_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/schema"
)

const project = schema.ProjectID("proj")

// keyOf is the key of an object of the test project.
func keyOf(o *block.Object) string {
	return schema.BlockName{
		Project: project, Partitions: 1, First: 1, Last: 9, LogNanos: 1, Open: o.Open,
		MinStart: o.MinStart, MaxEnd: o.MaxEnd, Spans: uint64(o.Spans), TailBytes: uint64(o.TailBytes),
	}.Key()
}

func encode(tb testing.TB, spans []schema.Span) *block.Object {
	tb.Helper()
	o, err := block.Encode(project, spans)
	require.NoError(tb, err)
	return o
}

// requireSame compares rows one by one, for short messages.
func requireSame(tb testing.TB, want, have []schema.Span) {
	tb.Helper()
	require.Len(tb, have, len(want))
	for i := range want {
		if !same(&want[i], &have[i]) {
			require.Equal(tb, want[i], have[i], "row %d", i)
		}
	}
}

// same is equality but for attributes with the value before the key, which a
// block may turn around.
func same(a, b *schema.Span) bool {
	return scalars(a) == scalars(b) &&
		bytes.Equal(a.Resource.Wire, b.Resource.Wire) && bytes.Equal(a.Scope.Wire, b.Scope.Wire) &&
		sameAttributes(a.Attributes, b.Attributes) && bytes.Equal(a.Events, b.Events) &&
		bytes.Equal(a.Links, b.Links) && bytes.Equal(a.Rest, b.Rest) && sameAttributes(a.Derived, b.Derived)
}

func sameAttributes(a, b []byte) bool {
	return bytes.Equal(a, b) || bytes.Equal(keysFirst(a), keysFirst(b))
}

// scalarFields is what == can compare of a row.
type scalarFields struct {
	trace           schema.TraceID
	span, parent    schema.SpanID
	start, end, pos uint64
	fragment        schema.Fragment
	fragmentNanos   uint64
	kind, status    int32
	flags           uint32
	texts           [6]string
}

func scalars(s *schema.Span) scalarFields {
	return scalarFields{
		trace: s.TraceID, span: s.SpanID, parent: s.ParentSpanID,
		start: s.StartNanos, end: s.EndNanos, pos: s.Position, fragment: s.Fragment, fragmentNanos: s.FragmentNanos,
		kind: s.Kind, status: s.StatusCode, flags: s.Flags,
		texts: [6]string{s.Name, s.StatusMessage, s.TraceState, s.Resource.ServiceName, s.Scope.Name, s.Scope.Version},
	}
}

// shape says what random rows look like.
type shape struct {
	rows      int
	traces    int     // distinct ids drawn from
	distinct  int     // values that a text column draws from, 0: every row its own
	nulls     float64 // share of empty payloads
	payload   int     // bytes of a payload at most
	wild      bool    // any times, kinds, flags and bytes
	resources int
}

// randomSpans returns sorted rows.
func randomSpans(rng *rand.Rand, s shape) []schema.Span {
	g := generator{rng: rng, shape: s}
	for range max(s.resources, 1) {
		g.resources = append(g.resources, &schema.Resource{Wire: g.blob(200), ServiceName: g.text("service")})
		g.scopes = append(g.scopes, &schema.Scope{Wire: g.blob(50), Name: g.text("scope"), Version: g.text("v")})
	}
	spans := make([]schema.Span, s.rows)
	for i := range spans {
		spans[i] = g.span(i)
	}
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return spans
}

type generator struct {
	rng       *rand.Rand
	shape     shape
	resources []*schema.Resource
	scopes    []*schema.Scope
}

const day = uint64(1_700_000_000_000_000_000)

func (g *generator) span(i int) schema.Span {
	rng := g.rng
	s := schema.Span{
		TraceID:       traceID(rng.IntN(max(g.shape.traces, 1))),
		StartNanos:    day + rng.Uint64N(60e9),
		Name:          g.text("operation"),
		Kind:          int32(rng.IntN(6)),
		StatusCode:    int32(rng.IntN(3)),
		StatusMessage: g.rare(func() string { return g.text("failed with") }),
		TraceState:    g.rare(func() string { return g.text("vendor=") }),
		Flags:         uint32(rng.IntN(2)),
		Resource:      g.resources[rng.IntN(len(g.resources))],
		Scope:         g.scopes[rng.IntN(len(g.scopes))],
		Attributes:    g.payload(), Events: g.payload(), Links: g.payload(), Rest: g.payload(),
		Position: uint64(i + 1),
	}
	s.EndNanos = s.StartNanos + rng.Uint64N(1e9)
	binary.BigEndian.PutUint64(s.SpanID[:], rng.Uint64())
	if rng.IntN(4) > 0 {
		binary.BigEndian.PutUint64(s.ParentSpanID[:], rng.Uint64())
	}
	if g.shape.wild {
		g.wild(&s)
	}
	return s
}

// wild replaces fields with what no sane client sends.
func (g *generator) wild(s *schema.Span) {
	edges := []uint64{0, 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64, g.rng.Uint64()}
	edge := func() uint64 { return edges[g.rng.IntN(len(edges))] }
	s.StartNanos, s.EndNanos, s.Position = edge(), edge(), edge()
	s.Kind, s.StatusCode, s.Flags = int32(edge()), int32(edge()), uint32(edge())
	binary.BigEndian.PutUint64(s.SpanID[:], edge())
	if g.rng.IntN(3) == 0 {
		s.Name = string(g.blob(20))
	}
}

func (g *generator) rare(f func() string) string {
	if g.rng.IntN(10) > 0 {
		return ""
	}
	return f()
}

func (g *generator) text(prefix string) string {
	if g.shape.distinct == 0 {
		return fmt.Sprintf("%s %x", prefix, g.rng.Uint64())
	}
	n := g.rng.IntN(g.shape.distinct)
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d", prefix, n)
}

func (g *generator) payload() []byte {
	if g.rng.Float64() < g.shape.nulls {
		return nil
	}
	return g.blob(g.shape.payload)
}

// blob is half compressible, half noise.
func (g *generator) blob(limit int) []byte {
	b := make([]byte, g.rng.IntN(limit+1))
	for i := range b {
		b[i] = byte(g.rng.Uint32())
		if i%2 == 0 {
			b[i] = 'x'
		}
	}
	return b
}

func traceID(n int) (id schema.TraceID) {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	binary.BigEndian.PutUint64(id[:], rng.Uint64())
	binary.BigEndian.PutUint64(id[8:], rng.Uint64())
	return id
}

// byTrace groups sorted rows.
func byTrace(spans []schema.Span) map[schema.TraceID][]schema.Span {
	traces := map[schema.TraceID][]schema.Span{}
	for _, s := range spans {
		traces[s.TraceID] = append(traces[s.TraceID], s)
	}
	return traces
}
