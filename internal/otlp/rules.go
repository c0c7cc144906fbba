package otlp

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Rules are what a project asks of spans. The zero value asks nothing.
type Rules struct {
	// OldestEnd is the end that a span must have at least, Unix nanoseconds; one
	// that ends before it begins ends at its start. 0: any.
	OldestEnd uint64
	// MaxAttributeBytes bounds the attributes of spans, events and links, key
	// and value as they are encoded. 0: no bound.
	MaxAttributeBytes int
	// Expired and TooLarge tell a reader which setting a rejected span breaks.
	Expired, TooLarge string
}

func (r *Rules) any() bool { return r.OldestEnd > 0 || r.MaxAttributeBytes > 0 }

// keepsRules rejects a valid span that does not keep the rules.
func (c *scanner) keepsRules(span []byte) bool {
	var start, end uint64
	for i := 0; i < len(span); {
		f, flt := readField(span, i)
		if flt != faultNone {
			return true // it was checked
		}
		i = f.end
		switch {
		case f.num == spanStart && f.typ == protowire.Fixed64Type:
			start = f.bits
		case f.num == spanEnd && f.typ == protowire.Fixed64Type:
			end = f.bits
		case c.rules.MaxAttributeBytes == 0 || f.typ != protowire.BytesType:
		case f.num == spanAttributes && !c.fits(span, span[f.value:f.end]),
			f.num == spanEvents && !c.allFit(span, span[f.value:f.end], eventAttributes),
			f.num == spanLinks && !c.allFit(span, span[f.value:f.end], linkAttributes):
			return false
		}
	}
	if end = max(start, end); end < c.rules.OldestEnd {
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
	if len(attribute) <= c.rules.MaxAttributeBytes {
		return true
	}
	var key []byte
	if f, flt := readField(attribute, 0); flt == faultNone && f.num == keyValueKey && f.typ == protowire.BytesType {
		key = attribute[f.value:f.end]
	}
	c.out.TooLarge++
	c.reject(span, fmt.Sprintf("attribute %.*q has %d bytes, and %s", maxQuotedName, key, len(attribute), c.rules.TooLarge))
	return false
}
