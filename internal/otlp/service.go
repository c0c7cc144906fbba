package otlp

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// WithServiceName returns a resource that has the attribute service.name besides those
// of r, which has none and stays as it is.
func WithServiceName(r *schema.Resource, name string) *schema.Resource {
	attribute := AppendKeyValue(nil, resourceAttributes, "service.name", schema.Value{Kind: schema.KindString, Str: name})
	wire := make([]byte, 0, len(r.Wire)+len(attribute)+2*protowire.SizeVarint(1<<32))
	done := false
	for i := 0; i < len(r.Wire); {
		f, flt := readField(r.Wire, i)
		if flt != faultNone {
			break
		}
		if f.num == resourceSpansResource && f.typ == protowire.BytesType && !done {
			wire = appendBytesField(wire, resourceSpansResource, slices.Concat(r.Wire[f.value:f.end], attribute))
			done = true
		} else {
			wire = append(wire, r.Wire[i:f.end]...)
		}
		i = f.end
	}
	if !done {
		wire = appendBytesField(wire, resourceSpansResource, attribute)
	}
	return ParseResource(wire)
}
