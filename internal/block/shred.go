package block

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

const (
	// maxKeyBytes bounds the names of columns: an attribute with a longer key
	// has none.
	maxKeyBytes = 256
	// contentBytes is the mean size from which strings are content if a
	// dictionary is of no use, and up to which events have helper columns.
	contentBytes = 128
	// maxDistinct is the number of different values beyond which a dictionary
	// of content is too large.
	maxDistinct = maxDictBytes / contentBytes
	// maxHelperBytes is the longest value that a helper column holds.
	maxHelperBytes = 16 << 10
)

// survey is what a look at all rows of a block finds out: their order, and which
// attributes get columns.
type survey struct {
	limits limits
	rows   []*schema.Span // in the order of schema.Compare; equal ones as they were given
	traces int
	// minStart and maxEnd are the earliest start and the latest start or end,
	// zeros without rows.
	minStart, maxEnd uint64
	valueBytes       int // of all rows, without their resources and scopes

	keys      [numOwners]*keyTable
	resources sharedTable[*schema.Resource]
	scopes    sharedTable[*schema.Scope]
	// resourceValues are the attributes of each resource, by number.
	resourceValues []map[attribute]string
	columns        []fileColumn
	cells          []int // by column: rows with a value, of attributes of spans, events and links
	events, links  int32
	spans, sample  int // rows, and those of which attributes are counted
	step           int // of how many stretches of rows one is counted
}

// keyTable numbers the keys of one owner's attributes.
type keyTable struct {
	index  map[string]int32
	infos  []keyInfo // the first stands for the beginning of a row
	counts []keyCount
}

// keyInfo is what each attribute of the key is looked up for.
type keyInfo struct {
	key string
	// next and other are the keys that stood behind this one the last time and
	// before, guesses that save most look-ups. 0: none.
	next, other int32
	seen        int32           // the last row, event or link with the key, plus one
	outside     int32           // the last row group where it occurs outside of columns, plus one
	columns     [numKinds]int16 // by the directory, plus one; 0: none
	nameable    bool            // may be part of a column's name
}

// keyCount is what the survey finds out about the attributes of one key.
type keyCount struct {
	row      int32               // the last row with the key, plus one
	rows     [numKinds]int32     // with a value of the kind
	bytes    [numKinds]int64     // of these values
	distinct map[uint64]struct{} // hashes of the long ones, up to maxDistinct
	barred   bool                // a value that a helper column cannot hold
}

func newKeyTable() *keyTable {
	return &keyTable{index: map[string]int32{}, infos: make([]keyInfo, 1, 64), counts: make([]keyCount, 1, 64)}
}

// find returns the number of a key that stands behind another one in its row.
func (t *keyTable) find(key []byte, before int32) int32 {
	last := &t.infos[before]
	if t.infos[last.next].key == string(key) && last.next != 0 {
		return last.next
	}
	last.next, last.other = last.other, last.next
	if t.infos[last.next].key == string(key) && last.next != 0 {
		return last.next
	}
	id, ok := t.index[string(key)]
	if !ok {
		id = int32(len(t.infos))
		name := string(key)
		t.index[name] = id
		t.infos = append(t.infos, keyInfo{key: name, nameable: nameable(name)})
		t.counts = append(t.counts, keyCount{})
	}
	t.infos[before].next = id
	return id
}

// nameable reports whether a column may be named after a key.
func nameable(key string) bool {
	return key != "" && len(key) <= maxKeyBytes && utf8.ValidString(key) && strings.IndexByte(key, 0) < 0
}

// scalarKind is the kind of the column that the value of an attribute could
// stand in. Text is that of a string, the whole AnyValue of kindAny.
func scalarKind(value []byte) (kind valueKind, bits uint64, text []byte) {
	return kindOf(otlp.ParseScalar(value), value)
}

// kindOf is scalarKind of a value that was parsed.
func kindOf(v otlp.Scalar, value []byte) (kind valueKind, bits uint64, text []byte) {
	switch v.Kind {
	case schema.KindString:
		if utf8.Valid(v.Text) {
			return kindString, 0, v.Text
		}
	case schema.KindInt:
		return kindInt, v.Bits, nil
	case schema.KindDouble:
		return kindDouble, v.Bits, nil
	case schema.KindBool:
		return kindBool, v.Bits, nil
	case schema.KindEmpty, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return kindAny, 0, value
}

// look surveys the rows of a block, which are those of all pages, in any order.
// Returns ErrTooLarge for rows that cannot be stored.
func look(pages [][]schema.Span, lim limits) (*survey, error) {
	s := &survey{limits: lim}
	for _, page := range pages {
		s.spans += len(page)
	}
	s.step = max(s.spans/lim.sampleRows, 1)
	for o := range s.keys {
		s.keys[o] = newKeyTable()
	}
	s.resources.init(s.spans, resourceContent)
	s.scopes.init(s.spans, scopeContent)
	places, err := s.visit(pages)
	if err != nil {
		return nil, err
	}
	s.arrange(sortPlaces(places))
	for i, row := range s.rows {
		if s.sampled(i) {
			s.sample++
			s.keys[ownerSpan].count(int32(i), row.Attributes)
			s.keys[ownerDerived].count(int32(i), row.Derived)
		}
	}
	s.choose()
	return s, nil
}

// visit looks at what is the same in any order, while the rows lie side by side.
func (s *survey) visit(pages [][]schema.Span) ([]rowPlace, error) {
	places := make([]rowPlace, 0, s.spans)
	for _, page := range pages {
		for i := range page {
			row, number := &page[i], len(places)
			for i, n := range columnBytes(row) {
				if n > maxValueBytes {
					return nil, fmt.Errorf("%w: a row of trace %s has a value of %d bytes", ErrTooLarge, row.TraceID, n)
				}
				if i < sharedBytes {
					s.valueBytes += n
				}
			}
			if number == 0 {
				s.minStart = row.FirstNanos()
			}
			s.minStart, s.maxEnd = min(s.minStart, row.FirstNanos()), max(s.maxEnd, row.LastNanos())
			s.resources.add(resourceOf(row))
			s.scopes.add(scopeOf(row))
			if len(row.Events) > 0 {
				s.countEvents(int32(number), row.Events)
			}
			if len(row.Links) > 0 {
				s.countLinks(int32(number), row.Links)
			}
			places = append(places, newPlace(row, number))
		}
	}
	return places, nil
}

// arrange takes the order of the rows.
func (s *survey) arrange(places []rowPlace) {
	s.rows = make([]*schema.Span, len(places))
	for i := range places {
		s.rows[i] = places[i].row
		if i == 0 || places[i].high != places[i-1].high || places[i].low != places[i-1].low {
			s.traces++
		}
	}
	s.resources.arrange(places)
	s.scopes.arrange(places)
}

// sampled reports whether the attributes of a row are counted: those of all rows
// of a small block, else those of some stretches of rows, as many in all as the
// limit says. Events and links always are, since one value can rule a helper
// column out.
func (s *survey) sampled(row int) bool { return row/stretchRows%s.step == 0 }

const (
	// minSampleRows is the least rows of which it is said what is frequent.
	minSampleRows = 4 << 10
	stretchRows   = 64
)

// count looks at the attributes of a row.
func (t *keyTable) count(row int32, fields []byte) {
	before := int32(0)
	for kv := otlp.SpanKeyValues(fields); kv.Next(); {
		before = t.find(kv.Key, before)
		info := &t.infos[before]
		if info.seen == row+1 {
			continue
		}
		info.seen = row + 1
		if !kv.Canonical || !info.nameable {
			continue
		}
		kind, _, text := scalarKind(kv.Value)
		count := &t.counts[before]
		count.rows[kind]++
		count.bytes[kind] += int64(len(text))
		if len(text) > contentBytes/2 && len(count.distinct) < maxDistinct {
			count.addDistinct(text)
		}
	}
}

// choose decides on the columns: the fixed columns, those of resources, the other attributes,
// and last the wide ones.
func (s *survey) choose() {
	for id := range colAttributes {
		s.columns = append(s.columns, fixedColumn(id))
	}
	for _, a := range s.resourceAttributes() {
		s.columns = append(s.columns, attributeColumn(a, false))
	}
	chosen := s.candidates()
	for _, c := range chosen {
		if !c.content {
			s.place(c)
		}
	}
	for id := colAttributes; id < numColumns; id++ {
		s.columns = append(s.columns, fixedColumn(id))
	}
	for _, c := range chosen {
		if c.content {
			s.place(c)
		}
	}
}

func fixedColumn(id columnID) fileColumn {
	c := &columns[id]
	return fileColumn{name: c.name, id: id, physical: c.physical, optional: c.optional}
}

func attributeColumn(a attribute, content bool) fileColumn {
	return fileColumn{name: a.name(), id: numColumns, attribute: a, physical: kindTypes[a.kind], optional: true, content: content}
}

// place makes a candidate a column.
func (s *survey) place(c candidate) {
	s.cells = append(s.cells, make([]int, len(s.columns)-len(s.cells))...)
	s.columns, s.cells = append(s.columns, attributeColumn(c.attribute, c.content)), append(s.cells, c.rows)
	s.keys[c.owner].infos[c.key].columns[c.kind] = int16(len(s.columns))
}

// candidate is an attribute that may get a column.
type candidate struct {
	attribute

	key     int32 // of the owner's table
	rows    int   // with a value, in the block; may be an estimate
	content bool
}

// candidates returns the attributes that get columns, the most frequent first.
func (s *survey) candidates() []candidate {
	least := max(s.limits.columnRows, s.spans/1000)
	var list []candidate
	for o := ownerSpan; o < numOwners; o++ {
		infos := s.keys[o].infos
		for id := range infos {
			infos[id].seen = 0
			count := &s.keys[o].counts[id]
			for kind, counted := range count.rows {
				a := attribute{o, valueKind(kind), infos[id].key}
				rows := int(counted)
				if kind != int(kindList) && rows > 0 {
					rows = rows * s.spans / s.sample
				}
				if rows >= least && count.suits(a) {
					list = append(list, candidate{a, int32(id), rows, count.content(a)})
				}
			}
		}
	}
	slices.SortFunc(list, func(a, b candidate) int {
		if a.rows != b.rows {
			return b.rows - a.rows
		}
		return a.compare(b.attribute)
	})
	return list[:min(len(list), s.limits.columns)]
}

// compare orders attributes by their names.
func (a attribute) compare(b attribute) int { return strings.Compare(a.name(), b.name()) }

// suits reports whether the values are such that a column can hold them.
func (c *keyCount) suits(a attribute) bool {
	if a.kind != kindList {
		return true
	}
	return !c.barred && c.bytes[kindList] <= contentBytes*int64(c.rows[kindList])
}

func (c *keyCount) addDistinct(text []byte) {
	if c.distinct == nil {
		c.distinct = map[uint64]struct{}{}
	}
	c.distinct[xxhash.Sum64(text)] = struct{}{}
}

// content reports whether values are long and hardly ever the same.
func (c *keyCount) content(a attribute) bool {
	rows, size := int64(c.rows[a.kind]), c.bytes[a.kind]
	if a.kind != kindString && a.kind != kindAny || size <= contentBytes*rows {
		return false
	}
	dict := int64(len(c.distinct)) * (size/rows + 4)
	return dict > maxDictBytes || 2*dict >= size
}
