package mcp

import (
	"encoding/base64"
	"math"
	"strconv"
	"time"

	"github.com/spanlake/spanlake/internal/otlp"
	"github.com/spanlake/spanlake/schema"
)

// plain is a value in a reply: a number or a truth as it is, everything else as a text
// that is cut.
func plain(v *schema.Value, limit int) any {
	switch v.Kind {
	case schema.KindBool:
		return v.Bool
	case schema.KindInt:
		return v.Int
	case schema.KindDouble:
		if number := v.Double; number-number == 0 {
			return number
		}
	case schema.KindEmpty:
		return nil
	case schema.KindString, schema.KindBytes, schema.KindArray, schema.KindMap:
	}
	return cut(textOf(v), limit)
}

// textOf is a value as text: lists and maps as JSON, bytes in base64.
func textOf(v *schema.Value) string {
	switch v.Kind {
	case schema.KindString:
		return v.Str
	case schema.KindBytes:
		return base64.StdEncoding.EncodeToString([]byte(v.Str))
	case schema.KindEmpty, schema.KindBool, schema.KindInt, schema.KindDouble, schema.KindArray, schema.KindMap:
	}
	return string(appendValue(nil, v))
}

// appendValue appends a value as JSON.
func appendValue(dst []byte, v *schema.Value) []byte {
	switch v.Kind {
	case schema.KindString, schema.KindBytes:
		return otlp.AppendJSONText(dst, valid(textOf(v)))
	case schema.KindBool:
		return strconv.AppendBool(dst, v.Bool)
	case schema.KindInt:
		return strconv.AppendInt(dst, v.Int, 10)
	case schema.KindDouble:
		return otlp.AppendJSONDouble(dst, v.Double)
	case schema.KindArray:
		dst = append(dst, '[')
		for i := range v.Array {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, &v.Array[i])
		}
		return append(dst, ']')
	case schema.KindMap:
		dst = append(dst, '{')
		for i := range v.Map {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(otlp.AppendJSONText(dst, valid(v.Map[i].Key)), ':')
			dst = appendValue(dst, &v.Map[i].Value)
		}
		return append(dst, '}')
	case schema.KindEmpty:
	}
	return append(dst, "null"...)
}

// millis are nanoseconds as milliseconds, to the microsecond.
func millis(nanos int64) float64 { return math.Round(float64(nanos)/1e3) / 1e3 }

func timeText(nanos uint64) string {
	return time.Unix(0, int64(nanos)).UTC().Format(time.RFC3339Nano) //nolint:gosec // a time
}
