package block

// resize returns n elements of a scratch, which grows as needed. They are not
// cleared.
func resize[T any](scratch *[]T, n int) []T {
	if cap(*scratch) < n {
		*scratch = make([]T, n)
	}
	*scratch = (*scratch)[:n]
	return *scratch
}
