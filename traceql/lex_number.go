package traceql

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// number reads an int, a float or a duration: everything up to the first
// character that can belong to none of them.
func (l *lexer) number() (token, error) {
	start := l.pos
	for l.pos < len(l.src) && (isNumberByte(l.src[l.pos]) || l.atExponentSign(start)) {
		l.pos++
	}
	text := l.src[start:l.pos]
	value, err := parseNumber(text)
	if err != "" {
		return token{}, l.fail(start, fmt.Sprintf("%s: %s", clip(text), err), adviceForNumber(text))
	}
	return token{kind: tokenLiteral, value: value}, nil
}

// isNumberByte takes letters of units, and the bytes of the two micro signs.
func isNumberByte(c byte) bool { return isDigit(c) || isLetter(c) || c == '.' || c >= 0x80 }

// atExponentSign reports whether the lexer stands on the sign of 1e-3.
func (l *lexer) atExponentSign(start int) bool {
	if c := l.src[l.pos]; c != '-' && c != '+' || l.pos+1 == len(l.src) || !isDigit(l.src[l.pos+1]) {
		return false
	}
	mantissa := l.src[start : l.pos-1]
	return l.src[l.pos-1]|0x20 == 'e' && mantissa != "" && strings.Trim(mantissa, "0123456789.") == ""
}

// parseNumber returns the value of text, or what is wrong with it.
func parseNumber(text string) (Static, string) {
	if strings.Trim(text, "0123456789") == "" {
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Static{}, "this int does not fit 64 bits"
		}
		return NewInt(v), ""
	}
	if strings.Trim(text, "0123456789.eE+-") == "" {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return Static{}, "this is not a number"
		}
		return NewFloat(v), ""
	}
	if d, ok := parseCalendarDuration(text); ok {
		return NewDuration(d), ""
	}
	if d, err := time.ParseDuration(text); err == nil {
		return NewDuration(d), ""
	}
	return Static{}, "this is neither a number nor a duration such as 1h30m or 1.5s"
}

// calendarUnits are those of a calendar duration in the order that they must
// have in the text. ms stands before m and s, which it begins with or ends in.
var calendarUnits = [...]struct {
	name string
	size time.Duration
}{
	{"y", 365 * 24 * time.Hour},
	{"w", 7 * 24 * time.Hour},
	{"d", 24 * time.Hour},
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

// parseCalendarDuration reads whole numbers with units from years to
// milliseconds, largest first, each at most once. It reports false for
// anything else, and for what does not fit a duration.
func parseCalendarDuration(text string) (time.Duration, bool) {
	var sum time.Duration
	unit := 0
	for text != "" {
		digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
		count, err := strconv.ParseInt(text[:digits], 10, 64)
		if err != nil {
			return 0, false
		}
		text = text[digits:]
		letters := strings.IndexAny(text, "0123456789")
		if letters < 0 {
			letters = len(text)
		}
		for unit < len(calendarUnits) && calendarUnits[unit].name != text[:letters] {
			unit++
		}
		if unit == len(calendarUnits) {
			return 0, false
		}
		size := int64(calendarUnits[unit].size)
		if count > (math.MaxInt64-int64(sum))/size {
			return 0, false
		}
		sum += time.Duration(count * size)
		text, unit = text[letters:], unit+1
	}
	return sum, true
}
