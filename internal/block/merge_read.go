package block

import (
	"context"
	"math"
)

// read reads the values of a column for ascending rows. No pages and no dictionary
// are kept but what v refers to.
func (g *groupReader) read(ctx context.Context, v *values, c int, rows []int32, scratch *groupScratch) (err error) {
	defer g.reader.guard("rows", &err)
	if err := ctx.Err(); err != nil {
		return err
	}
	var list []extent
	if g.hasDictionary(c) {
		list = append(list, g.chunk(c).dict.extent())
	}
	g.eachRowPage(c, &task{rows: rows}, func(ref pageRef) { list = append(list, ref.extent()) })
	if err := g.fetch(ctx, list); err != nil {
		return err
	}
	if err := g.fetchTextsOf(ctx, []int{c}, rows); err != nil {
		return err
	}
	g.scratch = *scratch
	err = g.load(v, c, rows)
	*scratch, g.scratch = g.scratch, groupScratch{}
	g.window, g.texts, g.dicts[c] = nil, nil, nil
	return err
}

// flatten makes words of codes for numbers.
func (v *values) flatten() {
	if v.dict == nil {
		return
	}
	resize(&v.words, len(v.codes))
	resize(&v.nulls, len(v.codes))
	for i, code := range v.codes {
		v.nulls[i] = code == noCode
		switch {
		case code == noCode:
			v.words[i] = 0
		case v.dict.doubles != nil:
			v.words[i] = math.Float64bits(v.dict.doubles[code])
		default:
			v.words[i] = uint64(v.dict.ints[code])
		}
	}
	v.dict = nil
}

// hold makes sure that texts without a dictionary, which lie in pages of so many
// bytes, do not hold much more memory than they need: pages have those of other
// rows, too. It returns what is free.
func (v *values) hold(pageBytes int) (free []byte) {
	size := 0
	for _, text := range v.bytes {
		size += len(text)
	}
	if 4*size > 3*pageBytes {
		v.raw = nil
		return nil
	}
	memory := make([]byte, 0, size)
	for i, text := range v.bytes {
		if text != nil {
			start := len(memory)
			memory = append(memory, text...)
			v.bytes[i] = memory[start:len(memory):len(memory)]
		}
	}
	free, v.raw = v.raw, nil
	return free
}
