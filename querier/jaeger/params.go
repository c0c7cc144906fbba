package jaeger

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spanlake/spanlake/querier"
)

const (
	defaultLimit = 100 // Jaeger's
	maxLimit     = 1500
	// defaultLookback is how far back a search goes that does not say it, and where
	// names of services and operations are looked for.
	defaultLookback = 48 * time.Hour
	// dependencyLookback is the same for dependencies.
	dependencyLookback = 24 * time.Hour
)

// limitOf reads how many traces are wanted.
func limitOf(values url.Values) (int, error) {
	text := values.Get("limit")
	if text == "" {
		return defaultLimit, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxLimit {
		return 0, querier.BadRequest("invalid limit %.100q: want a number from 1 to %d", text, maxLimit)
	}
	return n, nil
}

// timeOf reads a time in units since 1970, in Unix nanoseconds: 0 if there is none.
func timeOf(values url.Values, name string, unit time.Duration) (uint64, error) {
	text := values.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > math.MaxInt64/int64(unit)-1 {
		return 0, querier.BadRequest("invalid %s %.100q: want a time in units of %s since 1970, such as %d", name, text, unit, example.UnixNano()/int64(unit))
	}
	return uint64(n) * uint64(unit), nil //nolint:gosec // both are positive
}

// example is a time to show in messages.
var example = time.Date(2026, 1, 15, 10, 0, 0, 0, time.UTC)

// durationOf reads a duration such as 1.5ms, 0 if there is none.
func durationOf(values url.Values, name string) (time.Duration, error) {
	text := strings.TrimSpace(values.Get(name))
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, querier.BadRequest("invalid %s %.100q: want a duration such as 100ms or 1.2s", name, text)
	}
	return d, nil
}

// lookbackOf reads how far back a search goes: a number with a unit, which may also be
// days or weeks. Who chooses a time says custom and sends start.
func lookbackOf(values url.Values) (time.Duration, error) {
	text := values.Get("lookback")
	if text == "" || text == "custom" {
		return defaultLookback, nil
	}
	count, times := text, int64(1)
	for suffix, hours := range map[string]int64{"d": 24, "w": 7 * 24} {
		if head, ok := strings.CutSuffix(text, suffix); ok {
			count, times = head+"h", hours
		}
	}
	d, err := time.ParseDuration(count)
	if err != nil || d <= 0 || int64(d) > math.MaxInt64/times {
		return 0, querier.BadRequest("invalid lookback %.100q: want a duration such as 1h or 2d, or start and end", text)
	}
	return time.Duration(int64(d) * times), nil
}

// last is the range of time from so long before its end, which is now if it is zero, to
// it. It is no longer than searches may be, if it may be cut.
func (h *Handler) last(end uint64, lookback time.Duration, cut bool, now time.Time) (from, to uint64, err error) {
	longest, to, err := h.q.Range(0, end, now)
	if err != nil {
		return 0, 0, err
	}
	from = max(to-min(to, uint64(lookback)), 1) //nolint:gosec // not negative
	if cut {
		from = max(from, longest)
	}
	return h.q.Range(from, to, now)
}

// between is the range of time of a search.
func (h *Handler) between(values url.Values, now time.Time) (from, to uint64, err error) {
	if from, err = timeOf(values, "start", time.Microsecond); err != nil {
		return 0, 0, err
	}
	if to, err = timeOf(values, "end", time.Microsecond); err != nil {
		return 0, 0, err
	}
	if from != 0 {
		return h.q.Range(from, to, now)
	}
	lookback, err := lookbackOf(values)
	if err != nil {
		return 0, 0, err
	}
	return h.last(to, lookback, values.Get("lookback") == "", now)
}
