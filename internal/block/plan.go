package block

import (
	"math"

	"github.com/spanlake/spanlake/schema"
)

const (
	// maxPageRows is the rows of a page and of a chunk in memory.
	maxPageRows = 4096
	// maxGroupRows bounds what a scan of one column decides at once and the
	// dictionaries; more and smaller groups make the tail larger.
	maxGroupRows = 256 << 10
	// maxPageBytes bounds the memory of a scan: a page of long texts has
	// fewer rows.
	maxPageBytes = 8 << 20
	// frameBytes is from when on a frame of content ends: reading one text of it
	// costs little, and a merge finds that few of its texts go apart. Four times as
	// much would save 5 % of what content takes.
	frameBytes = 64 << 10
	// settledFrames is how many times as large frames are in blocks that stay.
	settledFrames = 4
	// maxFramedBytes is the most that Parquet lets the dictionary of content have,
	// maxGroupBytes what the values of a row group have at most, unless it is one
	// trace.
	maxFramedBytes = math.MaxInt32
	maxGroupBytes  = 512 << 20
	// maxColumns bounds the footer, which grows with every column.
	maxColumns = 256
	// minColumnRows is the least rows that have a value of a column.
	minColumnRows = 4
	// maxValueBytes is far above what a receiver accepts.
	maxValueBytes = 256 << 20
)

// limits are where a block is cut; tests lower them.
type limits struct {
	pageRows, pageBytes   int
	groupRows, groupBytes int
	frameBytes            int // of content
	// columns is the most columns of attributes of spans, events and links,
	// columnRows the least rows of one; resourceColumns the most of resources.
	columns, columnRows, resourceColumns int
	sampleRows                           int // the least rows that tell what is frequent
}

func defaultLimits() limits {
	return limits{
		pageRows: maxPageRows, pageBytes: maxPageBytes, groupRows: maxGroupRows, groupBytes: maxGroupBytes, frameBytes: frameBytes,
		columns: maxColumns, columnRows: minColumnRows, resourceColumns: maxColumns, sampleRows: minSampleRows,
	}
}

// columnBytes are the sizes of a row's values of variable length.
func columnBytes(s *schema.Span) [12]int {
	n := [12]int{
		len(s.Name), len(s.StatusMessage), len(s.TraceState),
		len(s.Events), len(s.Links), len(s.Rest), len(s.Attributes), len(s.Derived),
	}
	if s.Resource != nil {
		n[8] = len(s.Resource.Wire) + len(s.Resource.ServiceName)
	}
	if s.Scope != nil {
		n[9], n[10], n[11] = len(s.Scope.Wire), len(s.Scope.Name), len(s.Scope.Version)
	}
	return n
}

// planGroups returns the first row of each row group and the number of rows.
// A group exceeds the limits only by being one trace. bytes are those of the values
// of all rows.
func planGroups(rows []*schema.Span, bytes int, lim limits) []int {
	cuts := []int{0}
	for start := 0; ; {
		limit := lim.groupRows
		if bytes > lim.groupBytes {
			limit = min(limit, max(rowsWithin(rows[start:], lim.groupBytes), 1))
		}
		if len(rows)-start <= limit {
			break
		}
		cut := start + limit
		for cut > start && rows[cut].TraceID == rows[cut-1].TraceID {
			cut--
		}
		if cut == start {
			for cut += limit; cut < len(rows) && rows[cut].TraceID == rows[start].TraceID; cut++ {
				continue
			}
		}
		if cut < len(rows) {
			cuts = append(cuts, cut)
		}
		start = cut
	}
	if len(rows) == 0 {
		return cuts
	}
	return append(cuts, len(rows))
}

// rowsWithin is how many of the rows have values of no more than so many bytes.
func rowsWithin(rows []*schema.Span, bytes int) int {
	for i, s := range rows {
		if bytes -= len(s.Attributes) + len(s.Derived) + len(s.Events) + len(s.Links) + len(s.Rest); bytes < 0 {
			return i
		}
	}
	return len(rows)
}

// pager decides where pages begin: a page ends when it has enough rows, or
// enough bytes in one column.
type pager struct {
	limits limits
	pages  []int

	held [12]int // bytes of the current page, as columnBytes; attributes without content
	row  [12]int // of the current row
}

const (
	// messageBytes is the place of the events in columnBytes; links and the rest
	// follow.
	messageBytes = 3
	// attributeBytes is the place of the attributes in columnBytes; those of
	// spans and derived ones are together there.
	attributeBytes = 6
	// sharedBytes is where those of the resource and the scope begin.
	sharedBytes = 8
)

func newPager(lim limits) pager { return pager{limits: lim, pages: []int{0}} }

// begin starts a row.
func (p *pager) begin(s *schema.Span) {
	p.row = columnBytes(s)
	p.row[attributeBytes], p.row[attributeBytes+1] = 0, 0
}

// wide adds an attribute of the row that is not content.
func (p *pager) wide(n int) { p.row[attributeBytes] += n }

// end ends the given row and cuts before it if it does not fit.
func (p *pager) end(row int) {
	if row-p.pages[len(p.pages)-1] >= p.limits.pageRows || overflows(p.held[:], p.row[:], p.limits.pageBytes) {
		p.pages = append(p.pages, row)
		clear(p.held[:])
	}
	for c, n := range p.row {
		p.held[c] += n
	}
}

// overflows reports whether what a row adds to a page is too much for it.
func overflows(held, row []int, limit int) bool {
	for c, n := range row {
		if held[c] > 0 && held[c]+n > limit {
			return true
		}
	}
	return false
}

// finish ends the pages of a row group of so many rows.
func (p *pager) finish(rows int) { p.pages = append(p.pages, rows) }
