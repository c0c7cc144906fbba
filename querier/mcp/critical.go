package mcp

import (
	"cmp"
	"slices"
)

// The kinds of OTLP spans of which one waits for the other.
const (
	kindServer = 2
	kindClient = 3
)

// rounding is how much later than its parent a span may end that its parent waited
// for: clients round to milliseconds.
const rounding = 1_000_000

// timing is when a span was, nanoseconds since any moment, and which spans it caused.
type timing struct {
	start, end int64
	kind       int32 // of OTLP
	children   []int
}

// segment is a time in which the whole waited for one span itself.
type segment struct {
	span       int
	start, end int64
}

// path finds what a span waited for.
type path struct {
	spans    []timing
	async    []bool // nobody waited for it
	segments []segment
}

// criticalPath divides the time of a span among itself and what it caused: at every
// moment it waited for exactly one of them. Segments are in their order and have no
// gaps. From its end backwards, a span waited for the child that ended last; before
// that one began, for the one that had ended last until then. Children that ran beside
// these did not matter.
//
// A child that ends after its parent has kept nobody waiting, and is not on the path:
// async tells which ones. The other side of a remote call is, since there clocks may
// differ: if it is not longer than the call it is put into its middle, else it is cut.
// spans must be trees; they are changed.
func criticalPath(spans []timing, root int) (segments []segment, async []bool) {
	p := &path{spans: spans, async: make([]bool, len(spans))}
	p.spans[root].end = max(p.spans[root].start, p.spans[root].end)
	p.fit(root, 0)
	p.walk(root, spans[root].start, spans[root].end)
	slices.Reverse(p.segments)
	return p.segments, p.async
}

// fit puts what a span caused into its time. shift is what was added to the span's own
// time, and so to all that was measured by its clock.
func (p *path) fit(parent int, shift int64) {
	above := &p.spans[parent]
	for _, c := range above.children {
		s, own := &p.spans[c], shift
		s.start, s.end = s.start+shift, max(s.start, s.end)+shift
		remote := above.kind == kindClient && s.kind == kindServer
		longer := s.end-s.start > above.end-above.start
		switch {
		case remote && !longer && (s.start < above.start || s.end > above.end):
			by := above.start + ((above.end-above.start)-(s.end-s.start))/2 - s.start
			s.start, s.end, own = s.start+by, s.end+by, shift+by
		case !remote && s.end > above.end+rounding:
			p.async[c] = true
		}
		if !p.async[c] {
			s.start, s.end = max(s.start, above.start), min(s.end, above.end)
		}
		p.fit(c, own)
	}
}

// walk adds the segments from until back to from, the last first.
func (p *path) walk(span int, from, until int64) {
	children := slices.Clone(p.spans[span].children)
	slices.SortStableFunc(children, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.spans[b].end, p.spans[a].end), cmp.Compare(p.spans[b].start, p.spans[a].start))
	})
	for _, c := range children {
		start, end := max(p.spans[c].start, from), p.spans[c].end
		if p.async[c] || end > until || end <= start {
			continue
		}
		p.add(span, end, until)
		p.walk(c, start, end)
		until = start
	}
	p.add(span, from, until)
}

func (p *path) add(span int, start, end int64) {
	if end > start {
		p.segments = append(p.segments, segment{span, start, end})
	}
}
