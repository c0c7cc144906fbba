package otlp

import (
	"encoding/binary"
	"math/bits"
	"strings"
	"unicode/utf8"
	"unsafe"
)

const hexDigits = "0123456789abcdef"

// AppendJSONText appends a string. Runs of bytes that are not UTF-8 become
// U+FFFD, as in the columns.
func AppendJSONText[T []byte | string](dst []byte, s T) []byte {
	text := *(*string)(unsafe.Pointer(&s)) // a slice begins as a string does
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, string(utf8.RuneError))
	}
	dst = append(dst, '"')
	for {
		plain := plainBytes(text)
		dst = append(dst, text[:plain]...)
		if plain == len(text) {
			return append(dst, '"')
		}
		dst = appendEscape(dst, text[plain])
		text = text[plain+1:]
	}
}

// plainBytes is how many bytes s begins with that stand in JSON as they are. It
// looks at eight at a time: prompts and completions are long.
func plainBytes(s string) int {
	const (
		ones = 0x0101010101010101
		tops = 0x80 * ones
	)
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	i := 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		// The top bit of a byte is set that is below ' ', '"' or a backslash, and
		// maybe of bytes behind one that is.
		quote, slash := x^('"'*ones), x^('\\'*ones)
		if found := ((x-' '*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & tops; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c < ' ' || c == '"' || c == '\\' {
			return i
		}
	}
	return i
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
