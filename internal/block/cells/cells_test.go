package cells_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/cells"
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/block/parquet"
	"github.com/spanlake/spanlake/internal/vec"
)

// textsOf reads a column of texts, from pages of a few values.
func textsOf(t *testing.T, c cells.Column) []string {
	t.Helper()
	dict := make([]string, c.Entries)
	require.NoError(t, encoding.SplitBytes(dict, string(c.Dict)))
	var all []string
	for from := 0; from < c.Values; from += 7 {
		to := min(from+7, c.Values)
		body := c.Body([]byte("x"), from, to)[1:]
		part := make([]string, to-from)
		if c.Encoding == parquet.Codes {
			codes := make([]uint32, to-from)
			require.NoError(t, encoding.DecodeHybrid(codes, body[1:], int(body[0]), uint32(c.Entries)))
			for i, code := range codes {
				part[i] = dict[code]
			}
		} else {
			require.NoError(t, encoding.SplitBytes(part, string(body)))
		}
		all = append(all, part...)
	}
	return all
}

// numbersOf does the same with numbers.
func numbersOf(t *testing.T, c cells.Column) []int64 {
	t.Helper()
	values := make([]int64, c.Values)
	body := c.Body(nil, 0, c.Values)
	switch c.Encoding {
	case parquet.Delta:
		require.NoError(t, encoding.DecodeDelta(values, body))
	case parquet.Plain:
		require.NoError(t, encoding.DecodeInt64s(values, body))
	default:
		dict, codes := make([]int64, c.Entries), make([]uint32, c.Values)
		require.NoError(t, encoding.DecodeInt64s(dict, c.Dict))
		require.NoError(t, encoding.DecodeHybrid(codes, body[1:], int(body[0]), uint32(c.Entries)))
		for i, code := range codes {
			values[i] = dict[code]
		}
	}
	return values
}

func TestTextsChooseADictionary(t *testing.T) {
	tests := []struct {
		name      string
		max       int
		text      func(i int) string
		codes     bool
		rows, had int // had: entries
	}{
		{"one", 1 << 20, func(int) string { return "GET" }, true, 50, 1},
		{"few", 1 << 20, func(i int) string { return fmt.Sprint("route ", i%9) }, true, 500, 9},
		{"all different", 1 << 20, func(i int) string { return strconv.Itoa(i) }, false, 500, 0},
		{"all different, so many that it gives up", 1 << 20, func(i int) string { return strconv.Itoa(i) }, false, 20_000, 0},
		{"half of them different", 1 << 20, func(i int) string { return fmt.Sprintf("%04d", i/2) }, false, 500, 0},
		{"more than fits", 100, func(i int) string { return fmt.Sprint(i%3, strings.Repeat("x", 40)) }, false, 500, 0},
		{"none wanted", 0, func(int) string { return "GET" }, false, 50, 0},
		{"empty", 1 << 20, func(int) string { return "" }, true, 50, 1},
		{"nothing", 1 << 20, nil, false, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			texts := cells.NewTexts(tt.max, 3, &cells.Arena{})
			var want []string
			for i := range tt.rows {
				want = append(want, tt.text(i))
				if i%2 == 0 {
					texts.Add(want[i])
					continue
				}
				scratch := []byte(want[i])
				texts.AddCopy(scratch)
				clear(scratch)
			}
			c := texts.Column()
			require.Equal(t, tt.codes, c.Encoding == parquet.Codes)
			require.Equal(t, tt.had, c.Entries)
			require.Equal(t, want, textsOf(t, c))
		})
	}
}

// TestCells adds and takes back values of each kind at random.
func TestCells(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const rows = 3000
	text := func() string { return fmt.Sprint(rng.IntN(40), strings.Repeat("y", rng.IntN(20))) }
	for name, begin := range map[string]func() *cells.Cells{
		"dictionary": func() *cells.Cells { return cells.NewOptional(rows, cells.NewTexts(1<<20, 0, &cells.Arena{})) },
		"plain":      func() *cells.Cells { return cells.NewOptional(rows, cells.NewTexts(0, 0, &cells.Arena{})) },
	} {
		t.Run(name, func(t *testing.T) {
			c, defined := begin(), vec.NewBitmap(rows)
			var want []string
			for row := range rows {
				s := text()
				switch rng.IntN(5) {
				case 0:
					continue
				case 1:
					c.AddText(row, "taken back")
					c.TakeBack(row)
					require.False(t, c.Has(row))
					continue
				case 2:
					if !c.AddKnown(row, s) {
						c.AddCopy(row, []byte(s))
					}
				default:
					c.AddText(row, s)
				}
				require.True(t, c.Has(row))
				want = append(want, s)
				defined.Set(row)
			}
			require.Equal(t, want[7], c.Text(7))
			column := c.Column()
			require.Equal(t, defined, column.Defined)
			require.Equal(t, want, textsOf(t, column))
		})
	}
	for kind, value := range map[cells.Kind]func() int64{
		cells.Int:    func() int64 { return int64(rng.Uint64()) },
		cells.Double: func() int64 { return int64(rng.IntN(9)) },
		cells.Bool:   func() int64 { return int64(rng.IntN(2)) },
	} {
		c := cells.NewNumbers(kind, rows, 5)
		var want []int64
		for row := 0; row < rows; row += 1 + rng.IntN(3) {
			v := value()
			for range 1 + rng.IntN(2) {
				if c.Has(row) {
					c.TakeBack(row)
				}
				if kind == cells.Bool {
					c.AddBool(row, v != 0)
				} else {
					c.AddNumber(row, v)
				}
			}
			require.EqualValues(t, v, c.Word(len(want)))
			want = append(want, v)
		}
		column := c.Column()
		require.Equal(t, len(want), column.Values)
		if kind != cells.Bool {
			require.Equal(t, want, numbersOf(t, column))
			continue
		}
		body := column.Body(nil, 3, len(want))
		for i, v := range want[3:] {
			require.EqualValues(t, v, body[i/8]>>(i%8)&1)
		}
	}
}

func TestColumnsOfRequiredValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	many, few := make([]int64, 900), make([]int32, 900)
	for i := range many {
		many[i], few[i] = rng.Int64()-rng.Int64(), int32(rng.IntN(3))-1
	}
	c := cells.BoundedDeltas(many)
	require.Equal(t, many, numbersOf(t, c))
	require.EqualValues(t, slices.Min(many), binary.LittleEndian.Uint64(c.Stats.Min))
	require.EqualValues(t, slices.Max(many), binary.LittleEndian.Uint64(c.Stats.Max))
	require.Nil(t, cells.Deltas(many).Stats.Min)

	c = cells.Int32s(few)
	require.Equal(t, 3, c.Entries)
	c = cells.Int32s([]int32{5, 6, 7, -8})
	require.Equal(t, parquet.Plain, c.Encoding, "all are different")
	require.Equal(t, []byte{7, 0, 0, 0, 0xf8, 0xff, 0xff, 0xff}, c.Body(nil, 2, 4))

	require.Equal(t, []byte("cdef"), cells.Fixed([]byte("abcdefgh"), 2).Body(nil, 1, 3))
}

// TestPointed is about values that rows share, of which two may be the same.
func TestPointed(t *testing.T) {
	values := []string{"one value", "another one", "one value", ""}
	rows := make([]uint32, 400)
	for i := range rows {
		rows[i] = uint32(i*i) % 5
	}
	value := func(n uint32) (string, bool) { return values[min(n, 3)], n < 4 }
	var want, some []string
	defined := vec.NewBitmap(len(rows))
	for i, n := range rows {
		want = append(want, values[min(n, 3)])
		if n < 4 {
			some = append(some, values[n])
			defined.Set(i)
		}
	}
	everywhere := func(n uint32) (string, bool) { v, _ := value(n); return v, true }
	c := cells.NewPointed(rows, 5, everywhere).Required(1 << 20)
	require.Equal(t, 3, c.Entries)
	require.Equal(t, want, textsOf(t, c))
	c = cells.NewPointed(rows, 5, everywhere).Required(10)
	require.Zero(t, c.Entries)
	require.Equal(t, want, textsOf(t, c))
	c = cells.NewPointed(rows, 5, value).Small(cells.Text)
	require.Equal(t, defined, c.Defined)
	require.Equal(t, some, textsOf(t, c))

	words := func(n uint32) (string, bool) { return string([]byte{byte(n % 2), 7: 0}), n < 4 }
	c = cells.NewPointed(rows, 5, words).Small(cells.Int)
	numbers := numbersOf(t, c)
	body := cells.NewPointed(rows, 5, words).Small(cells.Bool).Body(nil, 0, len(numbers))
	next := 0
	for _, n := range rows {
		if n < 4 {
			require.EqualValues(t, n%2, numbers[next])
			require.EqualValues(t, n%2, body[next/8]>>(next%8)&1)
			next++
		}
	}
	require.Len(t, numbers, next)
}
