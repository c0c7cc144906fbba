package otlp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// FromJSON turns an OTLP/JSON request into an ExportTraceServiceRequest message.
//
// Names are lowerCamelCase or snake_case, ids hexadecimal digits of either case
// and any even number, bytes base64 of either alphabet, enums numbers or names,
// 64-bit integers numbers or text. Unknown members and nulls are ignored, a null
// in an arrayValue is an empty value; the order of attributes stays. Ids of the
// wrong length stay too: Split rejects those spans. Text is kept byte for byte
// where it is not UTF-8. Returns an error that wraps ErrMalformed and names the
// offset if body is not JSON or a value is not of its member's type.
func FromJSON(body []byte) ([]byte, error) { return fromJSON(body, msgTraces) }

func fromJSON(body []byte, root messageID) ([]byte, error) {
	// The wire form is hardly ever longer than the text.
	d := jsonReader{jsonScanner: jsonScanner{in: body}, out: make([]byte, 0, len(body))}
	d.space()
	if err := d.message(root); err != nil {
		return nil, err
	}
	if d.space(); d.pos < len(d.in) {
		return nil, d.fail("text after the end")
	}
	return d.assemble(), nil
}

// jsonReader is a transcoder from JSON to the wire. A message's length stands
// before its contents but is known only behind them. So out gets everything but
// those lengths, and assemble puts them in: linear however deep it nests.
type jsonReader struct {
	jsonScanner

	out     []byte
	lengths []pendingLength // in the order of their places
	extra   int             // bytes that the lengths of closed messages take
	scratch []byte
}

// pendingLength is a message's length and its place in out.
type pendingLength struct{ at, length int }

func (d *jsonReader) assemble() []byte {
	wire := make([]byte, 0, len(d.out)+d.extra)
	done := 0
	for _, l := range d.lengths {
		wire = append(wire, d.out[done:l.at]...)
		wire = protowire.AppendVarint(wire, uint64(l.length)) //nolint:gosec // lengths are not negative
		done = l.at
	}
	return append(wire, d.out[done:]...)
}

// message reads an object as the contents of message id.
func (d *jsonReader) message(id messageID) error {
	if err := d.enter('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.next('}', first)
		if err != nil || !more {
			return err
		}
		name, err := d.text()
		if err != nil {
			return err
		}
		num := memberNumber(id, name)
		if err := d.colon(); err != nil {
			return err
		}
		if num == 0 {
			err = d.skip()
		} else {
			err = d.member(num, id.known(num))
		}
		if err != nil {
			return err
		}
	}
}

// memberNumber returns the number of the field with the JSON name, 0 without one.
func memberNumber(id messageID, name []byte) protowire.Number {
	fields := messages[id]
	for num := range fields {
		if string(name) == fields[num].name && num > 0 {
			return protowire.Number(num) //nolint:gosec // at most maxKnownField
		}
	}
	for num := range fields {
		if num > 0 && isSnakeCase(name, fields[num].name) {
			return protowire.Number(num) //nolint:gosec // at most maxKnownField
		}
	}
	return 0
}

// isSnakeCase reports whether name is camel written with underscores.
func isSnakeCase(name []byte, camel string) bool {
	i := 0
	for _, c := range []byte(camel) {
		if c >= 'A' && c <= 'Z' {
			if i >= len(name) || name[i] != '_' {
				return false
			}
			i++
			c += 'a' - 'A'
		}
		if i >= len(name) || name[i] != c {
			return false
		}
		i++
	}
	return i == len(name) && i > 0
}

func (d *jsonReader) member(num protowire.Number, known *field) error {
	if isNull, err := d.null(); isNull || err != nil {
		return err
	}
	if !known.repeated {
		return d.value(num, known)
	}
	if err := d.enter('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.next(']', first)
		if err != nil || !more {
			return err
		}
		isNull, err := d.null()
		switch {
		case err != nil:
			return err
		case !isNull:
			err = d.value(num, known)
		case known.message == msgAnyValue:
			// Its place in the list has a meaning, so it must not vanish.
			d.close(d.open(num))
		}
		if err != nil {
			return err
		}
	}
}

// open starts a message field; close ends it.
func (d *jsonReader) open(num protowire.Number) (index, extra int) {
	d.out = protowire.AppendTag(d.out, num, protowire.BytesType)
	d.lengths = append(d.lengths, pendingLength{at: len(d.out)})
	return len(d.lengths) - 1, d.extra
}

func (d *jsonReader) close(index, extra int) {
	l := &d.lengths[index]
	l.length = len(d.out) - l.at + d.extra - extra
	d.extra += protowire.SizeVarint(uint64(l.length)) //nolint:gosec // lengths are not negative
}

// value reads one value and writes it as field num.
func (d *jsonReader) value(num protowire.Number, known *field) error {
	if known.kind == kindMessage {
		index, extra := d.open(num)
		err := d.message(known.message)
		d.close(index, extra)
		return err
	}
	typ := known.kind.wireType()
	if typ == protowire.BytesType {
		return d.bytes(num, known.kind)
	}
	start := d.pos
	bits, ok, err := d.number(known.kind)
	if err != nil {
		return err
	}
	if !ok {
		d.pos = start
		return d.fail("the value of " + known.name + " is of the wrong type or out of range")
	}
	d.out = protowire.AppendTag(d.out, num, typ)
	switch typ {
	case protowire.Fixed64Type:
		d.out = protowire.AppendFixed64(d.out, bits)
	case protowire.Fixed32Type:
		d.out = protowire.AppendFixed32(d.out, uint32(bits)) //nolint:gosec // number checks the range
	case protowire.VarintType:
		d.out = protowire.AppendVarint(d.out, bits)
	case protowire.BytesType, protowire.StartGroupType, protowire.EndGroupType:
	}
	return nil
}

// bytes reads text, and what text stands for.
func (d *jsonReader) bytes(num protowire.Number, k kind) error {
	start := d.pos
	s, err := d.text()
	if err != nil {
		return err
	}
	switch k {
	case kindID:
		d.scratch, err = hex.AppendDecode(d.scratch[:0], s)
		s = d.scratch
	case kindBytes:
		d.scratch, err = appendBase64(d.scratch[:0], s)
		s = d.scratch
	default: // the text is the value
	}
	if err != nil {
		d.pos = start
		return d.fail(err.Error())
	}
	d.out = protowire.AppendBytes(protowire.AppendTag(d.out, num, protowire.BytesType), s)
	return nil
}

// appendBase64 decodes either alphabet, padded or not.
func appendBase64(dst, s []byte) ([]byte, error) {
	s = bytes.TrimRight(s, "=")
	if bytes.ContainsAny(s, "-_") {
		return base64.RawURLEncoding.AppendDecode(dst, s)
	}
	return base64.RawStdEncoding.AppendDecode(dst, s)
}

// number reads a value of a kind that is not text, as its bits on the wire. ok
// is false if it is JSON but not such a value.
func (d *jsonReader) number(k kind) (bits uint64, ok bool, err error) {
	token, quoted, err := d.scalar()
	if err != nil {
		return 0, false, err
	}
	s := string(token)
	switch k {
	case kindBool:
		return protowire.EncodeBool(s == "true"), !quoted && (s == "true" || s == "false"), nil
	case kindSpanKind, kindStatusCode:
		if quoted {
			v := slices.Index(k.names(), s)
			return uint64(v), v >= 0, nil //nolint:gosec // used only if not negative
		}
		v, err := strconv.ParseInt(wholeNumber(s), 10, 32)
		return uint64(v), err == nil, nil //nolint:gosec // two's complement
	case kindInt64:
		v, err := strconv.ParseInt(wholeNumber(s), 10, 64)
		return uint64(v), err == nil, nil //nolint:gosec // two's complement
	case kindUint32, kindFixed32:
		v, err := strconv.ParseUint(wholeNumber(s), 10, 32)
		return v, err == nil, nil
	case kindFixed64:
		v, err := strconv.ParseUint(wholeNumber(s), 10, 64)
		return v, err == nil, nil
	default:
		v, ok := parseDouble(s, quoted)
		return math.Float64bits(v), ok, nil
	}
}

func parseDouble(s string, quoted bool) (float64, bool) {
	switch {
	case quoted && s == "NaN":
		return math.NaN(), true
	case quoted && s == "Infinity":
		return math.Inf(1), true
	case quoted && s == "-Infinity":
		return math.Inf(-1), true
	case !isNumber(s):
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// wholeNumber writes a JSON number that has a fraction or an exponent but a
// whole value without them, without a detour over floating point. It returns ""
// for what is no number or not whole.
func wholeNumber(s string) string {
	if !isNumber(s) {
		return ""
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	if fraction == "" && exponent == "" {
		return s
	}
	digits, negative := strings.CutPrefix(whole+fraction, "-")
	digits = strings.TrimLeft(digits, "0")
	significant := strings.TrimRight(digits, "0")
	if significant == "" {
		return "0"
	}
	shift := 0
	if exponent != "" {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil {
			return ""
		}
	}
	// No 64-bit number has more than 20 digits.
	zeros := shift - len(fraction) + len(digits) - len(significant)
	if zeros < 0 || zeros > 20 {
		return ""
	}
	if significant += strings.Repeat("0", zeros); negative {
		return "-" + significant
	}
	return significant
}
