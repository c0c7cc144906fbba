package jsonvalue

import (
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Members yields the members of an object in their order, and nothing of anything
// else. Values share the memory of v.
func Members(v Value) iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if len(v) == 0 || v[0] != '{' {
			return
		}
		for i := blanks(v, 1); i < len(v) && v[i] == '"'; {
			end := skip(v, i)
			key := name(v[i:end])
			i = blanks(v, end)
			i = blanks(v, i+1) // the colon
			end = skip(v, i)
			if end == i || !yield(key, v[i:end:end]) {
				return
			}
			i = next(v, end)
		}
	}
}

// Elements yields those of an array, and nothing of anything else. They share the
// memory of v.
func Elements(v Value) iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if len(v) == 0 || v[0] != '[' {
			return
		}
		for i := blanks(v, 1); i < len(v) && v[i] != ']'; {
			end := skip(v, i)
			if end == i || !yield(v[i:end:end]) {
				return
			}
			i = next(v, end)
		}
	}
}

// next is where the member or element behind a comma begins.
func next(v Value, i int) int {
	if i = blanks(v, i); i < len(v) && v[i] == ',' {
		return blanks(v, i+1)
	}
	return len(v)
}

func blanks(v Value, i int) int {
	for i < len(v) && (v[i] == ' ' || v[i] == '\n' || v[i] == '\t' || v[i] == '\r') {
		i++
	}
	return min(i, len(v))
}

// skip returns where the value at v[i] ends, len(v) if it does not. It does not look
// whether it is valid, which it is.
func skip(v Value, i int) int {
	for depth := 0; i < len(v); {
		switch v[i] {
		case '"':
			if i = skipText(v, i); depth == 0 {
				return i
			}
		case '{', '[':
			depth++
			i++
		case '}', ']':
			i++
			if depth--; depth <= 0 {
				return i
			}
		default:
			if depth == 0 {
				return skipWord(v, i)
			}
			i++
		}
	}
	return i
}

func skipText(v Value, i int) int {
	for i++; i < len(v); i++ {
		switch v[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(v)
}

// skipWord skips a number, true, false or null.
func skipWord(v Value, i int) int {
	for ; i < len(v); i++ {
		switch v[i] {
		case ',', ']', '}', ':', ' ', '\n', '\t', '\r':
			return i
		}
	}
	return i
}

// name is the text of a key.
func name(quoted Value) string {
	if len(quoted) < 2 {
		return ""
	}
	inner := quoted[1 : len(quoted)-1]
	plain := true
	for _, c := range inner {
		if c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it is valid
	return s
}

// What of an object becomes attributes of its own: a client may send more, by mistake
// or on purpose.
const (
	MaxMembers  = 256
	MaxKeyBytes = 256
)

// Member is a member of an object.
type Member struct {
	Key   string
	Value Value
}

// Few returns the members of an object that become attributes of their own: each key
// once, without those that have no value, at most MaxMembers with keys of at most
// MaxKeyBytes. It reports whether there are more.
func Few(v Value) (members []Member, more bool) {
	seen := make(map[string]bool)
	for key, member := range Members(v) {
		switch {
		case Absent(member), seen[key]:
		case len(members) == MaxMembers || len(key) > MaxKeyBytes:
			more = true
		default:
			seen[key] = true
			members = append(members, Member{key, member})
		}
	}
	return members, more
}
