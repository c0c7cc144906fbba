package vectest

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// Filter returns a filter with branches of up to the given depth, on fields and
// values that rows of Spans have. It keeps the promises of vec.Predicate.
func Filter(rng *rand.Rand, depth int) *vec.Filter {
	if depth == 0 || rng.IntN(4) == 0 {
		switch rng.IntN(20) {
		case 0:
			return &vec.Filter{Op: vec.OpTrue}
		case 1:
			return &vec.Filter{Op: vec.OpFalse}
		}
		return &vec.Filter{Op: vec.OpPredicate, Predicate: Predicate(rng)}
	}
	f := &vec.Filter{Op: pick(rng, []vec.Op{vec.OpAnd, vec.OpOr, vec.OpNot})}
	n := 1
	if f.Op != vec.OpNot {
		n = 1 + rng.IntN(4)
	}
	for range n {
		f.Args = append(f.Args, Filter(rng, depth-1))
	}
	return f
}

// Predicate returns a predicate on one field.
func Predicate(rng *rand.Rand) *vec.Predicate {
	p := &vec.Predicate{Field: field(rng), Absent: rng.IntN(4) == 0}
	if rng.IntN(6) > 0 {
		setText(rng, p)
	}
	if rng.IntN(3) > 0 {
		setInt(rng, p)
	}
	if rng.IntN(3) == 0 {
		limit := float64(rng.IntN(10) - 5)
		p.Float = func(f float64) bool { return f < limit }
	}
	if rng.IntN(3) == 0 {
		want := rng.IntN(2) == 0
		p.Bool = func(b bool) bool { return b == want }
	}
	if rng.IntN(2) == 0 {
		setOther(rng, p)
	}
	return p
}

func field(rng *rand.Rand) vec.Field {
	if rng.IntN(3) == 0 {
		return vec.Field{Scope: vec.ScopeIntrinsic, Key: pick(rng, []string{
			vec.Name, vec.Kind, vec.StatusCode, vec.StatusMessage, vec.Duration,
			vec.ServiceName, vec.ScopeName, vec.ScopeVersion, vec.EventName,
		})}
	}
	scope := pick(rng, []vec.Scope{
		vec.ScopeSpan, vec.ScopeSpan, vec.ScopeSpan, vec.ScopeResource, vec.ScopeInstrumentation, vec.ScopeEvent, vec.ScopeLink,
	})
	if rng.IntN(10) == 0 {
		return vec.Field{Scope: scope, Key: "nowhere"}
	}
	return vec.Field{Scope: scope, Key: key(rng)}
}

func setText(rng *rand.Rand, p *vec.Predicate) {
	word := pick(rng, texts())
	switch rng.IntN(4) {
	case 0:
		p.Text = func(s string) bool { return s == word }
		p.Contains = word
	case 1:
		p.Text = func(s string) bool { return s != word }
	case 2:
		p.Text = func(s string) bool { return strings.Contains(s, word) }
		p.Contains = word
	default:
		words := []string{word, pick(rng, texts()), pick(rng, texts())}
		p.Text = func(s string) bool { return slices.Contains(words, s) }
	}
}

func setInt(rng *rand.Rand, p *vec.Predicate) {
	least, most := integer(rng), integer(rng)
	p.Int = func(i int64) bool { return i >= least && i <= most }
	switch rng.IntN(3) {
	case 0:
		p.Between = &vec.Interval{Least: least, Most: most} // may be empty
	case 1:
		p.Int = func(i int64) bool { return i != least }
	}
}

// setOther decides the kinds that have no function of their own: lists by
// their elements, as the engine does.
func setOther(rng *rand.Rand, p *vec.Predicate) {
	kind := pick(rng, []schema.Kind{schema.KindEmpty, schema.KindBytes, schema.KindMap})
	scalars := *p
	p.Other = func(v schema.Value) bool {
		return v.Kind == kind || v.Kind == schema.KindArray && slices.ContainsFunc(v.Array, scalars.Holds)
	}
}
