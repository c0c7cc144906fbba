package block

// footer is what Describe takes from the Parquet footer.
//
// Reference: FileMetaData in https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
type footer struct {
	rows      int64
	groups    []footerGroup
	metadata  []Metadata
	createdBy string
}

// Metadata is an entry of the Parquet footer's key-value metadata.
type Metadata struct{ Key, Value string }

// footerGroup is a RowGroup of the footer.
type footerGroup struct {
	rows  int64
	nulls []int64 // by column, -1 where the footer does not say
}

// Numbers of the fields that are read.
const (
	fieldFileRows      = 3
	fieldFileGroups    = 4
	fieldFileMetadata  = 5
	fieldFileCreatedBy = 6

	fieldGroupColumns = 1
	fieldGroupRows    = 3

	fieldChunkMetadata   = 3
	fieldChunkStatistics = 12
	fieldStatisticsNulls = 3

	fieldKey   = 1
	fieldValue = 2
)

// parseFooter reads a Parquet footer without its frame. What is allocated is
// bounded by len(b). The error is errStructure or errTruncated.
func parseFooter(b []byte) (footer, error) {
	c := &cursor{b: b}
	var f footer
	c.thriftStruct(func(field int, kind byte) bool {
		switch {
		case field == fieldFileRows && kind == thriftI64:
			f.rows = c.zigzag()
		case field == fieldFileGroups && kind == thriftList:
			c.thriftStructs(func() { f.groups = append(f.groups, c.footerGroup()) })
		case field == fieldFileMetadata && kind == thriftList:
			c.thriftStructs(func() { f.metadata = append(f.metadata, c.footerMetadata()) })
		case field == fieldFileCreatedBy && kind == thriftBinary:
			f.createdBy = string(c.thriftBytes())
		default:
			return false
		}
		return true
	})
	if len(c.b) > 0 {
		c.fail(errStructure)
	}
	return f, c.err
}

func (c *cursor) footerGroup() (g footerGroup) {
	c.thriftStruct(func(field int, kind byte) bool {
		switch {
		case field == fieldGroupColumns && kind == thriftList:
			c.thriftStructs(func() {
				nulls := int64(-1)
				c.thriftStruct(c.inStruct(fieldChunkMetadata, c.inStruct(fieldChunkStatistics, func(field int, kind byte) bool {
					if field != fieldStatisticsNulls || kind != thriftI64 {
						return false
					}
					nulls = c.zigzag()
					return true
				})))
				g.nulls = append(g.nulls, nulls)
			})
		case field == fieldGroupRows && kind == thriftI64:
			g.rows = c.zigzag()
		default:
			return false
		}
		return true
	})
	return g
}

// inStruct reads the struct in the given field by read, and passes over others.
func (c *cursor) inStruct(number int, read func(field int, kind byte) bool) func(field int, kind byte) bool {
	return func(field int, kind byte) bool {
		if field != number || kind != thriftStruct {
			return false
		}
		c.thriftStruct(read)
		return true
	}
}

func (c *cursor) footerMetadata() (m Metadata) {
	c.thriftStruct(func(field int, kind byte) bool {
		switch {
		case field == fieldKey && kind == thriftBinary:
			m.Key = string(c.thriftBytes())
		case field == fieldValue && kind == thriftBinary:
			m.Value = string(c.thriftBytes())
		default:
			return false
		}
		return true
	})
	return m
}

// agrees reports whether the footer, which other programs read, describes the
// same rows as the directory.
func (f *footer) agrees(d *directory) bool {
	if f.rows != int64(d.rows) || len(f.groups) != len(d.groups) {
		return false
	}
	for i, g := range f.groups {
		if g.rows != int64(d.groups[i].rows()) || len(g.nulls) != len(d.columns) {
			return false
		}
	}
	return true
}
