package objstore

import "fmt"

// Range returns the bytes that o selects of an object of size bytes: start
// inclusive, end exclusive. Returns ErrRange.
func (o GetOptions) Range(size int64) (start, end int64, err error) {
	switch {
	case o.Length < 0 || o.Offset < 0 && o.Length != 0:
		return 0, 0, fmt.Errorf("%w: offset %d, length %d", ErrRange, o.Offset, o.Length)
	case o.Offset < 0:
		// Not -o.Offset, which overflows for the smallest number.
		return max(0, size+o.Offset), size, nil
	case o.Offset > 0 && o.Offset >= size:
		return 0, 0, fmt.Errorf("%w: offset %d of %d bytes", ErrRange, o.Offset, size)
	case o.Length == 0 || o.Length > size-o.Offset:
		return o.Offset, size, nil
	default:
		return o.Offset, o.Offset + o.Length, nil
	}
}
