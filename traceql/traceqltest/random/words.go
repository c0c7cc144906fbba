package random

import "math/rand/v2"

// Keys of attributes, by what their values are. All occur in spans, some in
// other places as well.
func stringKeys() []string {
	return []string{"s", "both", "wide.name", "odd key", "mixed", "spanlake.score.id"}
}
func numberKeys() []string { return []string{"n", "f", "both.n", "mixed"} }
func boolKeys() []string   { return []string{"ok", "mixed"} }
func listKeys() []string   { return []string{"tags", "nums", "flags", "mixed"} }

// texts are values of strings. Some differ in case only, in a prefix, or in what
// a regular expression makes of them.
func texts() []string {
	return []string{"", "a", "b", "ab", "A", "a.b", "x\ny", "5", "true", "GET /cart", "가나", "a+"}
}

func patterns() []string {
	return []string{"a", "a.*", ".*b", "(a|b)+", "[ab]", ".", "", "a|ab", "x.y", "(?i)A", ".*", "GET .*", "\\\\d", "a\\\\+", "[^a]*"}
}

func ints() []int64 { return []int64{0, 1, 2, 3, 5, -1, -3, 10, 1 << 53, 1<<53 + 1} }

func floats() []float64 { return []float64{0, 0.5, 1, 2, 2.5, -1.5, 10, 1e-3} }

func names() []string { return []string{"a", "b", "ab", "GET /cart", "", "x"} }

func services() []string { return []string{"", "shop", "cart", "a"} }

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

// oneIn is true once in n times.
func oneIn(rng *rand.Rand, n int) bool { return rng.IntN(n) == 0 }
