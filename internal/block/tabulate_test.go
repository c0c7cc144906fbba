package block_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/spanlake/spanlake/internal/block"
	"github.com/spanlake/spanlake/internal/objstore"
	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/internal/vec/vectest"
	"github.com/spanlake/spanlake/schema"
)

// told is what a table was told of a field.
type told struct {
	many   bool
	totals []uint64
	values map[string][]uint64
}

// toldTable collects what a table is told.
type toldTable struct {
	cells  int
	fields map[vec.Field]*told
}

func newTold(cells int) *toldTable { return &toldTable{cells, make(map[vec.Field]*told)} }

func (t *toldTable) field(f vec.Field) *told {
	if t.fields[f] == nil {
		t.fields[f] = &told{totals: make([]uint64, t.cells), values: make(map[string][]uint64)}
	}
	return t.fields[f]
}

func (t *toldTable) add(f vec.Field, v schema.Value, cell int32, n uint64) {
	if !countable(v) || n == 0 {
		return
	}
	c, key := t.field(f), fmt.Sprintf("%+v", v)
	if c.values[key] == nil {
		c.values[key] = make([]uint64, t.cells)
	}
	c.values[key][cell] += n
	c.totals[cell] += n
}

func countable(v schema.Value) bool {
	switch v.Kind {
	case schema.KindEmpty, schema.KindBytes, schema.KindMap:
		return false
	default:
		return v.Kind != schema.KindArray || len(v.Array) > 0
	}
}

func (t *toldTable) TellsApart(f vec.Field) bool { return t.fields[f] == nil || !t.fields[f].many }

func (t *toldTable) Value(f vec.Field, v schema.Value, counts []uint32) error {
	for cell, n := range counts {
		t.add(f, v, int32(cell), uint64(n))
	}
	return nil
}

func (t *toldTable) Many(f vec.Field, counts []uint32) error {
	c := t.field(f)
	c.many = true
	for cell, n := range counts {
		c.totals[cell] += uint64(n)
	}
	return nil
}

func (t *toldTable) Attributes(scope vec.Scope, attributes []schema.Attribute, counts []uint32) error {
	for i, a := range attributes {
		if !slices.ContainsFunc(attributes[:i], func(b schema.Attribute) bool { return b.Key == a.Key }) {
			_ = t.Value(vec.Field{Scope: scope, Key: a.Key}, a.Value, counts)
		}
	}
	return nil
}

func (t *toldTable) One(f vec.Field, v schema.Value, cell int32) error {
	t.add(f, v, cell, 1)
	return nil
}

func (t *toldTable) Members(events, links []byte, cell int32) error {
	t.add(vec.Field{Scope: vec.ScopeEvent}, schema.Value{Kind: schema.KindString, Str: string(events) + "|" + string(links)}, cell, 1)
	return nil
}

// tabulation is a random one, with cells by start and selection.
func tabulation(rng *rand.Rand, spans []schema.Span) *vec.Tabulation {
	sampling := vectest.Sampling(rng, spans)
	t := &vec.Tabulation{
		Filter: sampling.Filter, Selection: vectest.Filter(rng, rng.IntN(2)), Until: math.MaxUint64,
		Except: sampling.Except, Folded: sampling.Folded, Cells: 6, MaxValues: 1000, MaxText: 256,
		Cell: func(start uint64, selected bool) int32 {
			cell := int32(start%4) - 1 // negative: in none
			if selected && cell >= 0 {
				cell += 3
			}
			return cell
		},
	}
	if rng.IntN(2) == 0 {
		t.MaxValues, t.MaxText = 1+rng.IntN(4), 3+rng.IntN(6)
	}
	for i := range t.Folded {
		kin := &vec.Kin{RootName: "root of " + t.Folded[i].ID.String()[:3], RootService: "service"}
		for range rng.IntN(9) {
			kin.Children = append(kin.Children, rng.Int32N(400))
		}
		t.Folded[i].Kin = kin
	}
	return t
}

// eachTold calls f with the rows that count, their cells, and what is known of
// their traces.
func eachTold(t *vec.Tabulation, sorted []schema.Span, left []schema.TraceID, f func(s *schema.Span, cell, row int32, known *vec.Folded)) {
	row := int32(-1) // of its trace
	for i := range sorted {
		s := &sorted[i]
		if row++; i > 0 && sorted[i-1].TraceID != s.TraceID {
			row = 0
		}
		var known *vec.Folded
		if at := slices.IndexFunc(t.Folded, func(f vec.Folded) bool { return f.ID == s.TraceID }); at >= 0 {
			known = &t.Folded[at]
		}
		out := slices.Contains(left, s.TraceID) || known != nil && slices.Contains(known.Out, row)
		if cell := t.Cell(s.StartNanos, vectest.Holds(t.Selection, s)); cell >= 0 && !out && vectest.Holds(t.Filter, s) {
			f(s, cell, row, known)
		}
	}
}

// bruteTable is what a table has to be told of rows, sorted, without traces left.
func bruteTable(t *vec.Tabulation, sorted []schema.Span, left []schema.TraceID) *toldTable {
	table := newTold(t.Cells)
	fields := make(map[vec.Field]bool)
	intrinsic := func(key string, v schema.Value, cell int32) {
		table.add(vec.Field{Scope: vec.ScopeIntrinsic, Key: key}, v, cell, 1)
	}
	eachTold(t, sorted, left, func(s *schema.Span, cell, row int32, known *vec.Folded) {
		for _, attributes := range [][]byte{s.Attributes, s.Derived} {
			for key := range otlp.Attributes(attributes) {
				fields[vec.Field{Scope: vec.ScopeSpan, Key: key}] = true
			}
		}
		for _, a := range otlp.ResourceAttributes(s.Resource) {
			fields[vec.Field{Scope: vec.ScopeResource, Key: a.Key}] = true
		}
		for _, a := range otlp.ScopeAttributes(s.Scope) {
			fields[vec.Field{Scope: vec.ScopeInstrumentation, Key: a.Key}] = true
		}
		intrinsic(vec.Name, schema.Value{Kind: schema.KindString, Str: s.Name}, cell)
		if known != nil {
			children := int64(0)
			if int(row) < len(known.Kin.Children) {
				children = int64(known.Kin.Children[row])
			}
			intrinsic(vec.ChildCount, schema.Value{Kind: schema.KindInt, Int: children}, cell)
			intrinsic(vec.RootName, schema.Value{Kind: schema.KindString, Str: known.Kin.RootName}, cell)
		}
		if len(s.Events)+len(s.Links) > 0 {
			_ = table.Members(s.Events, s.Links, cell)
		}
	})
	eachTold(t, sorted, left, func(s *schema.Span, cell, _ int32, _ *vec.Folded) {
		for f := range fields {
			table.add(f, vectest.ColumnValue(vec.Column{f}, s), cell, 1)
		}
	})
	return table
}

// What a block counts is what brute force says of its rows: with dictionaries and
// without, in columns and outside of them, told apart or not, of traces that are
// in other blocks too, from the cache and not.
func TestTablesAreExact(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	shapes := []struct {
		rows   int
		limits block.Limits
	}{
		{1, block.Limits{}},
		{150, block.Limits{PageRows: 16, GroupRows: 50}},
		{600, block.Limits{PageRows: 77, FrameBytes: 13, GroupRows: 300, ColumnRows: 1}},
		{600, block.Limits{PageRows: 64, Columns: 3, ColumnRows: 1}},
	}
	for range 24 / thinning {
		tt := shapes[rng.IntN(len(shapes))]
		spans := vectest.Spans(rng, tt.rows)
		slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
		o, err := block.EncodeLimited(project, spans, tt.limits)
		require.NoError(t, err)
		r, err := block.NewCache(1<<20).Open(t.Context(), memory(o.Data), keyOf(o))
		require.NoError(t, err)
		for range 12 {
			tab := tabulation(rng, spans)
			got := newTold(tab.Cells)
			left, err := r.Tabulate(t.Context(), tab, got)
			require.NoError(t, err)
			for _, f := range tab.Folded {
				require.False(t, slices.Contains(left, f.ID) && !slices.Contains(tab.Except, f.ID), "a trace of which all is known")
			}
			requireTable(t, tab, bruteTable(tab, spans, left), got)
		}
	}
}

func requireTable(t *testing.T, tab *vec.Tabulation, want, got *toldTable) {
	t.Helper()
	for f, w := range want.fields {
		if len(w.values) == 0 {
			continue
		}
		g := got.fields[f]
		require.NotNil(t, g, "%v", f)
		if f.Scope == vec.ScopeIntrinsic && f.Key != vec.Name {
			for value, counts := range w.values { // of other traces the rows say it
				for cell, n := range counts {
					require.True(t, g.many || g.values[value][cell] >= n, "%v %s", f, value)
				}
			}
			continue
		}
		require.Equal(t, w.totals, g.totals, "%v", f)
		if !g.many {
			require.Equal(t, w.values, g.values, "%v", f)
			continue
		}
		long := false
		for value := range w.values {
			long = long || len(value) > tab.MaxText
		}
		require.True(t, len(w.values) > tab.MaxValues || long, "%v has few values", f)
	}
}

// readBytes counts what is read of a block.
type readBytes struct {
	memory

	bytes int
}

func (r *readBytes) Get(ctx context.Context, key string, opts objstore.GetOptions) ([]byte, objstore.Object, error) {
	data, object, err := r.memory.Get(ctx, key, opts)
	r.bytes += len(data)
	return data, object, err
}

// Of texts that are not worth telling apart, which the cache does not take, it is
// remembered that they are, so that they are read once.
func TestTablesRememberTexts(t *testing.T) {
	for _, tt := range []struct {
		name string
		text func(i int) string
		many bool
	}{
		{"long", func(i int) string { return strings.Repeat(fmt.Sprint(i, " "), 200) }, true},
		{"different", func(i int) string { return strconv.Itoa(i) + strings.Repeat("-", 240) }, true},
		{"few", func(i int) string { return strconv.Itoa(i%5) + strings.Repeat("-", 240) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			spans := vectest.Spans(rng, 3000)
			for i := range spans {
				spans[i].Attributes, spans[i].Fragment = nil, schema.FragmentNone
				if i%3 == 0 {
					value := schema.Value{Kind: schema.KindString, Str: tt.text(i)}
					spans[i].Attributes = otlp.AppendKeyValue(nil, 9, "document", value)
				}
			}
			slices.SortStableFunc(spans, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
			o, err := block.EncodeLimited(project, spans, block.Limits{})
			require.NoError(t, err)
			bucket := &readBytes{memory: bytes.Clone(o.Data)}
			r, err := block.NewCache(64<<20).Open(t.Context(), bucket, keyOf(o))
			require.NoError(t, err)
			tab := &vec.Tabulation{
				Filter: &vec.Filter{Op: vec.OpTrue}, Selection: &vec.Filter{Op: vec.OpFalse}, Until: math.MaxUint64,
				Cells: 1, Cell: func(uint64, bool) int32 { return 0 }, MaxValues: 100, MaxText: 256,
			}
			var tables []*toldTable
			var read []int
			for range 3 {
				before, table := bucket.bytes, newTold(1)
				left, err := r.Tabulate(t.Context(), tab, table)
				require.NoError(t, err)
				requireTable(t, tab, bruteTable(tab, spans, left), table)
				tables, read = append(tables, table), append(read, bucket.bytes-before)
			}
			require.Equal(t, tt.many, tables[0].fields[vec.Field{Scope: vec.ScopeSpan, Key: "document"}].many)
			require.Equal(t, tables[0], tables[1])
			require.Equal(t, tables[0], tables[2])
			if tt.many {
				require.Zero(t, read[2])
			}
		})
	}
}
