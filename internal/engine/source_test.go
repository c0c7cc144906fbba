package engine_test

import (
	"bytes"
	"context"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/corpus"
	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
	"github.com/spanlake/spanlake/traceql"
)

// memory is a source of rows that are sorted as in a block.
type memory []schema.Span

func newMemory(spans []schema.Span) memory {
	m := slices.Clone(spans)
	slices.SortStableFunc(m, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	return m
}

// Scan yields small chunks, and hands out one buffer again and again, as the
// contract allows.
func (m memory) Scan(context.Context, engine.Request) iter.Seq2[[]schema.Span, error] {
	return func(yield func([]schema.Span, error) bool) {
		buffer := make([]schema.Span, 0, 64)
		for chunk := range slices.Chunk(m, 64) {
			buffer = append(buffer[:0], chunk...)
			if !yield(buffer, nil) {
				return
			}
			clear(buffer)
		}
	}
}

func (m memory) Trace(_ context.Context, id schema.TraceID) ([]schema.Span, error) {
	i, _ := slices.BinarySearchFunc(m, id, func(s schema.Span, id schema.TraceID) int {
		return bytes.Compare(s.TraceID[:], id[:])
	})
	end := i
	for end < len(m) && m[end].TraceID == id {
		end++
	}
	return slices.Clone(m[i:end]), nil
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
