package llm

import (
	"sync"

	"github.com/spanlake/spanlake/schema"
)

// Spans derives the attributes of spans that were put together of pieces, of which
// none alone says what follows from all. Safe for concurrent use.
type Spans struct {
	tables Tables
	free   sync.Pool // of *Normalizer
}

// NewSpans returns one that prices by the tables that projects have when a span is
// put together.
func NewSpans(tables Tables) *Spans { return &Spans{tables: tables} }

// Of is what Normalizer.Derive says of the spans of a project.
func (s *Spans) Of(project schema.ProjectID) func(*schema.Span) []byte {
	return func(span *schema.Span) []byte {
		prices := s.tables(project)
		n, ok := s.free.Get().(*Normalizer)
		if !ok {
			n = New(prices)
		}
		defer s.free.Put(n)
		n.SetPrices(prices)
		return n.Derive(span)
	}
}
