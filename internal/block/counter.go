package block

import (
	"maps"
	"slices"
)

// counter counts by code and cell. Small codes, from 0 on, are counted in an
// array, others in a map.
type counter struct {
	cells  int
	dense  []uint32 // by code and cell
	codes  int      // in dense
	sparse map[int][]uint32
}

// maxDenseCounts bounds the array: 4 MB.
const maxDenseCounts = 1 << 20

func (c *counter) reset(cells int) {
	c.cells, c.codes = cells, 0
	c.dense = c.dense[:0]
	clear(c.sparse)
}

func (c *counter) add(code int, cell int32) {
	if code >= 0 && code < c.codes {
		c.dense[code*c.cells+int(cell)]++
		return
	}
	c.of(code)[cell]++
}

// of are the counts of a code, which it makes room for.
func (c *counter) of(code int) []uint32 {
	if code >= 0 && (code+1)*c.cells <= maxDenseCounts {
		if code >= c.codes {
			old := len(c.dense)
			c.dense = slices.Grow(c.dense, (code+1)*c.cells-old)[:(code+1)*c.cells]
			clear(c.dense[old:])
			c.codes = code + 1
		}
		return c.dense[code*c.cells:][:c.cells]
	}
	counts, ok := c.sparse[code]
	if !ok {
		if c.sparse == nil {
			c.sparse = make(map[int][]uint32)
		}
		counts = make([]uint32, c.cells)
		c.sparse[code] = counts
	}
	return counts
}

// join makes all counts those of code 0.
func (c *counter) join() {
	all := make([]uint32, c.cells)
	_ = c.each(func(_ int, counts []uint32) error { // which returns no other error
		for cell, n := range counts {
			all[cell] += n
		}
		return nil
	})
	c.reset(c.cells)
	copy(c.of(0), all)
}

// each calls f with the codes that have counts.
func (c *counter) each(f func(code int, counts []uint32) error) error {
	for code := range c.codes {
		counts := c.dense[code*c.cells:][:c.cells]
		if !slices.ContainsFunc(counts, func(n uint32) bool { return n > 0 }) {
			continue
		}
		if err := f(code, counts); err != nil {
			return err
		}
	}
	for _, code := range slices.Sorted(maps.Keys(c.sparse)) {
		if err := f(code, c.sparse[code]); err != nil {
			return err
		}
	}
	return nil
}
