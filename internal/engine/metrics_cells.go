package engine

// cellCounts counts something by cell. Most values of a field are rare: they
// are kept as a list of the cells in which they occur.
type cellCounts struct {
	few   []cellCount
	dense []uint32 // by cell, once there are many
}

type cellCount struct{ cell, count uint32 }

// maxFewCells is up to how many cells a list is kept.
const maxFewCells = 16

const (
	fewBytes   = 8
	denseBytes = 4
)

// add counts n in a cell of so many, and returns the bytes that this has taken.
func (c *cellCounts) add(cell int32, n uint32, cells int) (bytes int) {
	if c.dense != nil {
		c.dense[cell] += n
		return 0
	}
	for i := range c.few {
		if c.few[i].cell == uint32(cell) { //nolint:gosec // not negative
			c.few[i].count += n
			return 0
		}
	}
	if len(c.few) < maxFewCells {
		c.few = append(c.few, cellCount{uint32(cell), n}) //nolint:gosec // not negative
		return fewBytes
	}
	bytes = c.spread(cells)
	c.dense[cell] += n
	return bytes
}

// spread keeps the counts by cell from now on.
func (c *cellCounts) spread(cells int) (bytes int) {
	c.dense = make([]uint32, cells)
	for _, f := range c.few {
		c.dense[f.cell] = f.count
	}
	bytes = denseBytes*cells - fewBytes*len(c.few)
	c.few = nil
	return bytes
}

// addAll adds the counts of all cells.
func (c *cellCounts) addAll(counts []uint32) (bytes int) {
	if c.dense == nil {
		most := maxFewCells - len(c.few)
		for _, n := range counts {
			if n > 0 {
				most--
			}
		}
		if most >= 0 {
			for cell, n := range counts {
				if n > 0 {
					bytes += c.add(int32(cell), n, len(counts)) //nolint:gosec // bounded by MaxSteps
				}
			}
			return bytes
		}
		bytes = c.spread(len(counts))
	}
	for cell, n := range counts {
		c.dense[cell] += n
	}
	return bytes
}

func (c *cellCounts) merge(from *cellCounts, cells int) (bytes int) {
	for _, f := range from.few {
		bytes += c.add(int32(f.cell), f.count, cells) //nolint:gosec // was one
	}
	if from.dense != nil {
		bytes += c.addAll(from.dense)
	}
	return bytes
}

// all are the counts of the cells [from, to).
func (c *cellCounts) all(from, to int) []uint64 {
	counts := make([]uint64, to-from)
	for _, f := range c.few {
		if cell := int(f.cell); cell >= from && cell < to {
			counts[cell-from] += uint64(f.count)
		}
	}
	if c.dense != nil {
		for i, n := range c.dense[from:to] {
			counts[i] = uint64(n)
		}
	}
	return counts
}

// total is the sum of the cells [from, to).
func (c *cellCounts) total(from, to int) (sum uint64) {
	for _, n := range c.dense[min(from, len(c.dense)):min(to, len(c.dense))] {
		sum += uint64(n)
	}
	for _, f := range c.few {
		if cell := int(f.cell); cell >= from && cell < to {
			sum += uint64(f.count)
		}
	}
	return sum
}
