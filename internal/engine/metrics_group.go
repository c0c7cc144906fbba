package engine

import (
	"cmp"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"sync/atomic"

	"github.com/spanlake/spanlake/schema"
)

var (
	// ErrTooManySeries means that a metrics query makes more groups than
	// MetricsOptions.MaxSeries: group by less, or filter more.
	ErrTooManySeries = errors.New("too many series")
	// ErrTooManySteps means that a range has more steps than
	// MetricsOptions.MaxSteps: ask for a longer step.
	ErrTooManySteps = errors.New("too many steps")
	// ErrTooMuchMemory means that a metrics query needs more than
	// MetricsOptions.MaxBytes: ask for a longer step, or group by less.
	ErrTooMuchMemory = errors.New("too much memory")
)

// budget bounds the memory of a query. Safe for concurrent use.
type budget struct {
	left atomic.Int64
}

func newBudget(bytes int64) *budget {
	b := &budget{}
	b.left.Store(bytes)
	return b
}

// take takes bytes for as long as the query runs.
func (b *budget) take(bytes int) error {
	if b.left.Add(-int64(bytes)) < 0 {
		return ErrTooMuchMemory
	}
	return nil
}

// groups are the combinations of values that spans are grouped by.
type groups struct {
	numbers map[string]int32
	labels  [][]schema.Value // by number; empty values for none
	scratch []byte
}

func newGroups() *groups { return &groups{numbers: make(map[string]int32)} }

// groupBytes is about what a group takes besides its texts.
const groupBytes = 200

// find returns the number of a group. It is false for a new one.
func (g *groups) find(values []schema.Value) (int32, bool) {
	if len(values) == 0 && len(g.labels) == 1 {
		return 0, true
	}
	g.scratch = appendGroupKey(g.scratch[:0], values)
	n, ok := g.numbers[string(g.scratch)]
	return n, ok
}

// add makes a group of the values that find was just asked about, and returns
// the bytes that it takes. It copies them.
func (g *groups) add(values []schema.Value) (int32, int) {
	n := int32(len(g.labels)) //nolint:gosec // bounded by MaxSeries
	kept, bytes := make([]schema.Value, len(values)), groupBytes+len(g.scratch)
	for i, v := range values {
		v.Str = strings.Clone(v.Str)
		kept[i] = v
		bytes += len(v.Str)
	}
	g.numbers[string(g.scratch)] = n
	g.labels = append(g.labels, kept)
	return n, bytes
}

// appendGroupKey encodes values so that equal ones, and no others, are equal.
func appendGroupKey(dst []byte, values []schema.Value) []byte {
	for i := range values {
		dst = appendValueKey(dst, &values[i])
	}
	return dst
}

// appendValueKey encodes one value.
func appendValueKey(dst []byte, v *schema.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case schema.KindString:
		dst = binary.AppendUvarint(dst, uint64(len(v.Str)))
		dst = append(dst, v.Str...)
	case schema.KindBool:
		if v.Bool {
			return append(dst, 1)
		}
		return append(dst, 0)
	case schema.KindInt:
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Int)) //nolint:gosec // its bits
	case schema.KindDouble:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Double))
	case schema.KindEmpty, schema.KindBytes, schema.KindArray, schema.KindMap: // labels are none of these
	}
	return dst
}

// nilLabel stands for the values of a group of which all are missing.
func nilLabel() schema.Value { return schema.Value{Kind: schema.KindString, Str: "nil"} }

// allMissing reports whether a group has no value at all.
func allMissing(values []schema.Value) bool {
	for i := range values {
		if values[i].Kind != schema.KindEmpty {
			return false
		}
	}
	return true
}

// compareLabels orders label sets: by their texts, then keys, types and
// numbers.
func compareLabels(a, b []schema.Attribute) int { return compareLabelsBy(a, b, 1) }

// compareLabelsBy is compareLabels with types and numbers the other way round
// if the sign is -1.
func compareLabelsBy(a, b []schema.Attribute, sign int) int {
	for i := range min(len(a), len(b)) {
		x, y := &a[i], &b[i]
		if c := cmp.Or(
			strings.Compare(x.Value.Str, y.Value.Str), strings.Compare(x.Key, y.Key),
			sign*cmp.Compare(x.Value.Kind, y.Value.Kind), sign*compareNumbers(&x.Value, &y.Value),
		); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compareNumbers(a, b *schema.Value) int {
	asInt := func(v bool) int {
		if v {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(a.Int, b.Int), cmp.Compare(a.Double, b.Double), asInt(a.Bool)-asInt(b.Bool))
}
