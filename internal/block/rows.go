package block

import (
	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/schema"
)

// groupReader turns fetched pages of one row group into rows. It is used by
// one goroutine at a time.
type groupReader struct {
	reader  *Reader
	group   *rowGroup
	ordinal int
	set     ColumnSet
	fetched pieces

	dicts     [numColumns]dictionary
	resources map[resourceKey]*schema.Resource
	scopes    map[scopeKey]*schema.Scope
	scratch   rowScratch
}

// dictionary is a decoded dictionary page. Only the field of the column's type
// is set.
type dictionary struct {
	loaded  bool
	texts   []string
	numbers []int32
	traces  []byte // 16 bytes each
}

// rowScratch is memory that pages use one after another.
type rowScratch struct {
	codes   [numColumns][]uint32
	levels  []uint32
	starts  []int64
	ints    []int64
	numbers []int32
	values  [][]byte
}

func (r *Reader) groupReader(ordinal int, set ColumnSet) *groupReader {
	return &groupReader{
		reader: r, group: &r.dir.groups[ordinal], ordinal: ordinal, set: set,
		resources: map[resourceKey]*schema.Resource{},
		scopes:    map[scopeKey]*schema.Scope{},
	}
}

// selected reports whether the block has the column and the rows need it.
func (g *groupReader) selected(id columnID) bool {
	return g.group.chunks[id].present && g.set.has(id)
}

// extents lists what the given pages need of the selected columns.
func (g *groupReader) extents(from, to int) []extent {
	var list []extent
	for id := range numColumns {
		if !g.selected(id) {
			continue
		}
		c := &g.group.chunks[id]
		if c.encoding == encodingCodes && !g.dicts[id].loaded {
			list = append(list, extent{c.dict.offset, c.dict.end()})
		}
		list = append(list, extent{c.pages[from].offset, c.pages[to-1].end()})
	}
	return list
}

// load decodes the dictionaries that are still missing.
func (g *groupReader) load() error {
	for id := range numColumns {
		c := &g.group.chunks[id]
		if !g.selected(id) || c.encoding != encodingCodes || g.dicts[id].loaded {
			continue
		}
		if err := g.loadDictionary(id); err != nil {
			return err
		}
	}
	return nil
}

func (g *groupReader) loadDictionary(id columnID) error {
	c := &g.group.chunks[id]
	raw, err := g.dictionary(id)
	if err != nil {
		return err
	}
	d := dictionary{loaded: true}
	switch columns[id].physical {
	case physicalFixed16:
		d.traces = raw
		if len(raw) != 16*c.entries {
			err = errStructure
		}
	case physicalInt32:
		d.numbers = make([]int32, c.entries)
		err = encoding.DecodeInt32s(d.numbers, raw)
	case physicalBytes:
		d.texts, err = splitTexts(raw, c.entries)
	default:
		err = errStructure
	}
	if err != nil {
		return g.corrupt(id, "dictionary", c.dict, err)
	}
	g.dicts[id] = d
	return nil
}

func splitTexts(raw []byte, n int) ([]string, error) {
	if n > len(raw)/encoding.LengthBytes {
		return nil, errStructure
	}
	texts := make([]string, n)
	return texts, encoding.SplitBytes(texts, string(raw))
}

// times decodes the start and end of a page's rows. REQUIRES: len(dst) is the
// number of rows of the page.
func (g *groupReader) times(p int, dst []schema.Span) error {
	starts, err := g.int64s(colStart, p, &g.scratch.starts)
	if err != nil {
		return err
	}
	durations, err := g.int64s(colDuration, p, &g.scratch.ints)
	if err != nil {
		return err
	}
	for i := range dst {
		dst[i].StartNanos = uint64(starts[i])
		dst[i].EndNanos = uint64(starts[i] + durations[i])
	}
	return nil
}

func (g *groupReader) int64s(id columnID, p int, scratch *[]int64) ([]int64, error) {
	data, err := g.page(id, p)
	if err != nil {
		return nil, err
	}
	values := resize(scratch, data.rows)
	if g.group.chunks[id].encoding == encodingDelta {
		err = encoding.DecodeDelta(values, data.body)
	} else {
		err = encoding.DecodeInt64s(values, data.body)
	}
	if err != nil {
		return nil, g.corruptPage(id, p, err)
	}
	return values, nil
}

func (g *groupReader) corruptPage(id columnID, p int, err error) error {
	return g.corrupt(id, pageName(p), g.group.chunks[id].pages[p], err)
}

// rest decodes everything but the times into dst, whose first row is row
// number skip of the page.
func (g *groupReader) rest(p int, dst []schema.Span, skip int) error {
	fill := [...]func(p int, dst []schema.Span, skip int) error{
		g.traceIDs, g.spanIDs, g.parents, g.positions, g.kinds, g.texts, g.owners, g.payloads,
	}
	for _, f := range fill {
		if err := f(p, dst, skip); err != nil {
			return err
		}
	}
	return nil
}

func (g *groupReader) traceIDs(p int, dst []schema.Span, skip int) error {
	codes, err := g.pageCodes(colTraceID, p)
	if err != nil {
		return err
	}
	dict := g.dicts[colTraceID].traces
	for i := range dst {
		copy(dst[i].TraceID[:], dict[16*codes[skip+i]:])
	}
	return nil
}

// pageCodes decodes the codes of a page, valid until the next page.
func (g *groupReader) pageCodes(id columnID, p int) ([]uint32, error) {
	data, err := g.page(id, p)
	if err != nil {
		return nil, err
	}
	codes, err := g.codes(id, data, &g.scratch.codes[id])
	if err != nil {
		return nil, g.corruptPage(id, p, err)
	}
	return codes, nil
}

func (g *groupReader) spanIDs(p int, dst []schema.Span, skip int) error {
	data, err := g.page(colSpanID, p)
	if err != nil {
		return err
	}
	if len(data.body) != 8*data.rows {
		return g.corruptPage(colSpanID, p, errStructure)
	}
	for i := range dst {
		copy(dst[i].SpanID[:], data.body[8*(skip+i):])
	}
	return nil
}

func (g *groupReader) parents(p int, dst []schema.Span, skip int) error {
	if !g.selected(colParentSpanID) {
		return nil
	}
	data, err := g.page(colParentSpanID, p)
	if err != nil {
		return err
	}
	defined, n, err := g.defined(data)
	if err != nil || len(data.body) != 8*n {
		return g.corruptPage(colParentSpanID, p, errStructure)
	}
	body := data.body
	for row := range skip + len(dst) {
		if defined != nil && defined[row] == 0 {
			continue
		}
		if row >= skip {
			copy(dst[row-skip].ParentSpanID[:], body)
		}
		body = body[8:]
	}
	return nil
}

func (g *groupReader) positions(p int, dst []schema.Span, skip int) error {
	if !g.selected(colPosition) {
		return nil
	}
	values, err := g.int64s(colPosition, p, &g.scratch.ints)
	if err != nil {
		return err
	}
	for i := range dst {
		dst[i].Position = uint64(values[skip+i])
	}
	return nil
}

func (g *groupReader) kinds(p int, dst []schema.Span, skip int) error {
	for _, id := range [...]columnID{colKind, colStatusCode, colFlags} {
		if !g.selected(id) {
			continue
		}
		values, err := g.int32s(id, p)
		if err != nil {
			return err
		}
		values = values[skip:]
		for i := range dst {
			switch id {
			case colKind:
				dst[i].Kind = values[i]
			case colStatusCode:
				dst[i].StatusCode = values[i]
			default:
				dst[i].Flags = uint32(values[i])
			}
		}
	}
	return nil
}

// int32s decodes a page, valid until the next call.
func (g *groupReader) int32s(id columnID, p int) ([]int32, error) {
	if g.group.chunks[id].encoding == encodingCodes {
		codes, err := g.pageCodes(id, p)
		if err != nil {
			return nil, err
		}
		values := resize(&g.scratch.numbers, len(codes))
		for i, c := range codes {
			values[i] = g.dicts[id].numbers[c]
		}
		return values, nil
	}
	data, err := g.page(id, p)
	if err != nil {
		return nil, err
	}
	values := resize(&g.scratch.numbers, data.rows)
	if err := encoding.DecodeInt32s(values, data.body); err != nil {
		return nil, g.corruptPage(id, p, err)
	}
	return values, nil
}

// payloads decodes the columns of wire fragments. The values share the memory
// of the decompressed page.
func (g *groupReader) payloads(p int, dst []schema.Span, skip int) error {
	for _, id := range [...]columnID{colAttributes, colEvents, colLinks, colRest} {
		if !g.selected(id) {
			continue
		}
		if err := g.payload(id, p, dst, skip); err != nil {
			return err
		}
	}
	return nil
}

func (g *groupReader) payload(id columnID, p int, dst []schema.Span, skip int) error {
	data, err := g.page(id, p)
	if err != nil {
		return err
	}
	defined, n, err := g.defined(data)
	if err != nil {
		return g.corruptPage(id, p, err)
	}
	values := resize(&g.scratch.values, n)
	if err := encoding.SplitBytes(values, data.body); err != nil {
		return g.corruptPage(id, p, err)
	}
	next := 0
	for row := range skip + len(dst) {
		if defined != nil && defined[row] == 0 {
			continue
		}
		if row >= skip {
			*payloadField(&dst[row-skip], id) = values[next]
		}
		next++
	}
	return nil
}

func payloadField(s *schema.Span, id columnID) *[]byte {
	switch id {
	case colAttributes:
		return &s.Attributes
	case colEvents:
		return &s.Events
	case colLinks:
		return &s.Links
	default: // colRest
		return &s.Rest
	}
}
