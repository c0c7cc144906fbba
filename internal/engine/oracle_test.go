package engine_test

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/engine"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// versions makes rows of traces whose spans came in several versions, which
// differ in all that a search looks at.
func versions(rng *rand.Rand, traces int) []schema.Span {
	var spans []schema.Span
	for trace := range traces {
		for id := range 1 + rng.IntN(4) {
			for range 1 + rng.IntN(6)/4 + rng.IntN(20)/18 {
				start := uint64(rng.IntN(50)+20*(trace/3)) + 1
				s := span(byte(trace), byte(id+1), []string{"x", "y", "z"}[rng.IntN(3)], start, start+uint64(rng.IntN(60)))
				s.TraceID[0] = byte(trace * 37) // not in the order of time
				s.Kind = int32(rng.IntN(8) / 7)
				s.StatusCode = int32(rng.IntN(3))
				s.Position = uint64(len(spans) + 1)
				if rng.IntN(3) == 0 {
					s.EndNanos = 0
				}
				if id > 0 {
					childOfRoot(&s)
				}
				for range rng.IntN(3) {
					s.Attributes = otlp.AppendKeyValue(s.Attributes, 9, "n", schema.Value{Kind: schema.KindInt, Int: rng.Int64N(3)})
				}
				spans = append(spans, s)
			}
		}
	}
	return spans
}

// oracleQueries are queries, and what they say of a span of a trace.
func oracleQueries() map[string]func(s *schema.Span, t []schema.Span) bool {
	n := func(s *schema.Span) int64 {
		v, ok := otlp.Lookup(s.Attributes, "n")
		if !ok {
			return -1
		}
		return v.Int
	}
	root := func(t []schema.Span) string {
		for i := range t {
			if t[i].ParentSpanID.IsZero() {
				return t[i].Name
			}
		}
		return ""
	}
	return map[string]func(*schema.Span, []schema.Span) bool{
		`{ }`:                           func(*schema.Span, []schema.Span) bool { return true },
		`{ name = "x" }`:                func(s *schema.Span, _ []schema.Span) bool { return s.Name == "x" },
		`{ span.n = 1 && status = ok }`: func(s *schema.Span, _ []schema.Span) bool { return n(s) == 1 && s.StatusCode == 1 },
		`{ span.n + 1 = 2 }`:            func(s *schema.Span, _ []schema.Span) bool { return n(s) == 1 },
		`{ span:parentID = "" && name != "z" }`: func(s *schema.Span, _ []schema.Span) bool {
			return s.ParentSpanID.IsZero() && s.Name != "z"
		},
		`{ rootName = "y" && span.n = nil }`: func(s *schema.Span, t []schema.Span) bool { return root(t) == "y" && n(s) < 0 },
		`{ name = "none" }`:                  func(*schema.Span, []schema.Span) bool { return false },
	}
}

// oracle searches by putting every trace together. It returns the starts and
// ids of the traces in the order of the answer.
func oracle(
	spans []schema.Span, matches func(*schema.Span, []schema.Span) bool, opts engine.SearchOptions,
) (starts []uint64, ids []schema.TraceID) {
	type found struct {
		id    schema.TraceID
		start uint64
	}
	byTrace := make(map[schema.TraceID][]schema.Span)
	for _, s := range spans {
		byTrace[s.TraceID] = append(byTrace[s.TraceID], s)
	}
	var list []found
	for id, rows := range byTrace {
		slices.SortStableFunc(rows, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		rows = schema.Fold(rows)
		start, end := rows[0].StartNanos, uint64(0)
		for _, s := range rows {
			end = max(end, s.StartNanos, s.EndNanos)
		}
		inRange := end >= opts.StartNanos && (opts.EndNanos == 0 || start < opts.EndNanos)
		if inRange && slices.ContainsFunc(rows, func(s schema.Span) bool { return matches(&s, rows) }) {
			list = append(list, found{id, start})
		}
	}
	slices.SortFunc(list, func(a, b found) int {
		return cmp.Or(cmp.Compare(b.start, a.start), bytes.Compare(a.id[:], b.id[:]))
	})
	for _, f := range list[:min(len(list), opts.Limit)] {
		starts, ids = append(starts, f.start), append(ids, f.id)
	}
	return starts, ids
}

// Whatever the rows, the way they are spread, and the room for candidates: the
// traces of the answer are those that one finds by putting all together.
func TestSearchEqualsOracle(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 60 {
		spans := versions(rng, 1+rng.IntN(60))
		partitions := randomCut(spans, rng)
		if rng.IntN(2) == 0 {
			for i, source := range partitions[0] {
				rows := slices.Clone(source.(memory).spans)
				slices.SortStableFunc(rows, func(a, b schema.Span) int { return cmp.Compare(a.Position, b.Position) })
				partitions[0][i] = newUnsorted(rows)
			}
		}
		for query, matches := range oracleQueries() {
			opts := engine.SearchOptions{Limit: 1 + rng.IntN(12), Concurrency: 1 + rng.IntN(4)}
			if rng.IntN(2) == 0 {
				opts.StartNanos = uint64(rng.IntN(400))
				opts.EndNanos = opts.StartNanos + uint64(rng.IntN(200))
			}
			starts, ids := oracle(spans, matches, opts)
			got, err := engine.SearchInRoom(t.Context(), compile(t, query), partitions, opts, 1+rng.IntN(100))
			require.NoError(t, err)
			var gotStarts []uint64
			var gotIDs []schema.TraceID
			for _, tr := range got.Traces {
				gotStarts, gotIDs = append(gotStarts, tr.StartNanos), append(gotIDs, tr.TraceID)
			}
			require.Equal(t, starts, gotStarts, query)
			require.Equal(t, ids, gotIDs, query)
		}
	}
}
