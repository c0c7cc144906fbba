package block

import "math"

// Types of Thrift's compact protocol.
//
// Reference: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// maxThriftDepth is far above what a footer nests.
const maxThriftDepth = 32

// thriftStruct reads a struct and passes over the fields that read returns
// false for, having read nothing.
func (c *cursor) thriftStruct(read func(field int, kind byte) bool) {
	field := int64(0)
	for {
		header := c.byte()
		kind := header & 0x0f
		if kind == thriftStop {
			return
		}
		if step := header >> 4; step > 0 {
			field += int64(step)
		} else {
			field = c.zigzag()
		}
		if !read(int(int16(field)), kind) {
			c.thriftSkip(kind, maxThriftDepth)
		}
	}
}

// thriftStructs reads a list of structs, each by one call.
func (c *cursor) thriftStructs(read func()) {
	n, kind := c.thriftListHeader()
	if kind != thriftStruct && n > 0 {
		c.fail(errStructure)
	}
	for ; n > 0 && c.err == nil; n-- {
		read()
	}
}

// thriftListHeader returns the number of elements, each of at least a byte.
func (c *cursor) thriftListHeader() (n int, kind byte) {
	header := c.byte()
	n, kind = int(header>>4), header&0x0f
	if n == 15 {
		n = c.count(1)
	}
	return n, kind
}

func (c *cursor) thriftBytes() []byte { return c.take(int(c.uvarint(math.MaxInt32))) }

func (c *cursor) zigzag() int64 {
	v := c.uvarint(math.MaxUint64)
	return int64(v>>1) ^ -int64(v&1)
}

// thriftSkip passes over a value. A bool of a field is in the field's header,
// one of a list is a byte: thriftSkipAll.
func (c *cursor) thriftSkip(kind byte, depth int) {
	if depth == 0 {
		c.fail(errStructure)
		return
	}
	switch kind {
	case thriftTrue, thriftFalse:
	case thriftByte:
		c.take(1)
	case thriftI16, thriftI32, thriftI64:
		c.uvarint(math.MaxUint64)
	case thriftDouble:
		c.take(8)
	case thriftBinary:
		c.thriftBytes()
	case thriftList, thriftSet:
		n, element := c.thriftListHeader()
		c.thriftSkipAll(n, depth-1, element)
	case thriftMap:
		n := c.count(2)
		if n > 0 {
			kinds := c.byte()
			c.thriftSkipAll(n, depth-1, kinds>>4, kinds&0x0f)
		}
	case thriftStruct:
		c.thriftStructSkip(depth - 1)
	default:
		c.fail(errStructure)
	}
}

func (c *cursor) thriftStructSkip(depth int) {
	c.thriftStruct(func(_ int, kind byte) bool {
		c.thriftSkip(kind, depth)
		return true
	})
}

// thriftSkipAll passes over n elements that consist of values of these kinds.
func (c *cursor) thriftSkipAll(n, depth int, kinds ...byte) {
	for ; n > 0 && c.err == nil; n-- {
		for _, kind := range kinds {
			if kind == thriftTrue || kind == thriftFalse {
				kind = thriftByte
			}
			c.thriftSkip(kind, depth)
		}
	}
}
