package engine_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// memory is a source of rows that are sorted as in a block. It hands out one
// buffer again and again, as the contract allows.
type memory struct {
	*engine.Memory
	spans []schema.Span
}

func newMemory(spans []schema.Span) memory {
	spans = slices.Clone(spans)
	slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return newUnsorted(spans)
}

// newUnsorted leaves the rows in their order, as live segments do.
func newUnsorted(spans []schema.Span) memory {
	index := make(map[schema.TraceID][]int32)
	for i := range spans {
		index[spans[i].TraceID] = append(index[spans[i].TraceID], int32(i))
	}
	return memory{engine.NewMemory([][]schema.Span{spans}, func(id schema.TraceID) []int32 { return index[id] }), spans}
}

func (m memory) Scan(ctx context.Context, filter *vec.Filter, columns vec.Columns) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		buffer := make([]schema.Span, 0, 64)
		for rows, err := range m.Memory.Scan(ctx, filter, columns) {
			if err != nil {
				yield(nil, err)
				return
			}
			for chunk := range slices.Chunk(rows, 64) {
				if buffer = project(buffer[:0], chunk, columns); !yield(buffer, nil) {
					return
				}
				clear(buffer)
			}
		}
	}
}

func (m memory) Find(ctx context.Context, filter *vec.Filter) iter.Seq2[[]vec.Hit, error] {
	return func(yield func([]vec.Hit, error) bool) {
		buffer := make([]vec.Hit, 0, 16)
		for hits, err := range m.Memory.Find(ctx, filter) {
			if err != nil {
				yield(nil, err)
				return
			}
			for chunk := range slices.Chunk(hits, 16) {
				if buffer = append(buffer[:0], chunk...); !yield(buffer, nil) {
					return
				}
				clear(buffer)
			}
		}
	}
}

func (m memory) Traces(ctx context.Context, ids []schema.TraceID, columns vec.Columns) ([]schema.Span, error) {
	if !slices.IsSortedFunc(ids, func(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) }) {
		return nil, errors.New("ids are not in order")
	}
	spans, err := m.Memory.Traces(ctx, ids, columns)
	return project(spans[:0], spans, columns), err
}

// project copies rows with no more than the columns: what a source may leave
// out is not there.
func project(dst, rows []schema.Span, columns vec.Columns) []schema.Span {
	for _, s := range rows {
		if !columns.Resource {
			s.Resource = &schema.Resource{ServiceName: s.Resource.ServiceName}
		}
		if !columns.Scope {
			s.Scope = &schema.Scope{Name: s.Scope.Name, Version: s.Scope.Version}
		}
		if !columns.Events {
			s.Events = nil
		}
		if !columns.Links {
			s.Links = nil
		}
		if !columns.Attributes {
			s.Attributes, s.Derived = onlyKeys(s.Attributes, columns.Keys), onlyKeys(s.Derived, columns.Keys)
		}
		if !columns.Rest {
			s.Rest, s.TraceState, s.Flags, s.Position, s.Fragment = nil, "", 0, 0, schema.FragmentNone
		}
		dst = append(dst, s)
	}
	return dst
}

func onlyKeys(fields []byte, keys []string) (kept []byte) {
	for key, value := range otlp.Attributes(fields) {
		if slices.Contains(keys, key) {
			kept = otlp.AppendKeyValue(kept, 9, key, value)
		}
	}
	return kept
}

// dataset returns the spans of the conformance suite.
func dataset(t testing.TB) []schema.Span {
	t.Helper()
	bodies, err := corpus.Dataset()
	require.NoError(t, err)
	var spans []schema.Span
	for i, body := range bodies {
		spans, err = otlp.NewDecoder().Decode(body, uint64(i+1), spans)
		require.NoError(t, err)
	}
	return spans
}

// cutting spreads rows over partitions and sources.
type cutting struct {
	name string
	cut  func([]schema.Span) [][]engine.Source
}

func cuttings() []cutting {
	return []cutting{
		{"one source", func(spans []schema.Span) [][]engine.Source {
			return [][]engine.Source{{newMemory(spans)}}
		}},
		{"every trace split over three sources", func(spans []schema.Span) [][]engine.Source {
			return [][]engine.Source{spread(spans, 3, func(s *schema.Span, i int) []int {
				return []int{int(s.SpanID[7]^s.SpanID[2]) % 3}
			})}
		}},
		{"half of the rows twice", func(spans []schema.Span) [][]engine.Source {
			return [][]engine.Source{spread(spans, 2, func(_ *schema.Span, i int) []int {
				return []int{0, 1, i % 2}[:2+i%2][i%2:]
			})}
		}},
		{"four partitions", func(spans []schema.Span) [][]engine.Source {
			partitions := make([][]engine.Source, 4)
			for i, s := range spread(spans, 4, func(s *schema.Span, _ int) []int { return []int{s.TraceID.Partition(4)} }) {
				partitions[i] = []engine.Source{s}
			}
			return partitions
		}},
	}
}

// spread puts every row into the sources that to names, once for each time.
func spread(spans []schema.Span, count int, to func(s *schema.Span, i int) []int) []engine.Source {
	parts := make([][]schema.Span, count)
	for i := range spans {
		for _, p := range to(&spans[i], i) {
			parts[p] = append(parts[p], spans[i])
		}
	}
	sources := make([]engine.Source, count)
	for i, p := range parts {
		sources[i] = newMemory(p)
	}
	return sources
}

// randomCut spreads rows at random, some of them more than once.
func randomCut(spans []schema.Span, rng *rand.Rand) [][]engine.Source {
	count := 1 + rng.IntN(5)
	return [][]engine.Source{spread(spans, count, func(*schema.Span, int) []int {
		copies := make([]int, 1+rng.IntN(8)/7)
		for i := range copies {
			copies[i] = rng.IntN(count)
		}
		return copies
	})}
}

func compile(t testing.TB, query string) *engine.Plan {
	t.Helper()
	q, err := traceql.Parse(query)
	require.NoError(t, err)
	plan, err := engine.Compile(q)
	require.NoError(t, err)
	return plan
}
