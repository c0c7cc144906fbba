package block

import (
	"slices"
	"unsafe"

	"github.com/spanlake/spanlake/schema"
)

// columnIndex finds the columns of a block.
type columnIndex struct {
	fixed [numColumns]int // places in the directory
	// shredded are the columns of attributes by owner, in the order in which
	// shapes number them.
	shredded [numOwners][]int
	byKey    map[attributeKey][]int
}

// attributeKey names attributes of all types.
type attributeKey struct {
	owner owner
	key   string
}

// indexColumns is false if a column is there twice, or one of the catalogue not
// at all.
func indexColumns(list []fileColumn) (columnIndex, bool) {
	x := columnIndex{byKey: make(map[attributeKey][]int, len(list))}
	var seen [numColumns]bool
	fixed, unique := 0, true
	unknown := make(map[string]bool)
	single := make([]int, len(list)) // what keys of one column have: most
	for i := range list {
		c := &list[i]
		switch {
		case c.id < numColumns:
			unique = unique && !seen[c.id]
			seen[c.id], x.fixed[c.id] = true, i
			fixed++
		case !c.known():
			unique = unique && !unknown[c.name]
			unknown[c.name] = true
		default:
			from := c.attribute.owner
			x.shredded[from] = append(x.shredded[from], i)
			key := attributeKey{from, c.attribute.key}
			same := x.byKey[key]
			unique = unique && !slices.ContainsFunc(same, func(o int) bool { return list[o].attribute == c.attribute })
			if single[i] = i; same == nil {
				same = single[i : i : i+1]
			}
			x.byKey[key] = append(same, i)
		}
	}
	return x, unique && fixed == int(numColumns)
}

// memoryBytes is about what the directory takes in memory, without the lists of
// pages that were read since.
func (d *directory) memoryBytes() int64 {
	const (
		words    = 8
		mapEntry = 64
	)
	n := len(d.columns) * (int(unsafe.Sizeof(fileColumn{})) + 2*words + mapEntry)
	for i := range d.columns {
		n += len(d.columns[i].name)
	}
	n += len(d.open) * len(schema.TraceID{})
	for i := range d.groups {
		g := &d.groups[i]
		n += int(unsafe.Sizeof(rowGroup{})) + words*len(g.pages)
		n += len(g.traces) * int(unsafe.Sizeof(tracePage{}))
		for _, keys := range g.keys {
			n += len(keys.sorted) * int(unsafe.Sizeof(""))
		}
		n += len(g.chunks) * int(unsafe.Sizeof(chunk{})+unsafe.Sizeof(pageList{}))
	}
	return int64(n)
}
