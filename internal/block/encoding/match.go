package encoding

// CodeSet says for which codes of a dictionary a condition holds, in a form
// that is fast to match. It is immutable and safe for concurrent use. Make one
// per dictionary and condition, and use it on all pages of the column.
type CodeSet struct {
	table []bool
}

// NewCodeSet is the set of the codes for which table is true. A code that is
// not below len(table) is malformed. Table must not change afterwards.
func NewCodeSet(table []bool) *CodeSet { return &CodeSet{table: table} }

// Match sets bit i of dst if code i is in the set, of the n codes of width bits
// that are all of src, and clears all other bits of the first (n+63)/64 words.
// Returns ErrMalformed also when a code is not below the set's limit; dst is
// then undefined. REQUIRES: dst has the words.
func (s *CodeSet) Match(dst []uint64, src []byte, n, width int) error {
	codes := make([]uint32, n)
	if err := DecodeHybrid(codes, src, width, uint32(len(s.table))); err != nil {
		return err
	}
	clear(dst[:words(n)])
	for i, c := range codes {
		if s.table[c] {
			dst[i/wordBits] |= 1 << (i % wordBits)
		}
	}
	return nil
}

// MatchHybrid is Match of the set of the codes for which table is true. Prefer
// a CodeSet when there are several pages.
func MatchHybrid(dst []uint64, src []byte, n, width int, table []bool) error {
	return NewCodeSet(table).Match(dst, src, n, width)
}
