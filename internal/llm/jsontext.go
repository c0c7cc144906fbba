package llm

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/spanlake/spanlake/schema"
)

// maxJSON bounds the text that is read as JSON. What SDKs say of usage, cost and
// parameters is far shorter.
const maxJSON = 64 << 10

func validJSON(s string) bool { return json.Valid(unsafe.Slice(unsafe.StringData(s), len(s))) }

// The functions below read JSON text that validJSON has found valid.

// members gives f the members of an object, their values as they are written.
func members(s string, f func(key, value string)) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] != '{' {
		return
	}
	for at := skipSpace(s, 1); s[at] != '}'; {
		key := s[at:endOf(s, at)]
		at = skipSpace(s, skipSpace(s, at+len(key))+1) // behind the colon
		value := s[at:endOf(s, at)]
		f(unquote(key), value)
		if at = skipSpace(s, at+len(value)); s[at] == ',' {
			at = skipSpace(s, at+1)
		}
	}
}

// elements gives f the elements of a list.
func elements(s string, f func(value string)) {
	s = strings.TrimSpace(s)
	if s == "" || s[0] != '[' {
		return
	}
	for at := skipSpace(s, 1); s[at] != ']'; {
		value := s[at:endOf(s, at)]
		f(value)
		if at = skipSpace(s, at+len(value)); s[at] == ',' {
			at = skipSpace(s, at+1)
		}
	}
}

func skipSpace(s string, at int) int {
	for s[at] == ' ' || s[at] == '\n' || s[at] == '\t' || s[at] == '\r' {
		at++
	}
	return at
}

// endOf is where the value ends that begins at s[at].
func endOf(s string, at int) int {
	depth := 0
	for i := at; i < len(s); i++ {
		switch s[i] {
		case '"':
			for i++; s[i] != '"'; i++ {
				if s[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of a scalar before it
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
	}
	return len(s)
}

// unquote is the text of a string, which shares memory with it if it can.
func unquote(s string) string {
	inside := s[1 : len(s)-1]
	if !strings.Contains(inside, `\`) && utf8.ValidString(inside) {
		return inside
	}
	var out string
	if err := json.Unmarshal([]byte(s), &out); err != nil {
		return inside // it is valid: this is for the compiler
	}
	return out
}

// jsonScalar is a value; of lists and objects, their text.
func jsonScalar(s string) schema.Value {
	switch s[0] {
	case '"':
		return text(unquote(s))
	case 't', 'f':
		return schema.Value{Kind: schema.KindBool, Bool: s[0] == 't'}
	case 'n':
		return schema.Value{}
	case '{', '[':
		return text(s)
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return schema.Value{Kind: schema.KindInt, Int: n}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return schema.Value{} // beyond what a double holds
	}
	return schema.Value{Kind: schema.KindDouble, Double: f}
}

// Bounds of what flatten gives: hostile objects have no end.
const (
	maxDepth   = 4
	maxMembers = 256
)

// flatten gives f the scalars of an object and of those inside it, under keys
// that begin with prefix. It reads maxMembers at most.
func flatten(prefix, s string, depth int, left *int, f func(key string, v schema.Value)) {
	members(s, func(key, value string) {
		if *left--; *left < 0 || len(key) > maxText {
			return
		}
		key = prefix + key
		if value[0] == '{' {
			if depth > 1 {
				flatten(key+".", value, depth-1, left, f)
			}
			return
		}
		f(key, jsonScalar(value))
	})
}
