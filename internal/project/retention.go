package project

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Retention is how long spans are kept, 0 for ever. As text it is "unlimited",
// or a duration such as 90d, 36h or 1y; a year has 365 days.
type Retention time.Duration

// Bounds of a retention that is not unlimited.
const (
	MinRetention = Retention(time.Minute)
	MaxRetention = Retention(200 * 365 * day)
)

const (
	day       = 24 * time.Hour
	unlimited = "unlimited"
)

var errRetention = errors.New("not a retention: want unlimited, or a duration such as 36h, 90d or 1y")

// ParseRetention reads what String writes.
func ParseRetention(text string) (Retention, error) {
	if text == unlimited || text == "0" || text == "0s" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		if d, err = parseDays(text); err != nil {
			return 0, fmt.Errorf("%w, have %q", errRetention, text)
		}
	}
	r := Retention(d)
	if r < MinRetention || r > MaxRetention {
		return 0, fmt.Errorf("retention %s: want %s to %s, or %s", text, MinRetention, MaxRetention, unlimited)
	}
	return r, nil
}

// parseDays reads whole days, weeks or years.
func parseDays(text string) (time.Duration, error) {
	for ending, unit := range map[string]time.Duration{"d": day, "w": 7 * day, "y": 365 * day} {
		if digits, ok := strings.CutSuffix(text, ending); ok {
			n, err := strconv.ParseUint(digits, 10, 32)
			if err != nil || n > math.MaxInt64/uint64(unit) {
				return 0, errRetention
			}
			return time.Duration(n) * unit, nil //nolint:gosec // bounded above
		}
	}
	return 0, errRetention
}

// String writes the largest unit that fits exactly.
func (r Retention) String() string {
	d := time.Duration(r)
	switch {
	case d == 0:
		return unlimited
	case d%(365*day) == 0:
		return strconv.FormatInt(int64(d/(365*day)), 10) + "y"
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}

// Set implements flag.Value.
func (r *Retention) Set(text string) (err error) {
	*r, err = ParseRetention(text)
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (r Retention) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Retention) UnmarshalText(text []byte) error { return r.Set(string(text)) }

// Oldest is the end, in Unix nanoseconds, that a span must have at least to be
// shown: 0 if everything is.
func (r Retention) Oldest(now time.Time) uint64 {
	if r <= 0 {
		return 0
	}
	return uint64(max(now.Add(-time.Duration(r)).UnixNano(), 0)) //nolint:gosec // not negative
}
