package parquet

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v17/parquet"
)

// Page is a data page before it is written.
type Page struct {
	Rows, Nulls int
	Levels      []byte // definition levels, none of a required column
	Body        []byte // compressed or not
	RawBytes    int    // size of Body decompressed
	Encoding    Encoding
}

// Encoding is that of a chunk's data pages.
type Encoding uint8

// Codes are those of the chunk's dictionary.
const (
	Plain Encoding = iota
	Delta
	Codes
	numEncodings
)

// number is the encoding as Parquet numbers it.
func (e Encoding) number() parquet.Encoding {
	return [numEncodings]parquet.Encoding{
		parquet.Encodings.Plain, parquet.Encodings.DeltaBinaryPacked, parquet.Encodings.RLEDict,
	}[e]
}

// Numbers of the fields and values of Parquet's PageHeader, and of Thrift's
// compact protocol.
//
// Reference: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
const (
	pageTypeDictionary = 2
	pageTypeData       = 3 // version 2

	headerFieldDictionary = 7
	headerFieldData       = 8

	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftI32    = 5
	thriftStruct = 12
)

// AppendTo appends the page with its header.
func (p *Page) AppendTo(b []byte) []byte {
	b = appendPageHeader(b, pageTypeData, len(p.Levels)+p.RawBytes, len(p.Levels)+len(p.Body), headerFieldData)
	b = appendThriftI32(b, p.Rows) // values, of which the nulls are some
	b = appendThriftI32(b, p.Nulls)
	b = appendThriftI32(b, p.Rows)
	b = appendThriftI32(b, int(p.Encoding.number()))
	b = appendThriftI32(b, len(p.Levels))
	b = appendThriftI32(b, 0) // repetition levels
	compressed := byte(thriftFalse)
	if len(p.Body) < p.RawBytes {
		compressed = thriftTrue
	}
	b = append(b, 1<<4|compressed, thriftStop, thriftStop)
	b = append(b, p.Levels...)
	return append(b, p.Body...)
}

// AppendDictionaryHeader appends what stands before a dictionary page of plain
// values: rawBytes of them, of which storedBytes follow.
func AppendDictionaryHeader(b []byte, rawBytes, storedBytes, entries int) []byte {
	b = appendPageHeader(b, pageTypeDictionary, rawBytes, storedBytes, headerFieldDictionary)
	b = appendThriftI32(b, entries)
	b = appendThriftI32(b, int(parquet.Encodings.Plain))
	return append(b, thriftStop, thriftStop)
}

// appendPageHeader appends the first three fields of a PageHeader, and begins
// the struct for its type of page.
func appendPageHeader(b []byte, pageType, raw, stored, field int) []byte {
	b = appendThriftI32(b, pageType)
	b = appendThriftI32(b, raw)
	b = appendThriftI32(b, stored)
	return append(b, byte(field-3)<<4|thriftStruct)
}

// appendThriftI32 appends a number in the field behind the one before.
func appendThriftI32(b []byte, v int) []byte {
	return binary.AppendVarint(append(b, 1<<4|thriftI32), int64(v))
}
