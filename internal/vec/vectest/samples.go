package vectest

import (
	"bytes"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Sampling returns a random sampling of rows of Spans that leaves out some of
// their traces.
func Sampling(rng *rand.Rand, spans []schema.Span) *vec.Sampling {
	s := &vec.Sampling{Filter: Filter(rng, rng.IntN(3)), Until: math.MaxUint64}
	for range rng.IntN(4) {
		s.Groups = append(s.Groups, column(rng))
	}
	for range rng.IntN(3) {
		s.Shown = append(s.Shown, column(rng))
	}
	if rng.IntN(2) == 0 {
		s.Number = column(rng)
		if rng.IntN(4) == 0 {
			s.Number = vec.Column{{Scope: vec.ScopeIntrinsic, Key: vec.Duration}}
		}
	}
	for i := range spans {
		if rng.IntN(len(spans)) < 5 {
			s.Except = append(s.Except, spans[i].TraceID)
		}
	}
	slices.SortFunc(s.Except, compareIDs)
	s.Except = slices.Compact(s.Except)
	s.Folded = folded(rng, spans)
	return s
}

// folded says of some traces that some of their rows do not stay.
func folded(rng *rand.Rand, spans []schema.Span) (list []vec.Folded) {
	rows := make(map[schema.TraceID]int32)
	for i := range spans {
		rows[spans[i].TraceID]++
	}
	for _, id := range slices.SortedFunc(maps.Keys(rows), compareIDs) {
		if rng.IntN(len(rows)) >= 5 {
			continue
		}
		f := vec.Folded{ID: id}
		for row := range rows[id] {
			if rng.IntN(3) == 0 {
				f.Out = append(f.Out, row)
			}
		}
		list = append(list, f)
	}
	return list
}

// column is a random column of values.
func column(rng *rand.Rand) vec.Column {
	if rng.IntN(4) == 0 {
		return vec.Column{{Scope: vec.ScopeIntrinsic, Key: pick(rng, []string{
			vec.Name, vec.Kind, vec.StatusCode, vec.StatusMessage, vec.ScopeName, vec.ScopeVersion,
		})}}
	}
	var c vec.Column
	for range 1 + rng.IntN(2) {
		scope := pick(rng, []vec.Scope{vec.ScopeSpan, vec.ScopeSpan, vec.ScopeResource, vec.ScopeInstrumentation})
		c = append(c, vec.Field{Scope: scope, Key: key(rng)})
	}
	return c
}

// Sample is a row of samples.
type Sample struct {
	Trace         schema.TraceID
	Start         uint64
	Groups, Shown []schema.Value
	Kind          vec.NumberKind
	Word          uint64
}

// Samples are what a source of the rows has to sample, in the order of
// schema.Compare, and the traces that it has to leave out: at least those that
// are named, and those with unfolded rows of which it does not know which stay.
func Samples(s *vec.Sampling, spans []schema.Span, unfolded []schema.TraceID) (samples []Sample, left []schema.TraceID) {
	sorted := slices.Clone(spans)
	slices.SortStableFunc(sorted, func(a, b schema.Span) int { return schema.Compare(&a, &b) })
	row := int32(-1) // of its trace
	for i := range sorted {
		span := &sorted[i]
		if row++; i > 0 && sorted[i-1].TraceID != span.TraceID {
			row = 0
		}
		if !Holds(s.Filter, span) {
			continue
		}
		at := slices.IndexFunc(s.Folded, func(f vec.Folded) bool { return f.ID == span.TraceID })
		if slices.Contains(s.Except, span.TraceID) || at < 0 && slices.Contains(unfolded, span.TraceID) {
			left = append(left, span.TraceID)
			continue
		}
		if at >= 0 && slices.Contains(s.Folded[at].Out, row) {
			continue
		}
		sample := Sample{Trace: span.TraceID, Start: span.StartNanos, Groups: valuesIn(s.Groups, span), Shown: valuesIn(s.Shown, span)}
		if s.Number != nil {
			switch v := ColumnValue(s.Number, span); v.Kind {
			case schema.KindInt:
				sample.Kind, sample.Word = vec.Int, uint64(v.Int) //nolint:gosec // its bits
			case schema.KindDouble:
				sample.Kind, sample.Word = vec.Float, math.Float64bits(v.Double)
			default:
			}
		}
		samples = append(samples, sample)
	}
	return samples, slices.Compact(left)
}

func valuesIn(columns []vec.Column, s *schema.Span) []schema.Value {
	values := make([]schema.Value, len(columns))
	for i, c := range columns {
		values[i] = ColumnValue(c, s)
	}
	return values
}

// Collect copies the rows of samples.
func Collect(s *vec.Sampling, from *vec.Samples) (list []Sample, err error) {
	for i, start := range from.Starts {
		sample := Sample{Start: start, Groups: make([]schema.Value, len(s.Groups))}
		for k, codes := range from.Groups {
			sample.Groups[k] = codes.Dictionary.Values[codes.Codes[i]]
		}
		if s.Number != nil && from.Numbers.Kinds[i] != vec.NoNumber {
			sample.Kind, sample.Word = from.Numbers.Kinds[i], from.Numbers.Words[i]
		}
		if sample.Trace, err = from.Trace(i); err != nil {
			return nil, err
		}
		if sample.Shown, err = from.Show(i); err != nil {
			return nil, err
		}
		list = append(list, sample)
	}
	return list, nil
}

func compareIDs(a, b schema.TraceID) int { return bytes.Compare(a[:], b[:]) }
