package encoding

import "bytes"

// maxTableWidth is the width of codes up to which matching is by the bits of
// whole groups of codes.
const maxTableWidth = 8

// CodeSet says for which codes of a dictionary a condition holds, in a form
// that is fast to match. It is immutable and safe for concurrent use. Make one
// per dictionary and condition, and use it on all pages of the column.
type CodeSet struct {
	limit int     // codes are below it
	width int     // of the codes of a dictionary of limit entries
	hits  []uint8 // by code: 1 if it is in the set

	// Of codes of few bits, one differs from all others: it alone is in the
	// set, or it alone is not (then inverted is ^0). Else there are tuples.
	alone    bool
	code     int
	inverted uint64
	tuples   []uint16 // see newTuples
}

// NewCodeSet is the set of the codes for which table is true. A code that is
// not below len(table) is malformed.
func NewCodeSet(table []bool) *CodeSet {
	s := &CodeSet{limit: len(table), width: CodeWidth(len(table)), hits: make([]uint8, len(table))}
	in := 0
	for i, held := range table {
		s.hits[i] = uint8(bit(held))
		in += int(s.hits[i])
	}
	if s.width == 0 || s.width > maxTableWidth {
		return s
	}
	// With two entries, one of which is in the set, both readings are right.
	switch {
	case in == 1:
		s.alone, s.code = true, bytes.IndexByte(s.hits, 1)
	case in == len(table)-1:
		s.alone, s.code, s.inverted = true, bytes.IndexByte(s.hits, 0), ^uint64(0)
	default:
		s.tuples = newTuples(s.hits, s.width)
	}
	return s
}

// Has reports whether a code is in the set. REQUIRES: it is one of the
// dictionary's.
func (s *CodeSet) Has(code int) bool { return s.hits[code] != 0 }

// Match sets bit i of dst if code i is in the set, of the n codes of width bits
// that are all of src, and clears all other bits of the first (n+63)/64 words.
// Returns ErrMalformed also when a code is not below the set's limit; dst is
// then undefined. REQUIRES: dst has the words.
func (s *CodeSet) Match(dst []uint64, src []byte, n, width int) error {
	segs, err := newSegments(src, n, width)
	if err != nil {
		return err
	}
	dst = dst[:words(n)]
	clear(dst)
	var results [resultGroups]byte
	for segs.left > 0 {
		at := n - segs.left
		seg, err := segs.next()
		if err != nil {
			return err
		}
		if !seg.run {
			if !s.matchPacked(dst, at, seg, width, &results) {
				return ErrMalformed
			}
			continue
		}
		if uint64(seg.code) >= uint64(s.limit) {
			return ErrMalformed
		}
		if s.hits[seg.code] != 0 {
			putOnes(dst, at, at+seg.n)
		}
	}
	return segs.end()
}

// MatchHybrid is Match of the set of the codes for which table is true. Where
// there are several pages, a CodeSet is prepared only once.
func MatchHybrid(dst []uint64, src []byte, n, width int, table []bool) error {
	return NewCodeSet(table).Match(dst, src, n, width)
}

// resultGroups is the number of groups whose results wait for being moved to
// their rows.
const resultGroups = 128

// matchPacked matches the packed codes of seg and sets their bits of dst from
// at on. It reports whether all codes are below the limit, and overwrites
// results.
func (s *CodeSet) matchPacked(dst []uint64, at int, seg segment, width int, results *[resultGroups]byte) bool {
	src, rows := seg.packed, seg.n
	for rows > 0 {
		n := min(rows, len(results)*groupSize)
		full := n / groupSize
		if !s.matchGroups(results[:full], src, width) {
			return false
		}
		if n%groupSize != 0 {
			// What fills the last group up is not looked at.
			last, ok := s.matchEach(src[full*width:], n%groupSize, width)
			if !ok {
				return false
			}
			results[full] = last
		}
		putBits(dst, at, results[:], n)
		at, rows = at+n, rows-n
		src = src[full*width:]
	}
	return true
}

// matchGroups matches as many groups as results has bytes.
func (s *CodeSet) matchGroups(results, src []byte, width int) bool {
	if width <= maxTableWidth && width != s.width || width == 0 {
		for i := range results {
			var ok bool
			if results[i], ok = s.matchEach(src[i*width:], groupSize, width); !ok {
				return false
			}
		}
		return true
	}
	done, ok := s.matchKernel(results, src, width)
	if ok && done < len(results) {
		// The groups that end too close to the end of src.
		var padded [maxCodeWidth + 2*slack]byte
		copy(padded[:], src[done*width:])
		_, ok = s.matchKernel(results[done:], padded[:], width)
	}
	return ok
}

// matchEach matches the first n codes of a group one by one.
func (s *CodeSet) matchEach(src []byte, n, width int) (result uint8, ok bool) {
	for i := range n {
		code := loadBits(src, i*width) & (1<<width - 1)
		if code >= uint64(len(s.hits)) {
			return 0, false
		}
		result |= s.hits[code] << i
	}
	return result, true
}
