package vec

import "github.com/spanlake/spanlake/schema"

// Totals are sums over the rows of traces for which a filter holds, of each trace
// that has such rows with a number, in the order of their ids. Rows are taken as
// they are: of a trace that is to be folded they say nothing.
type Totals struct {
	Of []Total
	// Pure says that none of these rows has another value than a number.
	Pure bool
}

// Total is what the numbers of a trace's rows amount to.
type Total struct {
	ID schema.TraceID

	Ints, Floats, NaNs int     // rows with such a number
	Sum, Magnitude     float64 // of numbers, of their absolute values; rounded

	LeastInt, MostInt     int64   // of Ints
	LeastFloat, MostFloat float64 // of Floats
}

// AddInt counts a row.
func (t *Total) AddInt(v int64) {
	if t.Ints == 0 {
		t.LeastInt, t.MostInt = v, v
	}
	t.LeastInt, t.MostInt = min(t.LeastInt, v), max(t.MostInt, v)
	t.Ints++
	t.add(float64(v))
}

// AddFloat counts a row.
func (t *Total) AddFloat(v float64) {
	if v != v {
		t.NaNs++
		return
	}
	if t.Floats == 0 {
		t.LeastFloat, t.MostFloat = v, v
	}
	t.LeastFloat, t.MostFloat = min(t.LeastFloat, v), max(t.MostFloat, v)
	t.Floats++
	t.add(v)
}

func (t *Total) add(v float64) {
	t.Sum += v
	t.Magnitude += max(v, -v)
}
