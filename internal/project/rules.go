package project

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spanlake/spanlake/traceql"
)

// Rule keeps the traces that a search for its filter finds.
type Rule struct {
	Filter    string    `json:"filter"` // TraceQL
	Retention Retention `json:"retention"`
}

const (
	maxRules       = 10
	maxFilterBytes = 4 << 10
)

// Rules are how long traces of a project are kept: for the longest of the rules
// that find it, and else as Rest says. Without any in Each there are none.
type Rules struct {
	Rest Retention
	Each []Rule
}

func validateRules(rules []Rule) error {
	var errs []error
	if len(rules) > maxRules {
		errs = append(errs, fmt.Errorf("rules: want %d at most, have %d", maxRules, len(rules)))
	}
	for _, r := range rules {
		if r.Retention != 0 && (r.Retention < MinRetention || r.Retention > MaxRetention) {
			errs = append(errs, fmt.Errorf("rule %s: retention: want %s to %s, or %s", r.Filter, MinRetention, MaxRetention, unlimited))
		}
		errs = append(errs, r.check())
	}
	return errors.Join(errs...)
}

func (r *Rule) check() error {
	if len(r.Filter) > maxFilterBytes {
		return fmt.Errorf("rule: want a filter of %d bytes at most, have %d", maxFilterBytes, len(r.Filter))
	}
	query, err := traceql.Parse(r.Filter)
	if err != nil {
		return fmt.Errorf("rule %q: %w", r.Filter, err)
	}
	if query.Metrics != nil {
		return fmt.Errorf("rule %q: want a filter that finds spans, such as { status = error }", r.Filter)
	}
	return nil
}

// Longest is how long the last trace is kept, 0 for ever.
func (r *Rules) Longest() Retention {
	longest := r.Rest
	for _, rule := range r.Each {
		if longest == 0 || rule.Retention == 0 {
			return 0
		}
		longest = max(longest, rule.Retention)
	}
	return longest
}

// Sifting decides which traces of an age are still kept: those that a filter of
// Keep finds, and if Rest is set also those that none of Drop does.
type Sifting struct {
	Rest       bool
	Keep, Drop []string // Drop is empty without Rest; in order, each once
}

// At is what the rules decide on traces of which over tells whether a retention of
// them is over. It is false if all are kept. If Keep is empty and Rest false none is.
func (r *Rules) At(over func(Retention) bool) (s Sifting, some bool) {
	s.Rest = !over(r.Rest)
	some = !s.Rest
	for _, rule := range r.Each {
		if over(rule.Retention) {
			some = true
			s.Drop = append(s.Drop, rule.Filter)
		} else {
			s.Keep = append(s.Keep, rule.Filter)
		}
	}
	if !s.Rest {
		s.Drop = nil
	}
	s.Keep, s.Drop = sortedOnce(s.Keep), sortedOnce(s.Drop)
	return s, some && len(r.Each) > 0
}

func sortedOnce(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
