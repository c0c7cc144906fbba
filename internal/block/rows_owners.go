package block

import (
	"encoding/binary"

	"github.com/spanlake/spanlake/schema"
)

// owners are the resources and scopes that rows of a group share.
type owners struct {
	resources map[[2]uint32]*schema.Resource
	scopes    map[[3]uint32]*schema.Scope
	// What values of columns without a dictionary are numbered by, for one
	// chunk: there may be as many as rows.
	numbers map[string]uint32

	wire, name, version values
}

func (o *owners) init() {
	o.resources = make(map[[2]uint32]*schema.Resource)
	o.scopes = make(map[[3]uint32]*schema.Scope)
	o.numbers = make(map[string]uint32)
}

// number is that of a row's value: its code if it has one.
func (o *owners) number(v *values, i int) uint32 {
	if v.dict != nil {
		return v.codes[i]
	}
	text := v.text(i)
	n, ok := o.numbers[alias(text)]
	if !ok {
		n = uint32(len(o.numbers))
		o.numbers[string(text)] = n
	}
	return n
}

// forget lets go of numbers that the next chunk gives to other values.
func (o *owners) forget(list ...*values) {
	for _, v := range list {
		if v.dict == nil && v.bytes != nil {
			clear(o.numbers)
			clear(o.resources)
			clear(o.scopes)
			return
		}
	}
}

func (r *rowReader) resources(t *task, dst []schema.Span) error {
	if !r.wanted.has[colServiceName] && !r.wanted.Resource {
		for i := range dst {
			dst[i].Resource = &noResource
		}
		return nil
	}
	o := &r.owners
	if err := r.load(&o.name, r.fixed(colServiceName), t.rows); err != nil {
		return err
	}
	if r.wanted.Resource {
		if err := r.load(&o.wire, r.fixed(colResource), t.rows); err != nil {
			return err
		}
	}
	for i := range dst {
		var key [2]uint32
		key[0] = o.number(&o.name, i)
		if r.wanted.Resource {
			key[1] = o.number(&o.wire, i)
		}
		shared, ok := o.resources[key]
		if !ok {
			shared = &schema.Resource{ServiceName: string(o.name.text(i))}
			if r.wanted.Resource {
				shared.Wire = fragment(o.wire.text(i))
			}
			o.resources[key] = shared
		}
		dst[i].Resource = shared
	}
	o.forget(&o.name, &o.wire)
	return nil
}

func (r *rowReader) scopes(t *task, dst []schema.Span) error {
	if !r.wanted.has[colScopeName] && !r.wanted.Scope {
		for i := range dst {
			dst[i].Scope = &noScope
		}
		return nil
	}
	o := &r.owners
	if err := r.load(&o.name, r.fixed(colScopeName), t.rows); err != nil {
		return err
	}
	if err := r.load(&o.version, r.fixed(colScopeVersion), t.rows); err != nil {
		return err
	}
	if r.wanted.Scope {
		if err := r.load(&o.wire, r.fixed(colScope), t.rows); err != nil {
			return err
		}
	}
	for i := range dst {
		key := [3]uint32{o.number(&o.name, i), o.number(&o.version, i)}
		if r.wanted.Scope {
			key[2] = o.number(&o.wire, i)
		}
		shared, ok := o.scopes[key]
		if !ok {
			shared = &schema.Scope{Name: string(o.name.text(i)), Version: string(o.version.text(i))}
			if r.wanted.Scope {
				shared.Wire = fragment(o.wire.text(i))
			}
			o.scopes[key] = shared
		}
		dst[i].Scope = shared
	}
	o.forget(&o.name, &o.version, &o.wire)
	return nil
}

// fragment copies a message out of a dictionary, so that keeping it does not
// keep the dictionary. It is nil when empty.
func fragment(text []byte) []byte {
	if len(text) == 0 {
		return nil
	}
	return append([]byte(nil), text...)
}

// putID writes the bytes of an id that were read as a big-endian number.
func putID(id *schema.SpanID, v uint64) { binary.BigEndian.PutUint64(id[:], v) }
