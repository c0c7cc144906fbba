package block

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block/encoding"
	"github.com/spanlake/spanlake/internal/block/verdict"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// FuzzTraceTable reads tables of traces. What can be read is written again as
// something that reads the same.
func FuzzTraceTable(f *testing.F) {
	table := traceTable{rows: []int64{3, 1}, starts: []int64{-5, 1 << 60}, lasts: []int64{4, 0}, ends: []int64{9, 0}, roots: []int64{3, 0}}
	f.Add(table.appendTo(nil), uint8(2), uint8(4))
	f.Fuzz(func(t *testing.T, b []byte, n, rows uint8) {
		var table, again traceTable
		if table.parse(b, int(n)) != nil {
			return
		}
		require.NoError(t, again.parse(table.appendTo(nil), int(n)))
		require.Equal(t, table, again)
		first, err := table.firstRows(nil, 0, int(rows))
		if err != nil {
			return
		}
		require.Len(t, first, int(n)+1)
		require.IsIncreasing(t, append(first, int(rows)+1))
	})
}

// fuzzedGroup is a row group of one page of n rows, whose columns of the
// catalogue are all absent, and one column more.
func fuzzedGroup(n int, c fileColumn, k chunk) *groupReader {
	dir := &directory{columns: []fileColumn{c}, groups: []rowGroup{{
		pages: []int{0, n}, chunks: []chunk{k},
	}}}
	index, _ := indexColumns(dir.columns)
	return &groupReader{reader: &Reader{dir: dir, columns: index}, group: &dir.groups[0], dicts: make([]*dictionary, 1)}
}

// FuzzPage reads any bytes as a page of any column, for all rows, for some, and
// for a predicate on any: no panic, and the three must agree.
func FuzzPage(f *testing.F) {
	f.Add([]byte{3, 0xff, 2, 0, 1, 3, 2}, uint8(2), uint8(8), uint8(kindString), uint8(encodingCodes), uint8(3))
	f.Add([]byte{2, 8, 1, 1, 0, 0, 0, 'a'}, uint8(2), uint8(4), uint8(kindString), uint8(encodingPlain), uint8(3))
	f.Add([]byte{0x80, 1, 4, 2, 6, 2, 0, 0, 0, 0}, uint8(0), uint8(2), uint8(kindInt), uint8(encodingDelta), uint8(3))
	f.Add([]byte{2, 16, 1, 0xa5}, uint8(2), uint8(8), uint8(kindBool), uint8(encodingPlain), uint8(3))
	f.Add(make([]byte, 66), uint8(2), uint8(8), uint8(kindDouble), uint8(encodingPlain), uint8(3))
	f.Fuzz(func(t *testing.T, stored []byte, levels, n, kind, enc, entries uint8) {
		a := attribute{owner: ownerSpan, kind: valueKind(kind) % numKinds, key: "k"}
		c := fileColumn{id: numColumns, attribute: a, physical: kindTypes[a.kind], optional: true}
		k := chunk{encoding: pageEncoding(enc) % numEncodings, entries: int(entries)}
		if n == 0 || int(levels) > len(stored) || !c.physical.allows(k.encoding) {
			return
		}
		ref := pageRef{size: uint32(len(stored)), raw: uint32(len(stored) - int(levels)), sum: pageSum(stored), levels: uint16(levels)}
		k.pages = []pageRef{ref}
		g := fuzzedGroup(int(n), c, k)
		g.kept = pieces{{data: stored}}
		if k.encoding == encodingCodes {
			g.dicts[0] = fuzzedDictionary(int(entries))
		}
		rows := make([]int32, n)
		for i := range rows {
			rows[i] = int32(i)
		}
		var all, one values
		if g.load(&all, 0, rows) != nil {
			return
		}
		for i := range rows {
			require.NoError(t, g.load(&one, 0, rows[i:i+1]))
			requireSameValue(t, &c, &all, &one, i)
		}
		requireSameMatches(t, g, &c, &all, int(n))
	})
}

// FuzzFrame reads any bytes as a frame of content, and any as codes of it: reading
// all rows, one of them, and a predicate must agree.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 'a', 2, 0, 0, 0, 'b', 'c'}, []byte{1, 3, 0b10}, uint8(2), uint8(2), true)
	f.Add([]byte{0, 0, 0, 0}, []byte{0, 4}, uint8(2), uint8(1), true)
	f.Add([]byte{9, 0, 0, 0}, []byte{0, 4}, uint8(2), uint8(1), false)
	f.Fuzz(func(t *testing.T, frameRaw, codes []byte, n, entries uint8, compressed bool) {
		if n == 0 || entries == 0 || len(frameRaw) < encoding.LengthBytes*int(entries) {
			return
		}
		c := fileColumn{
			id: numColumns, attribute: attribute{ownerSpan, kindString, "k"}, physical: physicalBytes, optional: true, content: true,
		}
		stored := frameRaw
		if compressed {
			stored = sharedCodec().compress(nil, frameRaw)
		}
		levels := encoding.AppendLevels(nil, vec.FullBitmap(int(n)), int(n))
		page := append(levels, codes...)
		k := chunk{encoding: encodingCodes, compressed: true, entries: int(entries)}
		k.pages = []pageRef{{size: uint32(len(page)), raw: uint32(len(codes)), levels: uint16(len(levels)), sum: pageSum(page)}}
		k.frames = []frame{{
			offset: 1 << 20, n: uint32(entries), size: uint32(len(stored)), raw: uint32(len(frameRaw)), sum: pageSum(stored),
		}}
		g := fuzzedGroup(int(n), c, k)
		g.kept, g.texts = pieces{{data: page}}, pieces{{offset: 1 << 20, data: stored}}
		rows := make([]int32, n)
		for i := range rows {
			rows[i] = int32(i)
		}
		var all, one values
		if g.load(&all, 0, rows) != nil {
			return
		}
		for i := range rows {
			require.NoError(t, g.load(&one, 0, rows[i:i+1]))
			requireSameValue(t, &c, &all, &one, i)
		}
		requireSameMatches(t, g, &c, &all, int(n))
	})
}

// requireSameMatches decides a predicate on the page and on its values.
func requireSameMatches(t *testing.T, g *groupReader, c *fileColumn, all *values, n int) {
	t.Helper()
	p := &vec.Predicate{
		Text:  func(s string) bool { return len(s)%2 == 0 },
		Int:   func(i int64) bool { return i >= 0 },
		Float: func(f float64) bool { return f >= 0 },
		Bool:  func(b bool) bool { return b },
	}
	if n%2 == 0 {
		p.Between = &vec.Interval{Most: math.MaxInt64}
	}
	kinds := [numKinds]placeKind{kindInt: placeInts, kindDouble: placeDoubles, kindBool: placeBools}
	pl := place{kind: kinds[c.attribute.kind], text: true, decide: verdict.Text(p)}
	holds := make([]bool, g.chunk(0).entries)
	for i := range holds {
		holds[i] = i%3 == 0
	}
	pl.holds = encoding.NewCodeSet(holds)
	open, held := vec.FullBitmap(n), vec.NewBitmap(n)
	s := &selector{groupReader: g, fetchFrames: func([]extent) error { return nil }}
	if g.framed(0) {
		require.NoError(t, s.decideTexts(&pl, 0, 1, open))
	}
	require.NoError(t, s.testPage(&pl, p, 0, open, held))
	for i := range n {
		var present, want bool
		switch {
		case all.dict != nil:
			present = all.codes[i] != noCode
			want = present && holds[all.codes[i]]
		case c.physical == physicalBytes:
			present = all.text(i) != nil
			want = present && p.Text(string(all.text(i)))
		default:
			var v uint64
			v, present = all.word(i)
			want = present && (pl.kind == placeInts && p.Int(int64(v)) ||
				pl.kind == placeDoubles && p.Float(math.Float64frombits(v)) || pl.kind == placeBools && v != 0)
		}
		require.Equal(t, present, !open.Has(i), "row %d", i)
		require.Equal(t, want, held.Has(i), "row %d", i)
	}
}

func fuzzedDictionary(n int) *dictionary {
	return &dictionary{texts: make([][]byte, n), ints: make([]int64, n)}
}

func requireSameValue(t *testing.T, c *fileColumn, all, one *values, i int) {
	t.Helper()
	if all.dict != nil {
		require.Equal(t, all.codes[i], one.codes[0])
		return
	}
	if c.physical == physicalBytes {
		require.Equal(t, all.text(i), one.text(0))
		return
	}
	v, ok := all.word(i)
	w, same := one.word(0)
	require.Equal(t, ok, same)
	require.Equal(t, v, w)
}

// FuzzShape puts rows together by any shape.
func FuzzShape(f *testing.F) {
	f.Add([]byte{1, 0, 2}, []byte{0x4a, 0})
	f.Add([]byte{0, 0, 1}, []byte{0x4a, 0, 0x4a, 2, 1, 1})
	f.Add([]byte{}, []byte("anything"))
	f.Fuzz(func(t *testing.T, shape, rest []byte) {
		columns := []fileColumn{
			{id: numColumns, attribute: attribute{ownerSpan, kindString, "a"}, physical: physicalBytes, optional: true},
			{id: numColumns, attribute: attribute{ownerDerived, kindInt, "b"}, physical: physicalInt64, optional: true},
			{id: numColumns, attribute: attribute{ownerSpan, kindInt, "c"}, physical: physicalInt64, optional: true},
		}
		for id := range numColumns {
			columns = append(columns, fixedColumn(id))
		}
		dir := &directory{columns: columns, groups: []rowGroup{{pages: []int{0, 1}, chunks: make([]chunk, len(columns))}}}
		for i := range columns {
			dir.groups[0].chunks[i].pages = make([]pageRef, 1)
		}
		index, ok := indexColumns(columns)
		require.True(t, ok)
		r := &Reader{dir: dir, columns: index}
		g := &groupReader{reader: r, group: &dir.groups[0], dicts: make([]*dictionary, len(columns))}
		var a assembler
		a.init(g, &r.wanted(vec.AllColumns()).spans)
		items, err := a.parseShape(g, nil, shape)
		if err != nil {
			require.ErrorIs(t, err, ErrCorrupt)
			return
		}
		a.rests.bytes = [][]byte{rest}
		a.column(g, 0).values = values{bytes: [][]byte{[]byte("text")}}
		a.column(g, 2).values = values{words: []uint64{7}, nulls: []bool{false}}
		row, err := a.appendRow(nil, items, 0)
		if err != nil {
			return
		}
		if len(items) == 0 {
			require.Equal(t, string(rest), string(row))
		}
		require.GreaterOrEqual(t, len(row), len(rest))
	})
}

// FuzzDirectory reads directories and their lists of pages; what can be read is
// written again as something that reads the same.
func FuzzDirectory(f *testing.F) {
	spans := []schema.Span{{TraceID: schema.TraceID{1}, Attributes: []byte{0x4a, 0x07, 0x0a, 0x01, 'k', 0x12, 0x02, 0x18, 0x07}}}
	for n := range 2 {
		o, err := Encode("p", spans[:n])
		require.NoError(f, err)
		f.Add(o.Data[len(o.Data)-o.TailBytes+tailSumBytes:])
	}
	var texts []schema.Span
	for i := range 9 {
		text := strings.Repeat(string(rune('a'+i)), 200)
		fields := otlp.AppendKeyValue(nil, spanAttributes, "content", schema.Value{Kind: schema.KindString, Str: text})
		texts = append(texts, schema.Span{TraceID: schema.TraceID{1}, Attributes: fields})
	}
	lim := defaultLimits()
	lim.frameBytes = 500
	o, err := encode("p", [][]schema.Span{texts}, lim)
	require.NoError(f, err)
	f.Add(o.Data[len(o.Data)-o.TailBytes+tailSumBytes:])
	f.Fuzz(func(t *testing.T, b []byte) {
		d, rest, err := parseDirectory(b)
		if err != nil {
			return
		}
		again, _, err := parseDirectory(append(d.appendTo(nil), rest...))
		require.NoError(t, err)
		require.Equal(t, d, again)
		listed := readLists(t, d)
		require.Equal(t, listed, readLists(t, again))
		if !listed {
			return
		}
		forgetLists(d)
		written, _, err := parseDirectory(append(d.appendTo(nil), rest...))
		require.NoError(t, err)
		require.True(t, readLists(t, written))
		forgetLists(written)
		require.Equal(t, d, written)
	})
}

// readLists reads all lists of pages, and is false if one is damaged.
func readLists(t *testing.T, d *directory) bool {
	t.Helper()
	for i := range d.groups {
		for c := range d.groups[i].chunks {
			k := &d.groups[i].chunks[c]
			if k.list == nil {
				require.True(t, k.absent)
				continue
			}
			parts, first, err := k.list.get()
			if err != nil {
				return false
			}
			pages := parts.pages
			require.True(t, first)
			require.Equal(t, extent{pages[0].offset, pages[len(pages)-1].end()}, k.list.extent)
			_, first, err = k.list.get()
			require.NoError(t, err)
			require.False(t, first)
		}
	}
	return true
}

// forgetLists puts the pages where a writer has them.
func forgetLists(d *directory) {
	for i := range d.groups {
		for c := range d.groups[i].chunks {
			if k := &d.groups[i].chunks[c]; k.list != nil {
				parts := k.list.read.Load()
				k.pages, k.frames, k.list = parts.pages, parts.frames, nil
			}
		}
	}
}
