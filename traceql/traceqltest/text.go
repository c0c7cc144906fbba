package traceqltest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spanlake/spanlake/schema"
)

// ValueText is a value as scripts write it.
func ValueText(v schema.Value) string {
	switch v.Kind {
	case schema.KindString:
		return strconv.Quote(v.Str)
	case schema.KindBool:
		return strconv.FormatBool(v.Bool)
	case schema.KindInt:
		return strconv.FormatInt(v.Int, 10)
	case schema.KindDouble:
		text := strconv.FormatFloat(v.Double, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eIN") {
			text += ".0"
		}
		return text
	case schema.KindBytes:
		return "b" + strconv.Quote(v.Str)
	case schema.KindArray:
		items := make([]string, len(v.Array))
		for i, item := range v.Array {
			items[i] = ValueText(item)
		}
		return "[" + strings.Join(items, ",") + "]"
	case schema.KindMap:
		items := make([]string, len(v.Map))
		for i, item := range v.Map {
			items[i] = fmt.Sprintf("%q:%s", item.Key, ValueText(item.Value))
		}
		return "{" + strings.Join(items, ",") + "}"
	case schema.KindEmpty:
	}
	return "nil"
}
