package llm

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// appendValueJSON appends a value as JSON: bytes in base64, a double so that it stays
// one, and what JSON has no number for as text.
func appendValueJSON(dst []byte, v *schema.Value) []byte {
	switch v.Kind {
	case schema.KindString:
		return otlp.AppendJSONText(dst, v.Str)
	case schema.KindBytes:
		return otlp.AppendJSONText(dst, base64.StdEncoding.EncodeToString([]byte(v.Str)))
	case schema.KindBool:
		return strconv.AppendBool(dst, v.Bool)
	case schema.KindInt:
		return strconv.AppendInt(dst, v.Int, 10)
	case schema.KindDouble:
		return appendDouble(dst, v.Double)
	case schema.KindArray:
		dst = append(dst, '[')
		for i := range v.Array {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValueJSON(dst, &v.Array[i])
		}
		return append(dst, ']')
	case schema.KindMap:
		dst = append(dst, '{')
		for i := range v.Map {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(otlp.AppendJSONText(dst, v.Map[i].Key), ':')
			dst = appendValueJSON(dst, &v.Map[i].Value)
		}
		return append(dst, '}')
	case schema.KindEmpty:
	}
	return append(dst, "null"...)
}

func appendDouble(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return otlp.AppendJSONText(dst, strconv.FormatFloat(f, 'g', -1, 64))
	}
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return append(dst, s...)
}
