package block

import (
	"encoding/binary"

	"github.com/apache/arrow/go/v17/parquet"
)

// encodedPage is a data page before it is written.
type encodedPage struct {
	rows, nulls int
	levels      []byte // definition levels, none of a required column
	body        []byte // compressed or not
	raw         int    // size of body decompressed
}

// Numbers of the fields and values of Parquet's PageHeader.
//
// Reference: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
const (
	pageTypeDictionary = 2
	pageTypeData       = 3 // version 2

	headerFieldDictionary = 7
	headerFieldData       = 8
)

// parquetEncoding is the encoding of a chunk's data pages as Parquet numbers
// it.
func (e pageEncoding) parquet() parquet.Encoding {
	return [numEncodings]parquet.Encoding{
		parquet.Encodings.Plain, parquet.Encodings.DeltaBinaryPacked, parquet.Encodings.RLEDict,
	}[e]
}

// appendTo appends the page with its header.
func (p *encodedPage) appendTo(b []byte, encoding pageEncoding) []byte {
	b = appendPageHeader(b, pageTypeData, len(p.levels)+p.raw, len(p.levels)+len(p.body), headerFieldData)
	b = appendThriftI32(b, p.rows) // values, of which the nulls are some
	b = appendThriftI32(b, p.nulls)
	b = appendThriftI32(b, p.rows)
	b = appendThriftI32(b, int(encoding.parquet()))
	b = appendThriftI32(b, len(p.levels))
	b = appendThriftI32(b, 0) // repetition levels
	compressed := byte(thriftFalse)
	if len(p.body) < p.raw {
		compressed = thriftTrue
	}
	b = append(b, 1<<4|compressed, thriftStop, thriftStop)
	b = append(b, p.levels...)
	return append(b, p.body...)
}

// appendDictionaryHeader appends what stands before a dictionary page.
func appendDictionaryHeader(b []byte, raw, stored, entries int) []byte {
	b = appendPageHeader(b, pageTypeDictionary, raw, stored, headerFieldDictionary)
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
