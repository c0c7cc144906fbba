package otlp

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxJSONDepth bounds the nesting of objects and lists. A value of MaxDepth
// needs four levels per AnyValue and fits in; one a little deeper does too and
// costs only its span.
const maxJSONDepth = 1000

// jsonScanner reads JSON text (RFC 8259) token by token. Each method that reads
// a token expects to stand on it.
type jsonScanner struct {
	in    []byte
	pos   int
	depth int
	clean []byte // the last text with escapes, without them
}

// fail returns an error about the place where the scanner stands.
func (s *jsonScanner) fail(what string) error {
	return fmt.Errorf("%w: json at byte %d: %s", ErrMalformed, s.pos, what)
}

// peek is the byte that the scanner stands on, 0 at the end.
func (s *jsonScanner) peek() byte {
	if s.pos < len(s.in) {
		return s.in[s.pos]
	}
	return 0
}

func (s *jsonScanner) space() {
	for s.pos < len(s.in) {
		switch s.in[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// enter reads the bracket that opens an object or a list.
func (s *jsonScanner) enter(bracket byte) error {
	if s.peek() != bracket {
		return s.fail("want " + string(bracket))
	}
	if s.depth++; s.depth > maxJSONDepth {
		return s.fail("nested too deeply")
	}
	s.pos++
	return nil
}

// next moves to the next member of an object or a list, and past its end, the
// given bracket, if there is none.
func (s *jsonScanner) next(bracket byte, first bool) (more bool, err error) {
	s.space()
	switch c := s.peek(); {
	case c == bracket:
		s.depth--
		s.pos++
		return false, nil
	case first:
		return true, nil
	case c == ',':
		s.pos++
		s.space()
		return true, nil
	}
	return false, s.fail("want , or " + string(bracket))
}

func (s *jsonScanner) colon() error {
	s.space()
	if s.peek() != ':' {
		return s.fail("want :")
	}
	s.pos++
	s.space()
	return nil
}

// null reads a null if there is one.
func (s *jsonScanner) null() (bool, error) {
	if s.peek() != 'n' {
		return false, nil
	}
	return true, s.literal("null")
}

func (s *jsonScanner) literal(word string) error {
	if !bytes.HasPrefix(s.in[s.pos:], []byte(word)) {
		return s.fail("want a value")
	}
	s.pos += len(word)
	return nil
}

// text reads a string. The result is valid until the next one is read.
func (s *jsonScanner) text() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.fail("want a string")
	}
	start, escaped := s.pos+1, false
	for i := start; i < len(s.in); i++ {
		switch c := s.in[i]; {
		case c == '"':
			s.pos = i + 1
			if escaped {
				return s.unescape(s.in[start:i], start)
			}
			return s.in[start:i], nil
		case c == '\\':
			escaped = true
			i++
		case c < ' ':
			s.pos = i
			return nil, s.fail("a control character in a string")
		}
	}
	s.pos = len(s.in)
	return nil, s.fail("a string without an end")
}

// unescape resolves the escapes of raw, which stands at offset start.
func (s *jsonScanner) unescape(raw []byte, start int) ([]byte, error) {
	out := s.clean[:0]
	for i := 0; i < len(raw); {
		n := bytes.IndexByte(raw[i:], '\\')
		if n < 0 {
			out = append(out, raw[i:]...)
			break
		}
		out = append(out, raw[i:i+n]...)
		i += n + 2
		c := raw[i-1]
		switch c {
		case '"', '\\', '/':
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, used := unicodeEscape(raw[i:])
			if used == 0 {
				s.pos = start + i - 2
				return nil, s.fail("a bad escape in a string")
			}
			out = utf8.AppendRune(out, r)
			i += used
			continue
		default:
			s.pos = start + i - 2
			return nil, s.fail("a bad escape in a string")
		}
		out = append(out, c)
	}
	s.clean = out
	return out, nil
}

// unicodeEscape reads the digits of a \u escape, and the second half of a
// surrogate pair. It returns how many bytes it used, 0 if they are not digits.
func unicodeEscape(b []byte) (rune, int) {
	r, ok := fourDigits(b)
	if !ok {
		return 0, 0
	}
	if utf16.IsSurrogate(r) && bytes.HasPrefix(b[4:], []byte(`\u`)) {
		if low, ok := fourDigits(b[6:]); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair, 10
			}
		}
	}
	return r, 4 // AppendRune writes half a pair as U+FFFD.
}

func fourDigits(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(string(b[:4]), 16, 16)
	return rune(v), err == nil //nolint:gosec // 16 bits
}

// scalar reads a string, a number, true or false.
func (s *jsonScanner) scalar() (token []byte, quoted bool, err error) {
	start := s.pos
	switch s.peek() {
	case '"':
		token, err = s.text()
		return token, true, err
	case 't':
		err = s.literal("true")
	case 'f':
		err = s.literal("false")
	default:
		if s.pos = start + numberLen(s.in[start:]); s.pos == start {
			err = s.fail("want a value")
		}
	}
	return s.in[start:s.pos], false, err
}

// skip reads a value of any kind and drops it.
func (s *jsonScanner) skip() error {
	switch open := s.peek(); open {
	case '{', '[':
		return s.skipMembers(open)
	case 'n':
		return s.literal("null")
	}
	_, _, err := s.scalar()
	return err
}

func (s *jsonScanner) skipMembers(open byte) error {
	if err := s.enter(open); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.next(open+2, first) // both closing brackets follow theirs at this distance
		if err != nil || !more {
			return err
		}
		if open == '{' {
			if _, err := s.text(); err != nil {
				return err
			}
			if err := s.colon(); err != nil {
				return err
			}
		}
		if err := s.skip(); err != nil {
			return err
		}
	}
}

// numberLen is the length of the JSON number that b starts with, 0 if there is none.
func numberLen(b []byte) int {
	i := 0
	digits := func() bool {
		start := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return 0
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

func isNumber(s string) bool { return s != "" && numberLen([]byte(s)) == len(s) }
