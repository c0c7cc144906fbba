package schema_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/schema"
)

const exampleKey = "blocks/shop/2026-01-15/p3of4/1768471200000-11-42_L1g2o_1768471200123456789_1768471199000000000-1768471260000000000_250_4096.parquet"

func exampleName() schema.BlockName {
	return schema.BlockName{
		Project: "shop", Partition: 3, Partitions: 4, Epoch: 1768471200000, First: 11, Last: 42,
		Level: 1, Generation: 2, Open: true, LogNanos: 1768471200123456789,
		MinStart: 1768471199000000000, MaxEnd: 1768471260000000000, Spans: 250, TailBytes: 4096,
	}
}

func TestBlockNameText(t *testing.T) {
	require.Equal(t, exampleKey, exampleName().Key())
	n, err := schema.ParseBlockName(exampleKey)
	require.NoError(t, err)
	require.Equal(t, exampleName(), n)
	require.True(t, strings.HasPrefix(exampleKey, schema.ProjectPrefix("shop")))
}

func TestParseBlockNameRejects(t *testing.T) {
	replace := func(old, with string) string { return strings.Replace(exampleKey, old, with, 1) }
	for name, key := range map[string]string{
		"empty":              "",
		"other prefix":       replace("blocks/", "block/"),
		"project":            replace("shop", "Shop"),
		"no project":         replace("shop/", ""),
		"wrong day":          replace("2026-01-15", "2026-01-16"),
		"partition":          replace("p3of4", "p4of4"),
		"partition count":    replace("p3of4", "p3of5"),
		"partition zeros":    replace("p3of4", "p03of4"),
		"no partition":       replace("p3of4", "pof"),
		"sign":               replace("-11-42", "-+11-42"),
		"range":              replace("-11-42", "-43-42"),
		"position 0":         replace("-11-42", "-0-42"),
		"missing range":      replace("-11-42", "-11"),
		"level":              replace("L1g2o", "L1"),
		"level rest":         replace("L1g2o", "L1g2oo"),
		"leading zero":       replace("_250_", "_0250_"),
		"too many fields":    replace("_250_", "_250_1_"),
		"suffix":             replace(".parquet", ".parq"),
		"log time too large": replace("_1768471200123456789_", "_18446744073709551615_"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := schema.ParseBlockName(key)
			require.ErrorIs(t, err, schema.ErrBadName)
		})
	}
}

func FuzzParseBlockName(f *testing.F) {
	f.Add(exampleKey)
	f.Add("blocks/a/1970-01-01/p0of1/0-1-1_L0g0_0_0-0_0_0.parquet")
	f.Fuzz(func(t *testing.T, key string) {
		n, err := schema.ParseBlockName(key)
		if err != nil {
			require.ErrorIs(t, err, schema.ErrBadName)
			return
		}
		require.Equal(t, key, n.Key())
	})
}

func TestContains(t *testing.T) {
	outer := exampleName()
	tests := []struct {
		name string
		edit func(*schema.BlockName)
		want bool
	}{
		{"itself", func(*schema.BlockName) {}, true},
		{"inner", func(n *schema.BlockName) { n.First, n.Last = 12, 41 }, true},
		{"below", func(n *schema.BlockName) { n.First = 10 }, false},
		{"above", func(n *schema.BlockName) { n.Last = 43 }, false},
		{"other partition", func(n *schema.BlockName) { n.Partition = 2 }, false},
		{"other count", func(n *schema.BlockName) { n.Partitions = 8 }, false},
		{"other epoch", func(n *schema.BlockName) { n.Epoch++ }, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			inner := exampleName()
			tc.edit(&inner)
			require.Equal(t, tc.want, outer.Contains(inner))
		})
	}
	require.True(t, outer.ContainsPosition(3, 4, outer.Epoch, 11))
	require.False(t, outer.ContainsPosition(3, 4, outer.Epoch, 10))
}

func TestVisible(t *testing.T) {
	b := func(edit func(*schema.BlockName)) schema.BlockName {
		n := schema.BlockName{Project: "p", Partitions: 1, Epoch: 1, First: 1, Last: 10}
		edit(&n)
		return n
	}
	r := func(first, last uint64) schema.BlockName {
		return b(func(n *schema.BlockName) { n.First, n.Last = first, last })
	}
	level1 := b(func(n *schema.BlockName) { n.Level = 1 })
	gen1 := b(func(n *schema.BlockName) { n.Generation = 1 })
	more := b(func(n *schema.BlockName) { n.Spans = 7 })
	tests := []struct {
		name     string
		in, want []schema.BlockName
	}{
		{"none", nil, nil},
		{"neighbours", []schema.BlockName{r(11, 20), r(1, 10)}, []schema.BlockName{r(1, 10), r(11, 20)}},
		{"inputs of a merge", []schema.BlockName{r(1, 10), r(11, 20), r(1, 20)}, []schema.BlockName{r(1, 20)}},
		{"container of a lower level", []schema.BlockName{level1, r(1, 11)}, []schema.BlockName{r(1, 11)}},
		{"equal range: level", []schema.BlockName{r(1, 10), level1}, []schema.BlockName{level1}},
		{"equal range: generation", []schema.BlockName{r(1, 10), gen1}, []schema.BlockName{gen1}},
		{"equal range: level before generation", []schema.BlockName{gen1, level1}, []schema.BlockName{level1}},
		{"equal range: smallest name", []schema.BlockName{more, r(1, 10)}, []schema.BlockName{r(1, 10)}},
		{"nested twice", []schema.BlockName{r(1, 4), r(5, 8), r(1, 8), r(1, 20), r(21, 30)}, []schema.BlockName{r(1, 20), r(21, 30)}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			require.ElementsMatch(t, tc.want, schema.Visible(tc.in))
		})
	}
}

// TestVisibleIsTheCoveringRule compares the sweep with the rule as it is
// written, pair by pair, on random trees of ranges.
func TestVisibleIsTheCoveringRule(t *testing.T) {
	hides := func(a, b schema.BlockName) bool {
		if !a.Contains(b) {
			return false
		}
		if a.First != b.First || a.Last != b.Last {
			return true
		}
		if a.Level != b.Level {
			return a.Level > b.Level
		}
		if a.Generation != b.Generation {
			return a.Generation > b.Generation
		}
		return a.Key() < b.Key()
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		blocks := make([]schema.BlockName, rng.IntN(12))
		for i := range blocks {
			first := 1 + rng.Uint64N(8)
			blocks[i] = schema.BlockName{
				Project: "p", Partitions: 2, Partition: rng.IntN(2), Epoch: rng.Uint64N(2),
				First: first, Last: first + rng.Uint64N(8), Level: rng.IntN(2), Generation: rng.IntN(2), Spans: rng.Uint64N(2),
			}
		}
		var want []schema.BlockName
		for i, b := range blocks {
			hidden := slices.ContainsFunc(blocks, func(a schema.BlockName) bool { return hides(a, b) })
			if !hidden && !slices.Contains(blocks[:i], b) {
				want = append(want, b)
			}
		}
		require.ElementsMatch(t, want, schema.Visible(blocks))
	}
}

// BenchmarkParseBlockName reads the names of a listing.
func BenchmarkParseBlockName(b *testing.B) {
	key := schema.BlockName{
		Project: "checkout-production", Partition: 3, Partitions: 4, Epoch: 1_768_471_200_000, First: 123_456, Last: 123_999, Level: 1,
		LogNanos: 1_768_471_200_009_988_421, MinStart: 1_768_471_200_009_988_421, MaxEnd: 1_768_471_298_464_981_376, Spans: 26_000, TailBytes: 45_299,
	}.Key()
	b.ReportAllocs()
	for b.Loop() {
		_, err := schema.ParseBlockName(key)
		require.NoError(b, err)
	}
}
