package block_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/schema"
)

// TestRowsInAnyOrderMakeTheSameBlock is about ids of different kinds, and about
// rows that are equal in the order or nearly.
func TestRowsInAnyOrderMakeTheSameBlock(t *testing.T) {
	for name, id := range map[string]func(rng *rand.Rand) schema.TraceID{
		"random": func(rng *rand.Rand) (id schema.TraceID) {
			return schema.TraceID{byte(rng.IntN(256)), byte(rng.IntN(256)), 8: byte(rng.IntN(2))}
		},
		"a common beginning": func(rng *rand.Rand) schema.TraceID {
			return schema.TraceID{0x65, 0xf1, 3: byte(rng.IntN(200)), 9: byte(rng.IntN(3))}
		},
		"64 bits":  func(rng *rand.Rand) schema.TraceID { return schema.TraceID{10: byte(rng.IntN(40))} },
		"one":      func(*rand.Rand) schema.TraceID { return schema.TraceID{7} },
		"extremes": func(rng *rand.Rand) schema.TraceID { return schema.TraceID{byte(rng.IntN(2)) * 255, 15: 1} },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 3))
			spans := randomSpans(rng, shape{rows: 3000, traces: 40, distinct: 2})
			for i := range spans {
				s := &spans[i]
				s.TraceID, s.StartNanos, s.SpanID = id(rng), day+uint64(rng.IntN(3)), schema.SpanID{byte(rng.IntN(2)) + 1}
				s.Kind, s.Position = int32(rng.IntN(2)), uint64(rng.IntN(2))
			}
			sorted := slices.Clone(spans)
			slices.SortStableFunc(sorted, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
			before := slices.Clone(spans)
			o, err := block.Encode(project, spans[:1000], nil, spans[1000:1001], spans[1001:])
			require.NoError(t, err)
			require.Equal(t, before, spans)
			require.Equal(t, encode(t, sorted).Data, o.Data)
			r, _ := open(t, o)
			have, err := scanAll(t.Context(), r)
			require.NoError(t, err)
			requireSame(t, sorted, have)
		})
	}
}
