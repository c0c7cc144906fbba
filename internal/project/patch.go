package project

import (
	"fmt"

	"github.com/spanlake/spanlake/internal/llm/price"
)

// Patch changes settings. What is absent stays as it is.
type Patch struct {
	// Retention as text, or "default".
	Retention *string `json:"retention,omitempty"`
	// Rules replace all that there were.
	Rules *[]Rule `json:"rules,omitempty"`
	// Limits by their names: 0 for the default, Unlimited for none.
	Limits map[string]int64 `json:"limits,omitempty"`
	// Prices replace all that there were.
	Prices *[]price.Entry `json:"prices,omitempty"`
	// Reprice asks that what is stored is priced anew by the prices that count then. It
	// has a request of its own in the API.
	Reprice *RepriceRange `json:"-"`
	// Aliases replace all that there were.
	Aliases *[]string `json:"aliases,omitempty"`
}

// Apply changes settings. Returns ErrInvalid.
func (p *Patch) Apply(s *Settings) error {
	if p.Retention != nil && *p.Retention == "default" {
		s.Retention = nil
	} else if p.Retention != nil {
		r, err := ParseRetention(*p.Retention)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		s.Retention = &r
	}
	for name, value := range p.Limits {
		if err := s.Limits.Set(name, value); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if p.Rules != nil {
		s.Rules = *p.Rules
	}
	if p.Prices != nil {
		s.Prices = *p.Prices
	}
	if p.Reprice != nil {
		s.Reprice = p.Reprice.reprice(s)
	}
	if p.Aliases != nil {
		s.Aliases = *p.Aliases
	}
	return nil
}
