package block

// partTable has what a row group uses of the cache, by offset: hundreds of pages
// for one search, each looked up more than once. The zero value is empty.
type partTable struct {
	slots []partSlot // a power of two of them, less than half of which are full
	full  int
}

type partSlot struct {
	offset int64
	value  any // nil in an empty slot
}

// minPartSlots are enough for a query that finds nothing.
const minPartSlots = 128

// at returns the part of an offset, nil if there is none.
func (t *partTable) at(offset int64) any {
	if len(t.slots) == 0 {
		return nil
	}
	return t.slot(offset).value
}

// put adds a part that is not there.
func (t *partTable) put(offset int64, value any) {
	if 2*t.full >= len(t.slots) {
		old := t.slots
		t.slots = make([]partSlot, max(minPartSlots, 4*len(old)))
		for _, s := range old {
			if s.value != nil {
				*t.slot(s.offset) = s
			}
		}
	}
	*t.slot(offset) = partSlot{offset, value}
	t.full++
}

// slot is where a part is or would be.
func (t *partTable) slot(offset int64) *partSlot {
	const golden = 0x9e3779b97f4a7c15
	mask := uint64(len(t.slots) - 1)
	for i := uint64(offset) * golden >> 32; ; i++ {
		if s := &t.slots[i&mask]; s.value == nil || s.offset == offset {
			return s
		}
	}
}
