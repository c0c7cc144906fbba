package encoding_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/encoding"
)

const (
	pageRows  = 4096
	pageCount = 16 // several, so that no branch predictor learns a page by heart
)

// measure runs kernel on all pages, of so many rows each, again and again. The
// fastest round gives the rows per second, the time per row, and how often all
// pages could have been copied meanwhile: other programs cannot make it faster.
func measure(b *testing.B, rows int, pages [][]byte, kernel func(page []byte) error) time.Duration {
	b.Helper()
	b.ReportAllocs()
	total := 0
	for _, p := range pages {
		total += len(p)
	}
	b.SetBytes(int64(total))
	fastest := time.Duration(math.MaxInt64)
	for b.Loop() {
		begin := time.Now()
		for _, p := range pages {
			if err := kernel(p); err != nil {
				b.Fatal(err)
			}
		}
		fastest = min(fastest, time.Since(begin))
	}
	buffer, copied := make([]byte, total), time.Duration(math.MaxInt64)
	for range 1000 {
		begin := time.Now()
		for _, p := range pages {
			copy(buffer, p)
		}
		copied = min(copied, time.Since(begin))
	}
	perRow := fastest.Seconds() / float64(rows*len(pages))
	b.ReportMetric(1/perRow/1e6, "Mrows/s")
	b.ReportMetric(perRow*1e9, "ns/row")
	b.ReportMetric(fastest.Seconds()/copied.Seconds(), "copies")
	return fastest
}

func pagesOf(page func(rng *rand.Rand) []byte) [][]byte {
	rng := rand.New(rand.NewPCG(1, 1))
	pages := make([][]byte, pageCount)
	for i := range pages {
		pages[i] = page(rng)
	}
	return pages
}

// mixes of codes: random ones, and what columns of sorted traces look like.
var mixes = []struct {
	name   string
	draw   func(rng *rand.Rand, limit int) []uint32
	widths []int
}{
	{"random", func(rng *rand.Rand, limit int) []uint32 {
		codes := make([]uint32, pageRows)
		for i := range codes {
			codes[i] = uint32(rng.IntN(limit))
		}
		return codes
	}, []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20}},
	{"short-runs", func(rng *rand.Rand, limit int) []uint32 {
		codes := make([]uint32, pageRows)
		for i := range codes {
			if codes[i] = uint32(rng.IntN(limit)); i > 0 && rng.IntN(8) > 0 {
				codes[i] = codes[i-1]
			}
		}
		return codes
	}, []int{1, 4, 8, 12}},
	{"long-runs", func(rng *rand.Rand, limit int) []uint32 {
		codes := make([]uint32, pageRows)
		for i := range codes {
			if codes[i] = uint32(rng.IntN(limit)); i > 0 && rng.IntN(100) > 0 {
				codes[i] = codes[i-1]
			}
		}
		return codes
	}, []int{1, 4, 8, 12}},
}

// codePages are pages of one mix and width.
type codePages struct {
	name  string
	limit int // of a dictionary that is not quite full, so that codes have to be checked
	pages [][]byte
}

func allMixes() (list []codePages) {
	for _, mix := range mixes {
		for _, width := range mix.widths {
			limit := 1<<width - 1<<width/10
			list = append(list, codePages{fmt.Sprintf("%s/width=%d", mix.name, width), limit, pagesOf(func(rng *rand.Rand) []byte {
				return encoding.AppendHybrid(nil, mix.draw(rng, limit), width)
			})})
		}
	}
	return list
}

func BenchmarkMatchOne(b *testing.B) {
	for _, c := range allMixes() {
		b.Run(c.name, func(b *testing.B) {
			table := make([]bool, c.limit)
			table[c.limit/2] = true
			measureMatch(b, c, table)
		})
	}
}

func BenchmarkMatchSome(b *testing.B) {
	rng := rand.New(rand.NewPCG(2, 2))
	for _, c := range allMixes() {
		b.Run(c.name, func(b *testing.B) {
			table := make([]bool, c.limit)
			for i := range table {
				table[i] = c.limit == 2 || rng.IntN(2) == 0
			}
			measureMatch(b, c, table)
		})
	}
}

func measureMatch(b *testing.B, c codePages, table []bool) {
	b.Helper()
	set, width := encoding.NewCodeSet(table), encoding.CodeWidth(c.limit)
	dst := make([]uint64, pageRows/64)
	measure(b, pageRows, c.pages, func(page []byte) error { return set.Match(dst, page, pageRows, width) })
}

func BenchmarkNewCodeSet(b *testing.B) {
	for _, limit := range []int{3, 13, 60, 250, 4000} {
		b.Run(fmt.Sprintf("codes=%d", limit), func(b *testing.B) {
			table := make([]bool, limit)
			for i := range table {
				table[i] = i%2 == 0
			}
			b.ReportAllocs()
			for b.Loop() {
				encoding.NewCodeSet(table)
			}
		})
	}
}

func BenchmarkDecodeHybrid(b *testing.B) {
	codes := make([]uint32, pageRows)
	for _, c := range allMixes() {
		b.Run(c.name, func(b *testing.B) {
			width := encoding.CodeWidth(c.limit)
			measure(b, pageRows, c.pages, func(page []byte) error {
				return encoding.DecodeHybrid(codes, page, width, uint32(c.limit))
			})
		})
	}
}

func BenchmarkDecodeSome(b *testing.B) {
	at := []int32{137, 1374, 1375, 1376, 3900}
	codes := make([]uint32, len(at))
	for _, c := range allMixes() {
		b.Run(c.name, func(b *testing.B) {
			width := encoding.CodeWidth(c.limit)
			measure(b, len(at), c.pages, func(page []byte) error {
				return encoding.DecodeSome(codes, page, width, at, uint32(c.limit))
			})
		})
	}
}

func BenchmarkAppendHybrid(b *testing.B) {
	for _, c := range allMixes() {
		width := encoding.CodeWidth(c.limit)
		codes := make([][]uint32, len(c.pages))
		for i, page := range c.pages {
			codes[i] = make([]uint32, pageRows)
			require.NoError(b, encoding.DecodeHybrid(codes[i], page, width, uint32(c.limit)))
		}
		b.Run(c.name, func(b *testing.B) {
			var dst []byte
			i := 0
			measure(b, pageRows, c.pages, func([]byte) error {
				dst = encoding.AppendHybrid(dst[:0], codes[i%len(codes)], width)
				i++
				return nil
			})
		})
	}
}

// levelPages are pages of a column that so many of 100 rows have.
type levelPages struct {
	name   string
	levels [][]uint64
	pages  [][]byte
}

func allLevels() (list []levelPages) {
	for _, percent := range []int{1, 50, 99, 100} {
		for _, runs := range []bool{false, true} {
			c := levelPages{name: fmt.Sprintf("percent=%d/runs=%v", percent, runs)}
			c.pages = pagesOf(func(rng *rand.Rand) []byte {
				defined := false
				level := bitsOf(pageRows, func(int) bool {
					if !runs || rng.IntN(20) == 0 {
						defined = rng.IntN(100) < percent
					}
					return defined
				})
				c.levels = append(c.levels, level)
				return encoding.AppendLevels(nil, level, pageRows)
			})
			list = append(list, c)
		}
	}
	return list
}

// measureLevels runs kernel on the bitmaps of the pages.
func measureLevels(b *testing.B, c levelPages, kernel func(levels []uint64)) {
	b.Helper()
	i := 0
	measure(b, pageRows, c.pages, func([]byte) error {
		kernel(c.levels[i%len(c.levels)])
		i++
		return nil
	})
}

func BenchmarkDecodeLevels(b *testing.B) {
	dst := make([]uint64, pageRows/64)
	for _, c := range allLevels() {
		b.Run(c.name, func(b *testing.B) {
			measure(b, pageRows, c.pages, func(page []byte) error {
				_, err := encoding.DecodeLevels(dst, page, pageRows)
				return err
			})
		})
	}
}

func BenchmarkAppendLevels(b *testing.B) {
	var dst []byte
	for _, c := range allLevels() {
		b.Run(c.name, func(b *testing.B) {
			measureLevels(b, c, func(levels []uint64) { dst = encoding.AppendLevels(dst[:0], levels, pageRows) })
		})
	}
}

// BenchmarkSpread expands and compacts frequent and rare bits.
func BenchmarkSpread(b *testing.B) {
	dst := make([]uint64, pageRows/64)
	for _, every := range []int{2, 200} {
		rng := rand.New(rand.NewPCG(3, 3))
		hits := bitsOf(pageRows, func(int) bool { return rng.IntN(every) == 0 })
		for _, c := range allLevels() {
			b.Run(fmt.Sprintf("expand/hits=1of%d/%s", every, c.name), func(b *testing.B) {
				measureLevels(b, c, func(levels []uint64) { encoding.Expand(dst, hits, levels, pageRows) })
			})
			b.Run(fmt.Sprintf("compact/hits=1of%d/%s", every, c.name), func(b *testing.B) {
				measureLevels(b, c, func(levels []uint64) { encoding.Compact(dst, hits, levels) })
			})
		}
	}
}

// deltaPages are pages of values whose differences have so many bits.
type deltaPages struct {
	name   string
	values [][]int64
	pages  [][]byte
}

func allDeltas() (list []deltaPages) {
	for _, width := range []int{0, 1, 7, 16, 24, 33, 50, 63} {
		c := deltaPages{name: fmt.Sprintf("width=%d", width)}
		c.pages = pagesOf(func(rng *rand.Rand) []byte {
			page := make([]int64, pageRows)
			value := int64(1_700_000_000_000_000_000)
			for i := range page {
				value += int64(rng.Uint64() & (1<<width - 1))
				page[i] = value
			}
			c.values = append(c.values, page)
			return encoding.AppendDelta(nil, page)
		})
		list = append(list, c)
	}
	return list
}

func BenchmarkDecodeDelta(b *testing.B) {
	dst := make([]int64, pageRows)
	for _, c := range allDeltas() {
		b.Run(c.name, func(b *testing.B) {
			measure(b, pageRows, c.pages, func(page []byte) error { return encoding.DecodeDelta(dst, page) })
		})
	}
}

func BenchmarkMatchDelta(b *testing.B) {
	dst := make([]uint64, pageRows/64)
	for _, c := range allDeltas() {
		least, most := c.values[0][1000], c.values[0][3000]
		b.Run(c.name, func(b *testing.B) {
			measure(b, pageRows, c.pages, func(page []byte) error {
				return encoding.MatchDelta(dst, page, pageRows, least, most)
			})
		})
	}
}

func BenchmarkAppendDelta(b *testing.B) {
	var dst []byte
	for _, c := range allDeltas() {
		b.Run(c.name, func(b *testing.B) {
			i := 0
			measure(b, pageRows, c.pages, func([]byte) error {
				dst = encoding.AppendDelta(dst[:0], c.values[i%len(c.values)])
				i++
				return nil
			})
		})
	}
}

func BenchmarkMatchPlain(b *testing.B) {
	longs := pagesOf(func(rng *rand.Rand) []byte {
		values := make([]int64, pageRows)
		for i := range values {
			values[i] = rng.Int64N(1000)
		}
		return encoding.AppendInt64s(nil, values)
	})
	doubles := pagesOf(func(rng *rand.Rand) []byte {
		values := make([]float64, pageRows)
		for i := range values {
			values[i] = rng.NormFloat64()
		}
		return encoding.AppendDoubles(nil, values)
	})
	dst := make([]uint64, 2*pageRows/64)
	b.Run("int64", func(b *testing.B) {
		measure(b, pageRows, longs, func(page []byte) error { return encoding.MatchInt64s(dst, page, pageRows, 300, 400) })
	})
	b.Run("int32", func(b *testing.B) {
		measure(b, 2*pageRows, longs, func(page []byte) error { return encoding.MatchInt32s(dst, page, 2*pageRows, 300, 400) })
	})
	b.Run("double", func(b *testing.B) {
		measure(b, pageRows, doubles, func(page []byte) error { return encoding.MatchDoubles(dst, page, pageRows, 1, 2) })
	})
}

// BenchmarkFindBytes also reports the time as a multiple of bytes.Contains of
// the same bytes; for literals that are nowhere.
func BenchmarkFindBytes(b *testing.B) {
	for _, size := range []int{20, 80, 1000} {
		for _, literal := range []string{"item=4711&cart", "/zebra/"} {
			pages := pagesOf(func(rng *rand.Rand) []byte {
				var page []byte
				for range pageRows / 8 { // 16 MB of long values are no page
					text := fmt.Sprintf("https://shop.example.com/cart/%d?item=%d&", rng.IntN(1000), rng.Uint32())
					text += string(bytes.Repeat([]byte("lorem ipsum "), size/6+1))
					page = encoding.AppendBytes(page, text[:size/2+rng.IntN(size)])
				}
				return page
			})
			b.Run(fmt.Sprintf("bytes=%d/%s", size, literal[:4]), func(b *testing.B) {
				dst := make([]uint64, pageRows/64)
				took := measure(b, pageRows/8, pages, func(page []byte) error {
					return encoding.FindBytes(dst, page, []byte(literal), pageRows/8)
				})
				contained := time.Duration(math.MaxInt64)
				for range 20 {
					begin := time.Now()
					for _, p := range pages {
						if bytes.Contains(p, []byte(literal)) {
							b.Fatal("the literal is somewhere")
						}
					}
					contained = min(contained, time.Since(begin))
				}
				b.ReportMetric(took.Seconds()/contained.Seconds(), "contains")
			})
		}
	}
}
