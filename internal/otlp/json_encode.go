package otlp

import (
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// AppendTracesJSON appends traces, a TracesData message, as the proto3 JSON
// object that Tempo's API returns. topKey names its one member, which is absent
// without spans: resourceSpans or batches. Unknown fields are left out and text
// that is not UTF-8 is mended, so the result is valid JSON. Returns dst as it
// was and an error that wraps ErrMalformed if traces is not well formed.
func AppendTracesJSON(dst []byte, traces []byte, topKey string) ([]byte, error) {
	w := jsonWriter{out: slices.Grow(dst, jsonSize(traces)), topKey: topKey}
	if flt := w.message(traces, msgTraces, 0); flt != faultNone {
		return dst, fmt.Errorf("%w: encode json: %s", ErrMalformed, flt)
	}
	return w.out, nil
}

// jsonSize is about how long the JSON of a message with small attributes is.
// Large ones hardly get longer: for them the result grows as it comes.
func jsonSize(message []byte) int { return min(5*len(message)/2, 16<<20) }

// jsonWriter is a transcoder from the wire to proto3 JSON.
type jsonWriter struct {
	out    []byte
	topKey string
}

// occurrences are the offsets of the first and the last field of one number,
// plus one; 0 means none.
type occurrences struct{ first, last int }

// message writes a message. Members come in the order of their numbers, so the
// fields are found in one pass and written in a second one.
func (w *jsonWriter) message(b []byte, id messageID, depth int) fault {
	if id == msgAnyValue {
		if depth++; depth > MaxDepth {
			return faultDepth
		}
	}
	var seen [maxKnownField + 1]occurrences
	if flt := findFields(b, id, &seen); flt != faultNone {
		return flt
	}
	w.out = append(w.out, '{')
	empty := len(w.out)
	for num := range messages[id] {
		if seen[num].first == 0 {
			continue
		}
		before := len(w.out)
		if before > empty {
			w.out = append(w.out, ',')
		}
		w.name(id, num)
		wrote, flt := w.field(b, id, protowire.Number(num), seen[num], depth)
		if flt != faultNone {
			return flt
		}
		if !wrote {
			w.out = w.out[:before]
		}
	}
	w.out = append(w.out, '}')
	return faultNone
}

// findFields fills seen for the known fields of b. Of a oneof only the last
// member stays, with what belongs to it.
func findFields(b []byte, id messageID, seen *[maxKnownField + 1]occurrences) fault {
	var member protowire.Number
	for i := 0; i < len(b); {
		f, flt := readField(b, i)
		if flt != faultNone {
			return flt
		}
		i = f.end
		known := id.known(f.num)
		if known.kind == kindUnknown {
			continue
		}
		if !known.accepts(f.typ) {
			return faultType
		}
		if known.oneof && f.num != member {
			seen[member] = occurrences{}
			member = f.num
		}
		if seen[f.num].first == 0 {
			seen[f.num].first = f.start + 1
		}
		seen[f.num].last = f.start + 1
	}
	return faultNone
}

func (w *jsonWriter) name(id messageID, num int) {
	name := messages[id][num].name
	if id == msgTraces {
		name = w.topKey
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, name...)
	w.out = append(w.out, '"', ':')
}

// field writes the value of field num, unless it is the zero value of a field
// that does not tell zero from absent.
func (w *jsonWriter) field(b []byte, id messageID, num protowire.Number, at occurrences, depth int) (wrote bool, _ fault) {
	known := id.known(num)
	if known.repeated {
		return true, w.list(b, known, num, at, depth)
	}
	last, flt := readField(b, at.last-1)
	if flt != faultNone {
		return false, flt
	}
	body := b[last.value:last.end]
	if known.kind != kindMessage {
		return w.scalar(known, last.bits, body) || known.oneof, faultNone
	}
	if at.first != at.last {
		body = joined(b, num, at)
	}
	return true, w.message(body, known.message, depth)
}

// joined returns the contents of a message that came in parts: they merge to
// the message that they are one after the other.
func joined(b []byte, num protowire.Number, at occurrences) []byte {
	var out []byte
	for part := range members(b[at.first-1:], num) {
		out = append(out, part...)
	}
	return out
}

func (w *jsonWriter) list(b []byte, known *field, num protowire.Number, at occurrences, depth int) fault {
	w.out = append(w.out, '[')
	for i := at.first - 1; i < at.last; {
		f, flt := readField(b, i)
		if flt != faultNone {
			return flt
		}
		if i = f.end; f.num != num {
			continue
		}
		if f.start >= at.first {
			w.out = append(w.out, ',')
		}
		if known.kind == kindMessage {
			if flt := w.message(b[f.value:f.end], known.message, depth); flt != faultNone {
				return flt
			}
		} else {
			w.scalar(known, f.bits, b[f.value:f.end])
		}
	}
	w.out = append(w.out, ']')
	return faultNone
}

// scalar writes a value and reports whether it is other than zero.
func (w *jsonWriter) scalar(known *field, bits uint64, body []byte) (nonzero bool) {
	switch known.kind {
	case kindString:
		w.out = AppendJSONText(w.out, body)
		return len(body) > 0
	case kindBytes, kindID:
		w.out = append(w.out, '"')
		w.out = base64.StdEncoding.AppendEncode(w.out, body)
		w.out = append(w.out, '"')
		return len(body) > 0
	case kindBool:
		w.out = strconv.AppendBool(w.out, bits != 0)
	case kindUint32, kindFixed32:
		bits = uint64(uint32(bits)) //nolint:gosec // protobuf cuts to 32 bits
		w.out = strconv.AppendUint(w.out, bits, 10)
	case kindInt64:
		w.out = append(w.out, '"')
		w.out = strconv.AppendInt(w.out, int64(bits), 10) //nolint:gosec // two's complement
		w.out = append(w.out, '"')
	case kindFixed64:
		w.out = append(w.out, '"')
		w.out = strconv.AppendUint(w.out, bits, 10)
		w.out = append(w.out, '"')
	case kindDouble:
		w.out = AppendJSONDouble(w.out, math.Float64frombits(bits))
	case kindSpanKind, kindStatusCode:
		bits = uint64(uint32(bits))             //nolint:gosec // protobuf cuts to 32 bits
		w.enum(known.kind.names(), int32(bits)) //nolint:gosec // two's complement
	case kindUnknown, kindMessage:
	}
	return bits != 0
}

func (w *jsonWriter) enum(names []string, v int32) {
	if v < 0 || int(v) >= len(names) {
		w.out = strconv.AppendInt(w.out, int64(v), 10)
		return
	}
	w.out = append(w.out, '"')
	w.out = append(w.out, names[v]...)
	w.out = append(w.out, '"')
}

// AppendJSONDouble appends the shortest number that reads back the same, and as
// text what JSON has no number for.
func AppendJSONDouble(dst []byte, v float64) []byte {
	switch abs := math.Abs(v); {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	case abs < 1<<53 && v == math.Trunc(v) && (v != 0 || !math.Signbit(v)):
		return strconv.AppendInt(dst, int64(v), 10)
	case abs != 0 && (abs < 1e-6 || abs >= 1e21):
		return strconv.AppendFloat(dst, v, 'e', -1, 64)
	default:
		return strconv.AppendFloat(dst, v, 'f', -1, 64)
	}
}
