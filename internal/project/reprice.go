package project

import (
	"errors"
	"time"

	"github.com/spanlake/spanlake/internal/llm/price"
)

// Reprice asks that blocks are written anew with what follows from their rows today,
// by one table of prices. It stays as it is when that is done: blocks say themselves
// by what they were made, so that doing it again does nothing.
type Reprice struct {
	AskedAt time.Time `json:"asked_at"`
	// From and To bound the times of spans, zero for none: blocks count that reach
	// into the range.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Table is the one that counted when it was asked. If another one does by now,
	// nothing is done until it is asked again.
	Table string `json:"table"`
}

// RepriceRange is what a Reprice is asked for with.
type RepriceRange struct {
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
}

// reprice makes the request, by prices as they are in the settings.
func (r *RepriceRange) reprice(s *Settings) *Reprice {
	return &Reprice{
		AskedAt: time.Now().UTC().Truncate(time.Millisecond), From: r.From.UTC(), To: r.To.UTC(),
		Table: price.Shipped().With(s.Prices).Version(),
	}
}

func (r *Reprice) validate() error {
	if r == nil {
		return nil
	}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		return errors.New("reprice: want from before to")
	}
	if r.Table == "" {
		return errors.New("reprice: want the table of prices")
	}
	return nil
}

// Reaches reports whether a block with spans between two times, Unix nanoseconds, is
// asked for.
func (r *Reprice) Reaches(first, last uint64) bool {
	begun := r.From.IsZero() || last >= nanosOf(r.From)
	return begun && (r.To.IsZero() || first < nanosOf(r.To))
}

func nanosOf(t time.Time) uint64 {
	return uint64(max(t.UnixNano(), 0)) //nolint:gosec // not negative
}
