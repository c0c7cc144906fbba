// Package verdict decides predicates on values as blocks store them: texts,
// numbers' dictionaries aside, OTLP messages and fragments, and JSON lists. It
// knows neither pages nor rows.
package verdict

import (
	"unsafe"

	"github.com/spanlake/spanlake/internal/vec"
)

// Verdict is what a stored value says about a predicate.
type Verdict uint8

// The verdicts.
const (
	Absent    Verdict = iota // the predicate's field is not in it
	Fails                    // it is, and the predicate does not hold
	Holds                    // it is, and the predicate holds
	Malformed                // it is not what is stored in this place
)

// Decider decides a predicate on a stored value, whose memory it does not keep.
// It has scratch memory: it serves one goroutine at a time.
type Decider func(stored []byte) Verdict

// Of is Holds or Fails.
func Of(holds bool) Verdict {
	if holds {
		return Holds
	}
	return Fails
}

// Text decides values that are texts.
func Text(p *vec.Predicate) Decider {
	if p.Text == nil {
		return func([]byte) Verdict { return Fails }
	}
	return func(stored []byte) Verdict { return Of(p.Text(alias(stored))) }
}

// alias is the text of b without a copy.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
