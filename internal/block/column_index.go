package block

import (
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

func indexColumns(list []fileColumn) columnIndex {
	x := columnIndex{byKey: make(map[attributeKey][]int)}
	for i := range list {
		c := &list[i]
		if c.id < numColumns {
			x.fixed[c.id] = i
			continue
		}
		from := c.attribute.owner
		if from == ownerNone {
			continue
		}
		x.shredded[from] = append(x.shredded[from], i)
		key := attributeKey{from, c.attribute.key}
		x.byKey[key] = append(x.byKey[key], i)
	}
	return x
}

// memoryBytes is about what the directory takes in memory.
func (d *directory) memoryBytes() int64 {
	const words = 8
	n := len(d.open) * len(schema.TraceID{})
	for i := range d.columns {
		n += int(unsafe.Sizeof(fileColumn{})) + len(d.columns[i].name) + len(d.columns[i].attribute.key)
	}
	for i := range d.groups {
		g := &d.groups[i]
		n += int(unsafe.Sizeof(rowGroup{})) + words*(len(g.pages)+len(g.finePages))
		n += len(g.traces) * int(unsafe.Sizeof(tracePage{}))
		for _, keys := range g.keys {
			for _, k := range keys.sorted {
				n += int(unsafe.Sizeof(k)) + len(k)
			}
		}
		for c := range g.chunks {
			n += int(unsafe.Sizeof(chunk{})) + len(g.chunks[c].pages)*int(unsafe.Sizeof(pageRef{}))
		}
	}
	return int64(n)
}
