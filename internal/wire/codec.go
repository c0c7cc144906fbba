package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/spanlake/spanlake/schema"
)

// ErrMessage means that bytes are not a message of this version.
var ErrMessage = errors.New("not a message of this version")

// AppendUint appends a number in few bytes if it is small.
func AppendUint[T ~int | ~int32 | ~uint8 | ~uint32 | ~uint64](dst []byte, v T) []byte {
	return binary.AppendUvarint(dst, uint64(v))
}

// AppendInt appends a number in few bytes if it is near zero.
func AppendInt(dst []byte, v int64) []byte { return binary.AppendVarint(dst, v) }

// AppendFloat appends the bits of a number.
func AppendFloat(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}

// AppendBool appends a byte.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendText appends a text, or bytes, with its length.
func AppendText[T ~string | ~[]byte](dst []byte, v T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(v))), v...)
}

// AppendValue appends a value of any kind.
func AppendValue(dst []byte, v *schema.Value) []byte {
	dst = append(dst, byte(v.Kind))
	switch v.Kind {
	case schema.KindString, schema.KindBytes:
		return AppendText(dst, v.Str)
	case schema.KindBool:
		return AppendBool(dst, v.Bool)
	case schema.KindInt:
		return AppendInt(dst, v.Int)
	case schema.KindDouble:
		return AppendFloat(dst, v.Double)
	case schema.KindArray:
		dst = AppendUint(dst, len(v.Array))
		for i := range v.Array {
			dst = AppendValue(dst, &v.Array[i])
		}
	case schema.KindMap:
		return AppendAttributes(dst, v.Map)
	case schema.KindEmpty:
	}
	return dst
}

// AppendAttributes appends keys and values.
func AppendAttributes(dst []byte, list []schema.Attribute) []byte {
	dst = AppendUint(dst, len(list))
	for i := range list {
		dst = AppendValue(AppendText(dst, list[i].Key), &list[i].Value)
	}
	return dst
}

// Reader reads what was appended. After the first error, which Done returns,
// it reads nothing but zeros. What it returns does not share its memory.
type Reader struct {
	rest []byte
	err  error
}

// NewReader reads from data.
func NewReader(data []byte) *Reader { return &Reader{rest: data} }

// Done returns ErrMessage if something could not be read, or if anything is left.
func (r *Reader) Done() error {
	if r.err == nil && len(r.rest) > 0 {
		r.Fail("%d bytes too many", len(r.rest))
	}
	return r.err
}

// Err returns ErrMessage if something could not be read.
func (r *Reader) Err() error { return r.err }

// Fail makes the message one that could not be read.
func (r *Reader) Fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMessage, fmt.Sprintf(format, args...))
	}
	r.rest = nil
}

// Uint reads what AppendUint wrote.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.Fail("a number is cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Int reads what AppendInt wrote.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.Fail("a number is cut short")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Small reads what AppendUint wrote of an int that is no larger than most.
func (r *Reader) Small(most int) int {
	v := r.Uint()
	if most < 0 || v > uint64(most) {
		r.Fail("%d is more than %d", v, most)
		return 0
	}
	return int(v) //nolint:gosec // bounded above
}

// Count reads a number of things of which each takes so many bytes at least,
// so that no message makes its reader allocate much more than it is long.
func (r *Reader) Count(bytesEach int) int { return r.Small(len(r.rest) / max(bytesEach, 1)) }

// Float reads what AppendFloat wrote.
func (r *Reader) Float() float64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(b))
}

// Bool reads what AppendBool wrote.
func (r *Reader) Bool() bool {
	b := r.take(1)
	if b != nil && b[0] > 1 {
		r.Fail("%d is no truth", b[0])
	}
	return b != nil && b[0] == 1
}

// Text reads what AppendText wrote.
func (r *Reader) Text() string { return string(r.take(r.Small(len(r.rest)))) }

// Bytes is Text for bytes.
func (r *Reader) Bytes() []byte { return append([]byte(nil), r.take(r.Small(len(r.rest)))...) }

// Fixed fills dst.
func (r *Reader) Fixed(dst []byte) { copy(dst, r.take(len(dst))) }

// take returns the next bytes, nil if there are too few.
func (r *Reader) take(n int) []byte {
	if n > len(r.rest) {
		r.Fail("%d bytes are missing", n-len(r.rest))
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// maxDepth bounds values within values: more than what is received has.
const maxDepth = 100

// Value reads what AppendValue wrote.
func (r *Reader) Value() schema.Value { return r.value(0) }

func (r *Reader) value(depth int) (v schema.Value) {
	b := r.take(1)
	if b == nil {
		return v
	}
	if depth++; depth > maxDepth {
		r.Fail("values are nested too deep")
		return v
	}
	v.Kind = schema.Kind(b[0])
	switch v.Kind {
	case schema.KindString, schema.KindBytes:
		v.Str = r.Text()
	case schema.KindBool:
		v.Bool = r.Bool()
	case schema.KindInt:
		v.Int = r.Int()
	case schema.KindDouble:
		v.Double = r.Float()
	case schema.KindArray:
		for range r.Count(1) {
			v.Array = append(v.Array, r.value(depth))
		}
	case schema.KindMap:
		v.Map = r.attributes(depth)
	case schema.KindEmpty:
	default:
		r.Fail("there is no kind %d of values", b[0])
	}
	return v
}

// Attributes reads what AppendAttributes wrote, nil for none.
func (r *Reader) Attributes() []schema.Attribute { return r.attributes(0) }

func (r *Reader) attributes(depth int) (list []schema.Attribute) {
	for range r.Count(2) {
		key := r.Text()
		list = append(list, schema.Attribute{Key: key, Value: r.value(depth)})
	}
	return list
}
