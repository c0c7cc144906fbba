package block

import "github.com/spanlake/spanlake/schema"

const (
	// maxPageRows is the rows of a page and of a chunk in memory.
	maxPageRows = 4096
	// maxGroupRows bounds what a scan of one column decides at once and the
	// dictionaries; more and smaller groups make the tail larger.
	maxGroupRows = 256 << 10
	// maxPageBytes bounds the memory of a scan: a page of long texts has
	// fewer rows.
	maxPageBytes = 8 << 20
	// maxFineRows and maxFineBytes bound the pages of content, so that reading
	// one text costs little.
	maxFineRows  = 1024
	maxFineBytes = 256 << 10
	// maxColumns bounds the footer, which grows with every column.
	maxColumns = 256
	// minColumnRows is the least rows that have a value of a column.
	minColumnRows = 4
	// maxValueBytes is far above what a receiver accepts.
	maxValueBytes = 256 << 20
)

// limits are where a block is cut; tests lower them.
type limits struct {
	pageRows, pageBytes int
	fineRows, fineBytes int // of pages of content
	groupRows           int
	// columns is the most columns of attributes of spans, events and links,
	// columnRows the least rows of one; resourceColumns the most of resources.
	columns, columnRows, resourceColumns int
	sampleRows                           int // the least rows that tell what is frequent
}

func defaultLimits() limits {
	return limits{
		pageRows: maxPageRows, pageBytes: maxPageBytes, fineRows: maxFineRows, fineBytes: maxFineBytes,
		groupRows: maxGroupRows, columns: maxColumns, columnRows: minColumnRows, resourceColumns: maxColumns, sampleRows: minSampleRows,
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
// A group exceeds the limit only by being one trace.
func planGroups(rows []*schema.Span, limit int) []int {
	cuts := []int{0}
	for start := 0; len(rows)-start > limit; {
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

// pager decides where pages begin: a page ends when it has enough rows, or
// enough bytes in one column.
type pager struct {
	limits limits
	pages  []int
	fine   []int

	held     [12]int // bytes of the current page, as columnBytes; attributes without content
	heldFine []int   // bytes of content, by its number
	row      [12]int // of the current row
	rowFine  []int
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

func newPager(lim limits, contents int) pager {
	return pager{
		limits: lim, pages: []int{0}, fine: []int{0},
		heldFine: make([]int, contents), rowFine: make([]int, contents),
	}
}

// begin starts a row.
func (p *pager) begin(s *schema.Span) {
	p.row = columnBytes(s)
	p.row[attributeBytes], p.row[attributeBytes+1] = 0, 0
	clear(p.rowFine)
}

// wide adds an attribute of the row that is not content.
func (p *pager) wide(n int) { p.row[attributeBytes] += n }

// content adds an attribute that is.
func (p *pager) content(number, n int) { p.rowFine[number] = n }

// end ends the given row and cuts before it if it does not fit.
func (p *pager) end(row int) { p.endFine(row, p.endPage(row)) }

// endPage does that but for the pages of content, and reports whether it has cut.
func (p *pager) endPage(row int) bool {
	full := row-p.pages[len(p.pages)-1] >= p.limits.pageRows || overflows(p.held[:], p.row[:], p.limits.pageBytes)
	if full {
		p.pages = append(p.pages, row)
		clear(p.held[:])
	}
	for c, n := range p.row {
		p.held[c] += n
	}
	return full
}

// endFine does so for the pages of content. It cuts in any case where all pages
// begin.
func (p *pager) endFine(row int, full bool) bool {
	if full = full || row-p.fine[len(p.fine)-1] >= p.limits.fineRows || overflows(p.heldFine, p.rowFine, p.limits.fineBytes); full {
		p.fine = append(p.fine, row)
		clear(p.heldFine)
	}
	for c, n := range p.rowFine {
		p.heldFine[c] += n
	}
	return full
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
func (p *pager) finish(rows int) {
	p.pages = append(p.pages, rows)
	p.fine = append(p.fine, rows)
	if len(p.heldFine) == 0 {
		p.fine = p.pages
	}
}
