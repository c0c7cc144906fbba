package tempopb

import (
	"iter"
	"slices"
)

// MaxMessageBytes is the size that messages of a stream are cut at. Clients
// take up to 4 MiB unless told otherwise.
const MaxMessageBytes = 1 << 20

// Reply is a message with one list of elements, which is what makes it long,
// and something that every part of it repeats.
type Reply interface {
	// elements is the number of elements.
	elements() int
	// element writes element i, or with a cut above 0 less and less of it. It
	// is false if no more can be left out.
	element(e *encoder, i, cut int) bool
	// list is the field of the elements.
	list() (name string, always bool)
	// rest writes what follows the elements.
	rest(e *encoder)
}

// Append appends the whole reply.
func Append(dst []byte, f Format, r Reply) []byte {
	e := newEncoder(dst, f)
	if e.json {
		e.raw("{")
	}
	name, always := r.list()
	if n := r.elements(); n > 0 || always {
		e.list(1, name)
		for i := range n {
			if i == typical {
				e.reserve(len(e.out)-len(dst), n-i)
			}
			r.element(e, i, 0)
		}
		e.endList()
	}
	r.rest(e)
	if e.json {
		e.raw("}")
	}
	return e.out
}

const (
	// typical is how many elements tell how long the others are about.
	typical = 16
	// maxReserve bounds the room for them: they may be unlike.
	maxReserve = 4 << 20
)

// reserve makes room for more elements, typical ones having taken so many bytes: to
// grow by and by copies a long reply several times.
func (e *encoder) reserve(size, more int) {
	e.out = slices.Grow(e.out, min(size/typical*more/8*9, maxReserve))
}

// Messages yields the reply in protobuf as messages of at most so many bytes,
// at least one. Each has some of the elements and all the rest. An element that
// does not fit is shortened; only one that cannot be makes a message longer.
// The receiver owns the messages.
func Messages(r Reply, most int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		rest := newEncoder(nil, Protobuf)
		r.rest(rest)
		room := max(most-len(rest.out), 0)
		e := newEncoder(nil, Protobuf)
		for i := range r.elements() {
			begin := len(e.out)
			r.element(e, i, 0)
			if len(e.out) <= room {
				continue
			}
			last := slices.Clone(e.out[begin:])
			if begin > 0 && !yield(append(e.out[:begin], rest.out...)) {
				return
			}
			e.out = fit(r, i, last, room)
		}
		yield(append(e.out, rest.out...))
	}
}

// fit returns the element, shortened until there is room.
func fit(r Reply, i int, whole []byte, room int) []byte {
	for cut := 1; len(whole) > room; cut++ {
		e := newEncoder(whole[:0], Protobuf)
		more := r.element(e, i, cut)
		if whole = e.out; !more {
			break
		}
	}
	return whole
}
