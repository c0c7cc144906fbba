package verdict

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/spanlake/spanlake/internal/vec"
	"github.com/spanlake/spanlake/schema"
)

// List decides JSON lists of strings, ints and bools without spaces between
// them: it holds if the predicate holds for one of the values.
func List(p *vec.Predicate) Decider {
	return func(stored []byte) Verdict {
		verdict := Absent
		rest, ok := bytes.CutPrefix(stored, []byte("["))
		for first := true; ok; first = false {
			if string(rest) == "]" {
				return verdict
			}
			if !first {
				if rest, ok = bytes.CutPrefix(rest, []byte(",")); !ok {
					break
				}
			}
			var v schema.Value
			if v, rest, ok = listValue(rest); ok {
				verdict = max(verdict, Of(p.Holds(v)))
			}
		}
		return Malformed
	}
}

// listValue reads the value that b begins with.
func listValue(b []byte) (v schema.Value, rest []byte, ok bool) {
	if len(b) > 0 && b[0] == '"' {
		end := stringEnd(b)
		if end < 0 {
			return v, nil, false
		}
		v = schema.Value{Kind: schema.KindString, Str: alias(b[1 : end-1])}
		if bytes.IndexByte(b[:end], '\\') >= 0 && json.Unmarshal(b[:end], &v.Str) != nil {
			return v, nil, false
		}
		return v, b[end:], true
	}
	end := bytes.IndexAny(b, ",]")
	if end < 0 {
		return v, nil, false
	}
	switch text := string(b[:end]); text {
	case "true", "false":
		v = schema.Value{Kind: schema.KindBool, Bool: text == "true"}
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return v, nil, false
		}
		v = schema.Value{Kind: schema.KindInt, Int: n}
	}
	return v, b[end:], true
}

// stringEnd is where the JSON string that b begins with ends, -1 if it does
// not.
func stringEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}
