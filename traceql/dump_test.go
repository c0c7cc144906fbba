package traceql_test

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/spanlake/spanlake/traceql"
)

// dump spells a query node by node without the printer and without places, so
// that two queries have the same dump only if they mean the same.
func dump(q *traceql.Query) string {
	var b strings.Builder
	writeNode(&b, reflect.ValueOf(q))
	return b.String()
}

func writeNode(b *strings.Builder, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			b.WriteString("nil")
			return
		}
		writeNode(b, v.Elem())
	case reflect.Slice:
		b.WriteByte('[')
		for i := range v.Len() {
			writeNode(b, v.Index(i))
			b.WriteByte(' ')
		}
		b.WriteByte(']')
	case reflect.Struct:
		b.WriteString(v.Type().Name() + "{")
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				writeNode(b, v.Field(i))
				b.WriteByte(' ')
			}
		}
		b.WriteByte('}')
	default:
		fmt.Fprintf(b, "%#v", v.Interface())
	}
}
