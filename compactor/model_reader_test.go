package compactor_test

import (
	"slices"

	"github.com/spanlake/spanlake/schema"
)

// reader is a querier that lists, while others work.
type reader struct {
	begun  bool
	stored []*batch // up to the floor, which is read before the listing
	pages  pages
	held   map[schema.BlockName]object
}

// read reads the floor, or a page. A listing that has taken too long is thrown away;
// of any other all that was stored up to the floor must be visible, once.
func (m *model) read(r *reader) {
	if !r.begun {
		*r = reader{begun: true, stored: slices.Clone(m.committed), pages: pages{began: m.now}, held: map[schema.BlockName]object{}}
		return
	}
	from := len(r.pages.names)
	last := r.pages.next(m)
	for _, n := range r.pages.names[from:] {
		r.held[n] = m.stored[n]
	}
	if !last {
		return
	}
	if m.now.Sub(r.pages.began) < m.policy.DeleteAfter {
		m.done.readings++
		m.checkRows(schema.Visible(r.pages.names), func(n schema.BlockName) *object { o := r.held[n]; return &o }, r.stored)
	}
	*r = reader{}
}
