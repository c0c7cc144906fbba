package otlp

import (
	"cmp"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/spanlake/spanlake/schema"
)

// Rules are what a project asks of spans. The zero value asks nothing.
type Rules struct {
	// OldestEnd is the end that a span must have at least, Unix nanoseconds; one
	// that ends before it begins ends at its start, and a piece of one without
	// times when it was sent. 0: any.
	OldestEnd uint64
	// MaxAttributeBytes bounds the attributes of spans, events, links, scopes and
	// resources, key and value as they are encoded. 0: no bound. That of a scope
	// or resource counts for all of its spans.
	MaxAttributeBytes int
	// ListTraces asks for Split.Traces.
	ListTraces bool
	// Expired and TooLarge tell a reader which setting a rejected span breaks.
	Expired, TooLarge string
}

func (r *Rules) any() bool { return r.OldestEnd > 0 || r.MaxAttributeBytes > 0 }

// around looks at the attributes of a resource or scope, of which the field
// that holds it has that number in the message, before its spans are read. It
// returns what is wrong with one, "" if nothing is.
func (c *scanner) around(message []byte, holder, attributes protowire.Number, what string) string {
	if c.rules.MaxAttributeBytes == 0 {
		return ""
	}
	for inner := range members(message, holder) {
		for attribute := range members(inner, attributes) {
			if why := c.oversize(attribute); why != "" {
				return what + " " + why
			}
		}
	}
	return ""
}

// keepsRules rejects a valid span that does not keep the rules.
func (c *scanner) keepsRules(span []byte) bool {
	if why := cmp.Or(c.badResource, c.badScope); why != "" {
		c.out.TooLarge++
		c.reject(span, why)
		return false
	}
	var times schema.Span
	for i := 0; i < len(span); {
		f, flt := readField(span, i)
		if flt != faultNone {
			return true // it was checked
		}
		i = f.end
		switch {
		case f.num == spanStart && f.typ == protowire.Fixed64Type:
			times.StartNanos = f.bits
		case f.num == spanEnd && f.typ == protowire.Fixed64Type:
			times.EndNanos = f.bits
		case f.num == spanFragment:
			if kind, nanos, ok := fragmentOf(f, span); ok {
				times.Fragment, times.FragmentNanos = kind, nanos
			}
		case c.rules.MaxAttributeBytes == 0 || f.typ != protowire.BytesType:
		case f.num == spanAttributes && !c.fits(span, span[f.value:f.end]),
			f.num == spanEvents && !c.allFit(span, span[f.value:f.end], eventAttributes),
			f.num == spanLinks && !c.allFit(span, span[f.value:f.end], linkAttributes):
			return false
		}
	}
	if end := times.LastNanos(); end < c.rules.OldestEnd {
		c.out.Expired++
		c.reject(span, fmt.Sprintf("it ended at %s, and %s", time.Unix(0, int64(end)).UTC().Format(time.RFC3339), c.rules.Expired)) //nolint:gosec // only shown
		return false
	}
	return true
}

// allFit looks at the attributes within an event or a link.
func (c *scanner) allFit(span, message []byte, attributes protowire.Number) bool {
	for i := 0; i < len(message); {
		f, flt := readField(message, i)
		if flt != faultNone {
			break
		}
		if i = f.end; f.num == attributes && f.typ == protowire.BytesType && !c.fits(span, message[f.value:f.end]) {
			return false
		}
	}
	return true
}

// fits rejects the span of an attribute that is too large.
func (c *scanner) fits(span, attribute []byte) bool {
	why := c.oversize(attribute)
	if why == "" {
		return true
	}
	c.out.TooLarge++
	c.reject(span, why)
	return false
}

// oversize says that an attribute is too large, "" if it is not.
func (c *scanner) oversize(attribute []byte) string {
	if len(attribute) <= c.rules.MaxAttributeBytes {
		return ""
	}
	var key []byte
	if f, flt := readField(attribute, 0); flt == faultNone && f.num == keyValueKey && f.typ == protowire.BytesType {
		key = attribute[f.value:f.end]
	}
	return fmt.Sprintf("attribute %.*q has %d bytes, and %s", maxQuotedName, key, len(attribute), c.rules.TooLarge)
}
