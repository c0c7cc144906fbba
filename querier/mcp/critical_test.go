package mcp

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// work are spans whose parents come before them: start, end, kind, parent.
func work(list ...[4]int64) []timing {
	spans := make([]timing, len(list))
	for i, s := range list {
		spans[i] = timing{start: s[0], end: s[1], kind: int32(s[2])}
		if i > 0 {
			above := &spans[s[3]]
			above.children = append(above.children, i)
		}
	}
	return spans
}

func TestCriticalPath(t *testing.T) {
	const ms = 1_000_000
	for _, tt := range []struct {
		name  string
		spans []timing
		want  []segment
		async []int
	}{
		{name: "alone", spans: work([4]int64{0, 10}), want: []segment{{0, 0, 10}}},
		{name: "no time", spans: work([4]int64{5, 5})},
		{name: "one after the other", spans: work([4]int64{0, 10}, [4]int64{1, 3}, [4]int64{5, 9}), want: []segment{{0, 0, 1}, {1, 1, 3}, {0, 3, 5}, {2, 5, 9}, {0, 9, 10}}},
		{name: "side by side, the last one counts", spans: work([4]int64{0, 10}, [4]int64{1, 5}, [4]int64{1, 9}), want: []segment{{0, 0, 1}, {2, 1, 9}, {0, 9, 10}}},
		{name: "children overlap", spans: work([4]int64{0, 10}, [4]int64{1, 6}, [4]int64{4, 9}), want: []segment{{0, 0, 4}, {2, 4, 9}, {0, 9, 10}}},
		{name: "one overlaps, one was before", spans: work([4]int64{0, 10}, [4]int64{0, 2}, [4]int64{1, 6}, [4]int64{4, 9}), want: []segment{{1, 0, 2}, {0, 2, 4}, {3, 4, 9}, {0, 9, 10}}},
		{name: "grandchildren", spans: work([4]int64{0, 10}, [4]int64{2, 8}, [4]int64{3, 7, 0, 1}), want: []segment{{0, 0, 2}, {1, 2, 3}, {2, 3, 7}, {1, 7, 8}, {0, 8, 10}}},
		{name: "outlives its parent", spans: work([4]int64{0, 10 * ms}, [4]int64{2 * ms, 50 * ms}), want: []segment{{0, 0, 10 * ms}}, async: []int{1}},
		{name: "begins after its parent", spans: work([4]int64{0, 10 * ms}, [4]int64{20 * ms, 50 * ms}), want: []segment{{0, 0, 10 * ms}}, async: []int{1}},
		{name: "outlives, and what it caused does not count either", spans: work([4]int64{0, 10 * ms}, [4]int64{2 * ms, 50 * ms}, [4]int64{3 * ms, 9 * ms, 0, 1}), want: []segment{{0, 0, 10 * ms}}, async: []int{1}},
		{name: "ends later by rounding", spans: work([4]int64{0, 10 * ms}, [4]int64{2 * ms, 10*ms + 500_000}), want: []segment{{0, 0, 2 * ms}, {1, 2 * ms, 10 * ms}}},
		{name: "just rounding", spans: work([4]int64{0, 10}, [4]int64{2, 10 + rounding}), want: []segment{{0, 0, 2}, {1, 2, 10}}},
		{name: "more than rounding", spans: work([4]int64{0, 10}, [4]int64{2, 11 + rounding}), want: []segment{{0, 0, 10}}, async: []int{1}},
		{name: "began before its parent", spans: work([4]int64{5, 10}, [4]int64{2, 7}), want: []segment{{1, 5, 7}, {0, 7, 10}}},
		{
			name:  "a server's clock is behind",
			spans: work([4]int64{0, 10 * ms, kindClient}, [4]int64{-100 * ms, -94 * ms, kindServer}, [4]int64{-98 * ms, -96 * ms, 0, 1}),
			want:  []segment{{0, 0, 2 * ms}, {1, 2 * ms, 4 * ms}, {2, 4 * ms, 6 * ms}, {1, 6 * ms, 8 * ms}, {0, 8 * ms, 10 * ms}},
		},
		{
			name:  "a server's clock is ahead",
			spans: work([4]int64{0, 10 * ms, kindClient}, [4]int64{500 * ms, 506 * ms, kindServer}),
			want:  []segment{{0, 0, 2 * ms}, {1, 2 * ms, 8 * ms}, {0, 8 * ms, 10 * ms}},
		},
		{
			name:  "a server calls back over a clock that is right",
			spans: work([4]int64{0, 10, kindClient}, [4]int64{100, 108, kindServer}, [4]int64{101, 107, kindClient, 1}, [4]int64{3, 6, kindServer, 2}),
			want:  []segment{{0, 0, 1}, {1, 1, 2}, {2, 2, 3}, {3, 3, 6}, {2, 6, 8}, {1, 8, 9}, {0, 9, 10}},
		},
		{name: "a client gave up", spans: work([4]int64{0, 10 * ms, kindClient}, [4]int64{1 * ms, 90 * ms, kindServer}), want: []segment{{0, 0, 1 * ms}, {1, 1 * ms, 10 * ms}}},
		{name: "a clock stepped back", spans: work([4]int64{0, 10}, [4]int64{5, 3}), want: []segment{{0, 0, 10}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, async := criticalPath(tt.spans, 0)
			require.Equal(t, tt.want, got)
			for i := range async {
				require.Equal(t, slices.Contains(tt.async, i), async[i], i)
			}
		})
	}
}

// Whatever the spans are, the path is the time of the root without gaps.
func TestCriticalPathIsWhole(t *testing.T) {
	for seed := range uint64(2000) {
		random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // repeatable
		list := make([][4]int64, 1+random.IntN(12))
		for i := range list {
			start := random.Int64N(40) * 100_000
			list[i] = [4]int64{start, start + random.Int64N(40)*100_000 - 200_000, random.Int64N(4), random.Int64N(int64(max(i, 1)))}
		}
		spans := work(list...)
		end := max(spans[0].start, spans[0].end)
		at := spans[0].start
		segments, async := criticalPath(spans, 0)
		for _, s := range segments {
			require.Equal(t, at, s.start, seed)
			require.Greater(t, s.end, s.start, seed)
			require.False(t, async[s.span], seed)
			at = s.end
		}
		require.Equal(t, end, at, seed)
	}
}

func TestSelfTime(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spans []timing
		want  int64
	}{
		{"alone", work([4]int64{0, 10}), 10},
		{"overlapping children count once", work([4]int64{0, 10}, [4]int64{1, 5}, [4]int64{3, 7}), 4},
		{"one within another", work([4]int64{0, 10}, [4]int64{1, 9}, [4]int64{3, 7}), 2},
		{"outside", work([4]int64{0, 10}, [4]int64{-5, 2}, [4]int64{8, 20}, [4]int64{30, 40}), 6},
		{"covered", work([4]int64{0, 10}, [4]int64{-5, 20}), 0},
	} {
		require.Equal(t, tt.want, selfTime(tt.spans, 0), tt.name)
	}
}
