package block

import (
	"context"
	"math"
	"slices"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// resources counts the attributes of resources, each resource once.
func (t *tabulator) resources(ctx context.Context) error {
	return t.messages(ctx, colResource, func(wire []byte, counts []uint32) error {
		return t.table.Attributes(vec.ScopeResource, otlp.ResourceAttributes(&schema.Resource{Wire: wire}), counts)
	})
}

// scopes counts the attributes of instrumentation scopes, likewise.
func (t *tabulator) scopes(ctx context.Context) error {
	return t.messages(ctx, colScope, func(wire []byte, counts []uint32) error {
		return t.table.Attributes(vec.ScopeInstrumentation, otlp.ScopeAttributes(&schema.Scope{Wire: wire}), counts)
	})
}

// messages counts the messages of a column of the catalogue.
func (t *tabulator) messages(ctx context.Context, id columnID, f func(wire []byte, counts []uint32) error) error {
	t.tally.reset(math.MaxInt, math.MaxInt)
	if c := t.fixed(id); !t.chunk(c).absent {
		counter := &columnCounter{tabulator: t, number: c, kind: kindString}
		if err := t.eachPageOf(ctx, c, func(p, from, n int) error { return counter.page(ctx, p, from, n) }); err != nil {
			return err
		}
	}
	// Rows without a message have an empty one.
	none := make([]uint32, t.Cells)
	t.eachCounted(0, t.group.rows(), func(row int) { none[t.cells[row]]++ })
	for slot := 1; slot < len(t.tally.values); slot++ {
		counts := t.tally.of(int32(slot))
		for cell, n := range counts {
			none[cell] -= n
		}
		if err := f([]byte(t.tally.values[slot].Str), counts); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(none, func(n uint32) bool { return n > 0 }) {
		return f(nil, none)
	}
	return nil
}

// eachCounted calls f with the rows of [from, to) that count.
func (t *tabulator) eachCounted(from, to int, f func(row int)) {
	for row := t.counted.Next(from); row < to; row = t.counted.Next(row + 1) {
		f(row)
	}
}

// roots counts the names and services of the roots of the rows' traces.
func (t *tabulator) roots(ctx context.Context) error {
	var rows []int32 // of the roots
	for _, tr := range t.traces {
		if tr.kin == nil && tr.root >= 0 {
			rows = append(rows, tr.root)
		}
	}
	err := t.rootField(ctx, vec.RootName, vec.Name, rows, func(k *vec.Kin) string { return k.RootName })
	if err != nil {
		return err
	}
	return t.rootField(ctx, vec.RootService, vec.ServiceName, rows, func(k *vec.Kin) string { return k.RootService })
}

func (t *tabulator) rootField(ctx context.Context, key, column string, rows []int32, given func(*vec.Kin) string) error {
	c := t.newCoder(vec.Column{{Scope: vec.ScopeIntrinsic, Key: column}})
	columns := c.appendColumns(nil)
	wanted := t.missingDictionaries(columns)
	for _, column := range columns {
		t.eachRowPage(column, &task{rows: rows}, func(ref pageRef) { wanted = append(wanted, ref.extent()) })
	}
	if err := t.fetch(ctx, wanted); err != nil {
		return err
	}
	codes, err := c.codes(t.groupReader, rows)
	if err != nil {
		return err
	}
	t.tally.reset(t.MaxValues, t.MaxText)
	for _, tr := range t.traces {
		text := ""
		switch {
		case tr.kin != nil:
			text = given(tr.kin)
		case tr.root >= 0:
			text = c.dictionary.Values[codes[0]].Str
			codes = codes[1:]
		}
		slot := t.tally.ofText(text)
		t.eachCounted(tr.first, tr.end, func(row int) { t.tally.of(slot)[t.cells[row]]++ })
	}
	return t.tally.give(vec.Field{Scope: vec.ScopeIntrinsic, Key: key}, t.table)
}
